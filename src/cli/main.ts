import { errnoOf, NbtrunError } from '../base/errors.ts'
import { isWindows } from '../base/platform.ts'
import { namesShare, resolve } from '../profile/settings.ts'
import { refusePasswords, split } from '../profile/split.ts'
import { parse } from '../profile/words.ts'
import { NONE, profilesOf } from './profiles.ts'
import type { Outcome } from '../run/events.ts'
import { isCommand } from './commands.ts'
import { stderrIo } from './io.ts'
import { report } from './report.ts'

/** The process. Nothing here opens a descriptor: those open at the start are the program's, and the run counts them first. */
export async function start(argv: readonly string[]): Promise<never> {
  return end(await main(argv))
}

/** Ends the process as the run did. */
export function end({ exit, dieOf }: Outcome): never {
  if (dieOf !== undefined) {
    process.removeAllListeners(dieOf)
    process.kill(process.pid, dieOf)
  }
  return process.exit(exit) // process 1 of a container does not die of signals
}

/** A well-formed run goes straight to it; commands, help and complaints are yargs' and loaded only then. */
export async function main(argv: readonly string[]): Promise<Outcome> {
  let verbose = 0
  try {
    if (isWindows) await (await import('../run/windows/locate.ts')).locate()
    if (isCommand(argv[0])) {
      verbose = argv.reduce((sum, word) => sum + (/^-v+$/.test(word) ? word.length - 1 : Number(word === '--verbose')), 0)
      return { exit: await (await import('./full.ts')).command(argv) }
    }
    const { own, program } = split(argv, namesShare(process.env))
    refusePasswords(own)
    const raw = parse(own)
    verbose = raw?.verbose?.length ?? 0
    const profiles = raw === undefined ? NONE : await profilesOf(raw)
    const line = program === undefined || program.length === 0 ? profiles.program : program
    if (raw === undefined || line === undefined) return { exit: await (await import('./full.ts')).noRun(own, program) }
    const cwd = currentFolder()
    const settings = resolve(raw, process.env, cwd, profiles.layers)
    verbose = settings.verbose
    const { run } = await import('../run/run.ts')
    return await run(settings, line, stderrIo(settings, process.env, cwd))
  } catch (thrown) {
    return { exit: report(thrown, verbose) }
  }
}

function currentFolder(): string {
  try {
    return process.cwd()
  } catch (cause) {
    throw new NbtrunError('FILE_ERROR', `the current folder cannot be used (${errnoOf(cause) ?? 'unknown reason'})`, { cause })
  }
}
