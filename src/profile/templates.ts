import { NbtrunError } from '../base/errors.ts'
import { shown } from './values.ts'

/** The scripts in templates/. Each works as it stands, with an example's words on its one nbtrun line; `render` puts the user's there. */
export const TEMPLATES = {
  login: {
    file: 'login.sh',
    about: 'login script: the share is there while one program runs',
    example: ['--share', '//server/app', '--grace', '5s'],
    program: ['app'],
  },
  'metered-launcher': {
    file: 'metered-launcher.sh',
    about: 'launcher of a program licensed by connections; says when the seat is taken',
    example: ['--share', '//server/cad'],
    program: ['cad.exe'],
  },
  logon: {
    file: 'logon.cmd',
    about: 'Windows logon script: net use, the program, net use /delete as one run',
    example: ['--share', '//server/app', '--grace', '5s'],
    program: ['app.exe'],
  },
} as const satisfies Record<string, { file: string; about: string; example: readonly string[]; program: readonly string[] }>

export type TemplateName = keyof typeof TEMPLATES

/** `login` and `login.sh` name the same. */
export function templateName(word: string): TemplateName {
  const name = (Object.keys(TEMPLATES) as TemplateName[]).find(key => key === word || TEMPLATES[key].file === word)
  if (name === undefined) throw new NbtrunError('USAGE', `there is no template ${shown(word)}`, { hint: 'nbtrun script --list' })
  return name
}

/** The template's text with `options` and `program` as the words of its nbtrun line, each quoted for the script's language. */
export function render(name: TemplateName, text: string, options: readonly string[], program: readonly string[]): string {
  const cmd = TEMPLATES[name].file.endsWith('.cmd')
  const words = [...options, '--', ...program].map(word => (/^--[a-z-]*$/.test(word) ? word : cmd ? quoteCmd(word) : quoteSh(word)))
  const line = /^((?:exec )?nbtrun) .*?( "\$@"| %\*)?\r?$/m
  if (!line.test(text)) throw new NbtrunError('INTERNAL', `template ${name} has no nbtrun line`)
  const script = text.replace(line, (_, start: string, rest = '') => `${start} ${words.join(' ')}${rest as string}`)
  return cmd ? script.replace(/\r?\n/g, '\r\n') : script
}

/** A word for sh: in single quotes nothing is special but the quote itself. */
export function quoteSh(word: string): string {
  return `'${oneLine(word).replaceAll("'", "'\\''")}'`
}

/**
 * A word for a batch file that is read with delayed expansion off. Inside double quotes cmd leaves & | < > ( ) ^ ! alone, at every level it may
 * pass (npm's nbtrun.cmd is one more); only % must be doubled. A quote becomes two, which cmd sees as closed and opened again and the
 * C runtime as one; backslashes before a quote are doubled for the latter.
 */
export function quoteCmd(word: string): string {
  const quoted = oneLine(word)
    .replace(/(\\*)"/g, '$1$1""')
    .replace(/(\\+)$/, '$1$1')
  return `"${quoted.replaceAll('%', '%%')}"`
}

function oneLine(word: string): string {
  if (/\p{Cc}/u.test(word)) throw new NbtrunError('USAGE', `a script cannot hold the control character in ${shown(word)}`)
  return word
}
