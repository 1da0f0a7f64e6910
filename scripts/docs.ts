// Writes docs/options.md, docs/errors.md, docs/nbtrun.1 and docs/profile.schema.json from the tables: `node --import tsx scripts/docs.ts`.
import { readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { CODES, type Code } from '../src/base/errors.ts'
import { manPage } from '../src/cli/man.ts'
import { packageVersion } from '../src/cli/package.ts'
import { envName, ROWS } from '../src/profile/options.ts'
import { profileSchema } from '../src/profile/schema.ts'
import { spell } from '../src/base/time.ts'
import { ERRORS } from './errors.ts'

const folder = new URL('../docs/', import.meta.url)

export const DOCS: Record<string, () => string> = {
  'options.md': options,
  'errors.md': errors,
  'nbtrun.1': () => manPage(packageVersion()),
  'profile.schema.json': () => `${JSON.stringify(profileSchema(), undefined, 2)}\n`,
}

/** Is docs/<name> what the tables say? */
export function isCurrent(name: string): boolean {
  return readFileSync(new URL(name, folder), 'utf8') === DOCS[name]?.()
}

function options(): string {
  const rows = ROWS.map(([name, { kind, arg, alone, short, aliases = [], fallback, help }]) => {
    const names = [`--${name}`, ...(short === undefined ? [] : [`-${short}`]), ...aliases.map(alias => `--${alias}`)].map(n =>
      code(n + (arg === undefined || n.length === 2 ? '' : alone === undefined ? ` ${arg}` : `[=${arg}]`)),
    )
    const otherwise =
      typeof fallback === 'number' && arg === 'TIME' && fallback > 0 ? spell(fallback) : fallback === undefined ? '' : code(`${fallback as string | number}`)
    return [names.join('<br>'), cell(help), code(envName(name)), otherwise, { one: 'once', many: 'repeat', flag: 'flag', count: 'repeat' }[kind]]
  })
  return `# Options

Generated from the option table by \`scripts/docs.ts\`; \`nbtrun --help all\` prints the same.

Options end after \`--\` or, once \`--share\` was given, at the first word that is no option. A value that begins with a dash is written
\`--name=-value\`. The option wins over its variable. An empty variable counts as unset; those of options that may be repeated hold one value
a line, those of flags 1 or 0. \`NBTRUN_OPT_*\` does not reach the program. Durations are seconds, fractions allowed, or have a unit: \`250ms\`, \`2.5s\`,
\`10m\`, \`1h\`.

${table(['Option', 'What it does', 'Variable', 'Without it', 'How often'], rows)}`
}

function errors(): string {
  const rows = Object.entries(ERRORS).map(([name, texts]) => [code(name), String(CODES[name as Code].exit), ...texts])
  return `# Errors

Generated from the tables of codes by \`scripts/docs.ts\`.

A failure of nbtrun is one line on stderr: \`nbtrun: what, which value; what to do [CODE]\`. With \`-v\` its causes follow, with \`-vv\` the stack. Its code stands
in the receipt and in the events. Codes are never renamed and never used for something else.

The exit code is the program's own, or one of these. Before the program started, a signal n ends nbtrun with 128 + n.

A refusal by the server has its name of [MS-ERREF] in the line (\`STATUS_ACCESS_DENIED\`). Programs get an errno for what fails on the share.

${table(['Code', 'Exit', 'What', 'Usually because of', 'Cure'], rows)}`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map(row => `| ${row.join(' | ')} |\n`).join('')
}

function cell(text: string): string {
  return text
    .replaceAll('|', '\\|')
    .replaceAll('<', '&lt;')
    .replace(/\{(\w+)\}/g, '`{$1}`')
}

function code(text: string): string {
  return `\`${text.replaceAll('|', '\\|')}\``
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) for (const [name, text] of Object.entries(DOCS)) writeFileSync(new URL(name, folder), text())
