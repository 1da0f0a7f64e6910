import { NbtrunError } from '../../base/errors.ts'
import { deferred } from '../../base/time.ts'
import type { Exit, Program } from '../start.ts'
import type { CommandLine } from './command-line.ts'
import { type Koffi, processes } from './processes.ts'

const CREATE_SUSPENDED = 0x4
/** GetStdHandle's names for stdin, stdout, stderr. */
const STD_HANDLES = [-10, -11, -12] as const

export interface StartOptions {
  readonly command: CommandLine
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** Puts the process where it belongs before it runs; calls back whenever it may have ended. Throws what that failed of: it never ran then. */
  readonly admit: (process: bigint, changed: () => boolean) => void
}

/**
 * Starts a program that does not run before it was admitted: Node can start none that waits. nbtrun's console, stdin, stdout and stderr are its own. Its exit
 * code has all 32 bits. Throws PROGRAM_NOT_FOUND or PROGRAM_NOT_RUNNABLE.
 */
export function startProgram(koffi: Koffi, { command, env, cwd, admit }: StartOptions): Program {
  const api = processes(koffi)
  const standard = STD_HANDLES.map(name => api.inheritable(api.standard(name)))
  const created = api.create({ command, env, cwd, flags: CREATE_SUSPENDED, standard })
  for (const handle of standard) api.close(handle)
  if (typeof created === 'number') throw refused(command.application, created)
  const { process, thread, pid } = created
  const exit = deferred<Exit>()
  let over = false
  const look = (): boolean => {
    if (over || !api.isOver(process)) return over
    over = true
    exit.resolve({ code: api.exitCode(process), signal: null })
    api.close(process)
    return true
  }
  try {
    admit(process, look)
    api.resume(thread)
  } catch (cause) {
    api.terminate(process)
    api.close(process)
    throw new NbtrunError('PROGRAM_NOT_RUNNABLE', `${command.application} cannot be watched: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  } finally {
    api.close(thread)
  }
  return {
    pid,
    exited: exit.promise,
    kill: () => !over && api.terminate(process),
  }
}

/** winerror.h */
function refused(path: string, error: number): NbtrunError {
  const facts = { windows: error }
  if (error === 2 || error === 3) return new NbtrunError('PROGRAM_NOT_FOUND', `there is no program ${path} (${error})`, { facts })
  const [why, hint] =
    (
      {
        5: ['access is denied', undefined],
        193: ['it is no program of this Windows', undefined],
        216: ['it is built for another kind of machine', undefined],
        267: ['its folder cannot be entered', 'give another one with --chdir'],
        740: ['it wants to run as administrator', 'start nbtrun as administrator, too: letters belong to one of the two'],
        1260: ['a policy of this machine forbids it', 'ask the administrator'],
      } as const
    )[error] ?? []
  return new NbtrunError('PROGRAM_NOT_RUNNABLE', `${path} cannot be started: ${why ?? 'Windows refuses it'} (${error})`, {
    facts,
    ...(hint === undefined ? {} : { hint }),
  })
}
