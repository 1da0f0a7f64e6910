import { join } from 'node:path'
import type koffiType from 'koffi'
import { now, pause } from '../../base/time.ts'
import { processes } from './processes.ts'

// winbase.h, winerror.h
const CREATE_NEW_PROCESS_GROUP = 0x200
const CREATE_BREAKAWAY_FROM_JOB = 0x0100_0000
const CREATE_NO_WINDOW = 0x0800_0000
const ERROR_ACCESS_DENIED = 5

/** Waits for a line. What stands between quotes is not looked at for characters of cmd.exe's own once its variables are put in. */
const SCRIPT = ['set NBTRUN_SAID=', 'set /p NBTRUN_SAID=', 'if not defined NBTRUN_SAID "%NBTRUN_GUARD_0%" "%NBTRUN_GUARD_1%" "%NBTRUN_GUARD_2%"'].join('&')
/** One that was started a moment ago has yet to begin, ms. */
const LEAVE_MS = 3000

export interface GuardianOptions {
  /** What is started should nbtrun die: a program and two words, none of them with a quote in it. */
  readonly words: readonly [string, string, string]
  readonly env: Readonly<Record<string, string>>
}

/**
 * A process that starts another when nbtrun is killed: a cmd.exe that reads from a pipe, whose other end the system closes however we end. It has a console of its
 * own, without a window, so that no closing of ours ends it, and is in no job that it may leave.
 */
export class WindowsGuardian {
  readonly #api: ReturnType<typeof processes>
  #handles: { readonly process: bigint; readonly pipe: bigint } | undefined

  private constructor(api: ReturnType<typeof processes>, process: bigint, pipe: bigint) {
    this.#api = api
    this.#handles = { process, pipe }
  }

  /** Throws what it failed of. */
  static start(koffi: typeof koffiType, { words, env }: GuardianOptions): WindowsGuardian {
    const api = processes(koffi)
    const system = join(env['SystemRoot'] ?? env['windir'] ?? 'C:\\Windows', 'System32')
    const application = join(system, 'cmd.exe')
    const [read, pipe] = api.pipe()
    const nowhere = api.nowhere()
    const [stdin = 0n, output = 0n] = [read, nowhere].map(handle => api.inheritable(handle))
    const named = Object.fromEntries(words.map((word, i) => [`NBTRUN_GUARD_${i}`, word]))
    const start = (flags: number): ReturnType<typeof api.create> =>
      api.create({
        command: { application, line: `"${application}" /d /q /v:off /s /c "${SCRIPT}"` },
        env: { ...env, ...named },
        cwd: system, // it keeps nobody's folder in use
        flags: CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP | flags,
        standard: [stdin, output, output],
      })
    let created = start(CREATE_BREAKAWAY_FROM_JOB)
    if (created === ERROR_ACCESS_DENIED) created = start(0) // a job that nobody may leave
    for (const handle of [read, nowhere, stdin, output]) api.close(handle)
    if (typeof created === 'number') {
      api.close(pipe)
      throw new Error(`${application} cannot be started: error ${created}`)
    }
    api.close(created.thread)
    return new WindowsGuardian(api, created.process, pipe)
  }

  /** Nothing is left to guard: it is told so, and ended where it does not listen. Resolves when it is gone; idempotent. */
  async leave(): Promise<void> {
    const handles = this.#handles
    if (handles === undefined) return
    this.#handles = undefined
    const { process, pipe } = handles
    this.#api.write(pipe, 'done\r\n')
    for (const dueAt = now() + LEAVE_MS; !this.#api.isOver(process); await pause(2)) if (now() > dueAt) this.#api.terminate(process)
    this.#api.close(process)
    this.#api.close(pipe)
  }
}
