import { ROWS } from '../profile/options.ts'
import { COMMANDS } from './commands.ts'
import { WIDTH, wrap } from './wrap.ts'

const COLUMN = 26

/** What most people want, each with what it is for. */
export const EXAMPLES = [
  ['nbtrun --share //srv/app -- app.exe /month:10', 'app.exe has the share while it runs'],
  ['nbtrun --share //srv/cad --wait 10m -- cad', 'wait in line while all seats are taken'],
  ['nbtrun import old.bat', 'the same run as a batch file with net use'],
  ['nbtrun sessions //srv/cad', 'who holds the seats'],
] as const

/** `nbtrun --help`, and with `all` every option. From the tables, 80 columns. */
export function help(all: boolean): string {
  const options = ROWS.filter(([, row]) => all || row.common).flatMap(([name, { short, arg, alone, aliases = [], help: text }]) => {
    const names = `${short === undefined ? '   ' : `-${short},`} --${name}${arg === undefined ? '' : alone === undefined ? ` ${arg}` : `[=${arg}]`}`
    return entry(names, aliases.length === 0 ? text : `${text} (also --${aliases.join(', --')})`)
  })
  return [
    'nbtrun [options] --share //HOST/SHARE[=DIR] [--share ...] [--] PROGRAM [ARG...]',
    '',
    'Maps the share for PROGRAM, waits for it and all it started, then gives mapping,',
    'share, session and connection back. Exits with the code of PROGRAM.',
    '',
    ...EXAMPLES.flatMap(([line, about]) => [`  ${line}`, `      ${about}`]),
    '',
    all ? 'Options' : 'Options (all of them: nbtrun --help all)',
    ...options,
    ...entry('    --help [all]', 'print this'),
    ...entry('    --version', 'print the version'),
    '',
    'Commands (nbtrun COMMAND --help)',
    ...Object.values(COMMANDS).flatMap(({ usage, help: text }) => entry(usage, text)),
    '',
    'Options end at -- or, after --share, at the first word that is none. Each is',
    'also a variable: NBTRUN_OPT_WAIT_FOR for --wait-for; the option wins. TIME is',
    'seconds, or has a unit: 250ms, 2.5s, 10m, 1h.',
    '',
    'Exit codes: that of PROGRAM; 75 the share is full, try again later; 124 its time',
    'limit ended it; 125 nbtrun failed; 126 PROGRAM cannot be executed; 127 it was',
    'not found.',
  ].join('\n')
}

/** A name and its text, wrapped, in two columns. */
function entry(name: string, text: string): string[] {
  const head = `  ${name}`
  const indented = wrap(text, WIDTH - COLUMN).map(line => ' '.repeat(COLUMN) + line)
  return head.length < COLUMN - 1 ? [head.padEnd(COLUMN) + (indented[0] ?? '').trimStart(), ...indented.slice(1)] : [head, ...indented]
}
