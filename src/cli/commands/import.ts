import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, join, resolve as absolute } from 'node:path'
import type { Argv } from 'yargs'
import { errnoOf, NbtrunError } from '../../base/errors.ts'
import { importBatch, type Imported } from '../../profile/batch/batch.ts'
import { readBatch, type BatchText } from '../../profile/batch/text.ts'
import { ROWS, type Name } from '../../profile/options.ts'
import { ownWords, profileText } from '../../profile/own-words.ts'
import { configFolder } from '../../profile/folders.ts'
import { quoteSh } from '../../profile/quoting.ts'
import { resolve } from '../../profile/settings.ts'
import { render, TEMPLATES } from '../../profile/templates.ts'
import { assignment, shown } from '../../profile/values.ts'
import type { Raw } from '../../profile/words.ts'
import { packageText } from '../package.ts'
import { output, print } from '../report.ts'
import { saveSecret } from '../saving.ts'
import { WIDTH, wrap } from '../wrap.ts'

const INDENT = 7
const PARTS = ['line', 'profile', 'script'] as const

export function options(y: Argv): Argv {
  return y
    .usage('nbtrun import FILE.bat [--print line|profile|script] [--define NAME=VALUE ...] [--auth-file FILE]')
    .positional('file', { type: 'string', describe: 'a batch file with net use in it' })
    .option('print', { type: 'string', nargs: 1, requiresArg: true, describe: `${PARTS.join(', ')}: only that, for a file or a pipe` })
    .option('define', { type: 'string', array: true, nargs: 1, requiresArg: true, describe: 'what a variable holds that the file does not set' })
    .option('auth-file', { type: 'string', nargs: 1, requiresArg: true, describe: 'where a password of the file goes (else ~/.config/nbtrun/SERVER.auth)' })
    .option('force', { type: 'boolean', describe: 'replace the auth file' })
}

/** Prints the run of a batch file; exits with 1 where it does less than the file did. */
export function run(given: Readonly<Record<string, unknown>>): void {
  const { file, print: part, define, force } = given
  if (typeof file !== 'string' || file === '') throw new NbtrunError('USAGE', 'no batch file is named', { hint: 'nbtrun import old.bat' })
  if (part !== undefined && !PARTS.some(name => name === part)) throw new NbtrunError('USAGE', `--print must be ${PARTS.join(' or ')}`)
  const batch = read(file)
  const found = importBatch(batch.lines, [define ?? []].flat().map(defined))
  if (part === undefined) output(`${heading(file, batch)}\n\n${became(found)}`)
  if (found.refused !== undefined) throw new NbtrunError('USAGE', `${file} is no run: ${found.refused}`, { hint: 'write the line by hand: nbtrun --help' })
  const auth = authFile(found, given)
  const raw = optionsOf(found, auth)
  resolve(raw, {}, process.cwd()) // judges every value now
  if (found.password !== undefined && auth !== undefined) saveSecret(auth, authText(found), force === true)
  const name = basename(file).replace(/\.(?:bat|cmd)$/i, '')
  const program = found.program ?? []
  if (part === undefined) output(`\n${[asLine(found, raw), asProfile(name, raw, program), asScript(found, raw)].join('\n\n')}`)
  else output(part === 'line' ? line(found, raw) : part === 'profile' ? profileText(raw, program) : script(found, raw))
  if (found.password !== undefined) print(`the password is in ${auth ?? ''}; it still stands in ${file}: take it out there, and change it`)
  const lost = found.rows.filter(row => row.kind === 'lost').length
  if (lost > 0) {
    print(`${lost === 1 ? 'one line is' : `${lost} lines are`} not taken over`)
    process.exitCode = 1
  }
}

function read(file: string): BatchText {
  try {
    return readBatch(readFileSync(file))
  } catch (cause) {
    throw new NbtrunError('FILE_ERROR', `${file} cannot be read (${errnoOf(cause) ?? 'unknown reason'})`, { cause })
  }
}

