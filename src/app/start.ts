import type { ChildProcess } from 'node:child_process'
import { errnoOf, NbtrunError } from '../base/errors.ts'
import { deferred } from '../base/time.ts'
import { type Standard, stdioOf } from './descriptors.ts'

/** How a program ended: one of the two is set. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Program {
  readonly pid: number
  /** Never rejects. Says nothing about what the program started. */
  readonly exited: Promise<Exit>
  /** False when it is gone. */
  kill(signal: NodeJS.Signals): boolean
}

export interface StartOptions {
  /** The mapping's words, then the program's, then its arguments. */
  readonly words: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Of `inheritedDescriptors`. */
  readonly descriptors: readonly number[]
  /** What it has as 0, 1 and 2, where not ours. */
  readonly standard?: Standard | undefined
  /** Where it starts, unless the words say so. */
  readonly cwd?: string
}

/** Starts the program: nbtrun's terminal and process group are its own, and unless told stdin, stdout and stderr. Throws PROGRAM_NOT_RUNNABLE or PROGRAM_NOT_FOUND. */
export async function startProgram({ words, env, descriptors, standard, cwd }: StartOptions): Promise<Program> {
  const { default: spawn } = await import('cross-spawn')
  const [command = '', ...args] = words
  let child: ChildProcess
  try {
    child = spawn(command, args, { env, stdio: stdioOf(descriptors, standard), cwd })
  } catch (cause) {
    throw refused(command, cause)
  }
  const exit = deferred<Exit>()
  child.once('exit', (code, signal) => exit.resolve({ code, signal }))
  const { pid } = child
  if (pid === undefined) throw await new Promise<NbtrunError>(resolve => child.once('error', cause => resolve(refused(command, cause))))
  child.on('error', () => {}) // of a signal that came too late: kill() said so
  return { pid, exited: exit.promise, kill: signal => child.kill(signal) }
}

function refused(command: string, cause: unknown): NbtrunError {
  const errno = errnoOf(cause)
  if (errno === 'ENOENT') return new NbtrunError('PROGRAM_NOT_FOUND', `there is no program ${command}`, { cause })
  const hint = errno === 'E2BIG' ? { hint: 'arguments and environment are too long' } : {}
  return new NbtrunError('PROGRAM_NOT_RUNNABLE', `${command} cannot be started (${errno ?? String(cause)})`, { cause, ...hint })
}
