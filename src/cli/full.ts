import { asError, type Code, NbtrunError } from '../base/errors.ts'
import { nearest } from '../profile/nearest.ts'
import { refusePasswords } from '../profile/split.ts'
import type { Raw } from '../profile/words.ts'
import { COMMANDS, isCommand } from './commands.ts'
import { output } from './report.ts'

const EXAMPLE = 'nbtrun --share //server/share -- program'

/** yargs takes longer to load than all of Node: help and the version do without. */
const words = (): Promise<typeof import('./yargs.ts')> => import('./yargs.ts')

/** A line that is no well-formed run: help, the version, or a complaint. Returns the exit code. */
export async function noRun(own: readonly string[], program: readonly string[] | undefined): Promise<number> {
  const at = own.findIndex(word => word === '--help' || word === '-h')
  if (at >= 0) {
    const { help } = await import('./help.ts')
    output(help((own[at + 1] ?? program?.[0]) === 'all'))
    return 0
  }
  if (own.includes('--version')) {
    const { packageVersion } = await import('./package.ts')
    output(packageVersion())
    return 0
  }
  await parseRun(own)
  if (program !== undefined && program.length > 0) throw new NbtrunError('USAGE', 'the command line is not understood')
  throw new NbtrunError('USAGE', own.length === 0 ? 'there is nothing to run' : 'no program is named', { hint: `${EXAMPLE}; see nbtrun --help` })
}

/** The options of a run as yargs reads them. Throws USAGE for everything that is not right. */
export async function parseRun(own: readonly string[]): Promise<Raw> {
  const { rawFrom, refuseFlagValues, strictYargs, withOptions } = await words()
  refuseFlagValues(own)
  const given: Record<string, unknown> = await withOptions(strictYargs(own)).strictOptions().parseAsync()
  const [stray] = Array.isArray(given['_']) ? given['_'].map(String) : []
  if (stray !== undefined) {
    throw new NbtrunError('USAGE', `${stray} stands before any share`, { hint: meantBy(stray) })
  }
  return rawFrom(given)
}

/** What was most likely meant by a word where an option or a command is due. */
function meantBy(word: string): string {
  if (/^(\/\/|\\\\)/.test(word)) return `write --share ${word.replaceAll('\\', '/')} -- program`
  if (/\.(bat|cmd)$/i.test(word)) return `nbtrun import ${word} makes a run of a batch file; nbtrun --share //server/share -- ${word} runs it`
  if (/^(net|use)$/i.test(word)) return `nbtrun has no net use: ${EXAMPLE}; nbtrun import makes it of a batch file`
  const meant = nearest(word, Object.keys(COMMANDS))
  return meant === undefined ? `nbtrun --share //server/share -- ${word}` : `did you mean nbtrun ${meant}?`
}

/** A command and its words. Returns the exit code: 0, or what the command set. */
export async function command(argv: readonly string[]): Promise<number> {
  try {
    return await obey(argv)
  } catch (thrown) {
    const row: { readonly help: string; readonly usageExit?: number } | undefined = isCommand(argv[0]) ? COMMANDS[argv[0]] : undefined
    const error = asError(thrown)
    if (row?.usageExit === undefined || !MISTYPED.has(error.code)) throw thrown
    const { code, message, hint, facts } = error
    throw new NbtrunError(code, message, { cause: error.cause, facts: { ...facts, exit: row.usageExit }, ...(hint === undefined ? {} : { hint }) })
  }
}

const MISTYPED: ReadonlySet<Code> = new Set(['USAGE', 'SHELL_ATE_SHARE', 'PASSWORD_IN_ARGV'])

async function obey(argv: readonly string[]): Promise<number> {
  const at = argv.indexOf('--')
  const own = at < 0 ? argv : argv.slice(0, at)
  refusePasswords(own)
  const { refuseFlagValues, strictYargs } = await words()
  refuseFlagValues(own)
  const y = strictYargs(own).strict().scriptName('nbtrun').help()
  for (const { usage, help: about, load } of Object.values(COMMANDS))
    y.command(
      usage,
      about,
      async i => (await load()).options(i),
      async given => (await load()).run(given, at < 0 ? [] : argv.slice(at + 1)),
    )
  await y.parseAsync()
  return Number(process.exitCode ?? 0)
}