function defined(text: unknown): { readonly name: string; readonly value: string } {
  try {
    return assignment(String(text))
  } catch {
    throw new NbtrunError('USAGE', '--define must be NAME=VALUE') // not repeated: it may be a password
  }
}

function authFile(found: Imported, given: Readonly<Record<string, unknown>>): string | undefined {
  const named = given['auth-file']
  if (Array.isArray(named)) throw new NbtrunError('USAGE', `--auth-file is given ${named.length} times`)
  if (typeof named === 'string') return absolute(named)
  if (found.password === undefined) return undefined
  return join(configFolder(process.env, homedir()), `${(found.server ?? 'server').replace(/[^\w.-]/g, '_')}.auth`)
}

/** As --auth-file reads it. Blanks before a password would be lost there. */
function authText({ user, password = '' }: Imported): string {
  if (/^[ \t]|[\0\r\n]/.test(password))
    throw new NbtrunError('USAGE', 'the password begins with a blank, which an auth file cannot hold', { hint: 'use --password-file' })
  return `${user === undefined ? '' : `username = ${user}\n`}password = ${password}\n`
}

function optionsOf(found: Imported, auth: string | undefined): Raw {
  const some = (text: string | undefined): string[] | undefined => (text === undefined ? undefined : [text])
  const texts: Partial<Record<string, readonly string[] | undefined>> = {
    share: found.shares,
    // the auth file names the user, too
    user: auth !== undefined && found.password !== undefined ? undefined : some(found.user),
    'auth-file': some(auth),
    wait: found.waitSeconds === 0 ? undefined : [`${found.waitSeconds}s`],
    grace: found.graceSeconds === 0 ? undefined : [`${found.graceSeconds}s`],
    chdir: some(found.chdir),
    env: found.env.length === 0 ? undefined : found.env,
  }
  return Object.fromEntries(ROWS.flatMap(([name]): [Name, string[]][] => (texts[name] === undefined ? [] : [[name, [...texts[name]]]])))
}

const heading = (file: string, { lines, encoding }: BatchText): string =>
  `${basename(file)}: ${lines.length} lines, ${encoding}; + is in the run, ! is not taken over`

/** The file's lines, each with what became of it below, in 80 columns. */
function became({ rows }: Imported): string {
  const mark = { taken: '+', dropped: ' ', lost: '!' } as const
  return rows
    .flatMap(({ line, kind, text, became }) => {
      const [first = '', ...more] = wrap(shown(text), WIDTH - INDENT)
      const below = wrap(became, WIDTH - INDENT - 2).map(part => `  ${part}`)
      return [`${String(line).padStart(4)} ${mark[kind]} ${first}`, ...[...more, ...below].map(part => ' '.repeat(INDENT) + part)]
    })
    .join('\n')
}

/** Only where a shell would take a word for something else. */
const plainly = (word: string): string => (/^[\w@%+=:,./{}-]+$/.test(word) ? word : quoteSh(word))

function line(found: Imported, raw: Raw): string {
  const words = ['nbtrun', ...ownWords(raw), '--', ...(found.program ?? [])].map(plainly)
  return [...words, ...(found.passesWords ? ['"$@"'] : [])].join(' ')
}

function script(found: Imported, raw: Raw): string {
  const name = found.passesWords ? 'metered-launcher' : 'login'
  return render(name, packageText(`templates/${TEMPLATES[name].file}`), ownWords(raw), found.program ?? [])
}

const asLine = (found: Imported, raw: Raw): string => `As a command line:\n\n${indented(line(found, raw))}`
const asProfile = (name: string, raw: Raw, program: readonly string[]): string =>
  `As a profile, ~/.config/nbtrun/${name}.toml, for: nbtrun --profile ${plainly(name)}\n\n${indented(profileText(raw, program))}`
const asScript = (found: Imported, raw: Raw): string => `As a script (--print script >FILE.sh):\n\n${indented(script(found, raw))}`
const indented = (text: string): string => text.trimEnd().replace(/^(?=.)/gm, '    ')
