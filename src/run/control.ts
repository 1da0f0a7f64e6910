import { codeOf, decide, inForeground, type Policy, watchAbort, watchSignals, type RunSignal, type SignalWatch } from '../app/signals.ts'
import type { Exit, Program } from '../app/start.ts'
import { endUsers, type Manner, signalTree } from '../app/tree.ts'
import { NbtrunError } from '../base/errors.ts'
import { Awake, awake, deferred, pause } from '../base/time.ts'
import type { Mapping } from '../mapping/mapping.ts'
import type { Outcome } from './events.ts'

/** What signals do to a run, or an abort to one that is a part of another program. It listens from before anything is taken until everything was given back. */
export class Control {
  readonly #watch: SignalWatch
  readonly #cancel = new AbortController()
  readonly #grace = new AbortController()
  readonly #hurry = new AbortController()
  readonly #killAfterMs: number
  #program: Program | undefined
  /** The program's own process is gone: its number may be another's by now. */
  #gone = false
  #mapping: Mapping | undefined
  #manner: Manner | undefined
  #cancelledBy: RunSignal | undefined
  #aborted: NbtrunError | undefined
  readonly #enforced = deferred<void>()

  /** `abort`: what the run heeds instead of the process's signals; `policy`: what those ask for. */
  constructor(killAfterMs: number, { abort, policy = decide }: { readonly abort?: AbortSignal | undefined; readonly policy?: Policy | undefined } = {}) {
    this.#killAfterMs = killAfterMs
    this.#watch =
      abort === undefined
        ? watchSignals((action, signal) => this.#act(action, signal), policy)
        : watchAbort(abort, (action, reason) => this.#abort(action, reason))
  }

  /** Resolves when an abort has ended the program and all it started, or those left cannot be ended. Never otherwise. */
  get enforced(): Promise<void> {
    return this.#enforced.promise
  }

  /** Throws CANCELLED where the run was aborted by now; the abort's reason is its cause. */
  throwIfAborted(): void {
    if (this.#aborted !== undefined) throw this.#aborted
  }

  /** A signal came before the program started. Its reason is a CANCELLED error that names the signal. */
  get cancelled(): AbortSignal {
    return this.#cancel.signal
  }
  /** The grace shall end now. */
  get impatient(): AbortSignal {
    return this.#grace.signal
  }
  /** The teardown shall be cut short. */
  get hurried(): AbortSignal {
    return this.#hurry.signal
  }

  /** A signal or an abort that came while the program was being started found nothing that it could cancel: it is the program's now. */
  running(program: Program, mapping: Mapping, manner: Manner | undefined): void {
    this.#program = program
    void program.exited.then(() => (this.#gone = true))
    this.#mapping = mapping
    this.#manner = manner
    this.#watch.phase = 'running'
    if (this.#cancelledBy !== undefined) program.kill(this.#cancelledBy)
    else if (this.#cancel.signal.aborted) void this.#leave()
  }

  /** The program's own process is gone; others may still use the mapping. */
  ending(): void {
    this.#watch.phase = 'ending'
  }

  stop(): void {
    this.#watch.stop()
  }

  #abort(action: 'cancel' | 'term', reason: unknown): void {
    this.#aborted = new NbtrunError('CANCELLED', 'the run was cancelled', { cause: reason })
    if (action === 'cancel') return this.#cancel.abort(this.#aborted)
    void this.#leave()
  }

  /** As the first TERM has it, and tells when that is done. */
  async #leave(): Promise<void> {
    this.#grace.abort()
    await this.end(false)
    await Promise.race([this.#program?.exited, awake(BURIED_MS)]) // its end is told a moment after there is none
    this.#enforced.resolve()
  }

  /**
   * TERM to all who use the mapping, KILL after `--kill-after` or at once, or what the system has in their place; resolves when none is left, or those who are
   * cannot be ended. `heard`: those of our console had the Ctrl-C, too, that this comes of.
   */
  async end(kill: boolean, heard = false): Promise<void> {
    if (this.#mapping?.endUsers !== undefined) return this.#endBySystem(this.#mapping, kill, heard)
    const users = async (): Promise<readonly number[]> => (await this.#mapping?.users()) ?? []
    if ((await users()).length > 0) await endUsers(users, { killAfterMs: this.#killAfterMs, kill, manner: this.#manner, heard: heard && inForeground() })
    else if (this.#program !== undefined && !this.#gone) await this.#endTree(this.#program, kill)
  }

  /** Where the system has a way of its own. */
  async #endBySystem({ askUsers, endUsers, unused }: Mapping, kill: boolean, heard: boolean): Promise<void> {
    const gone = new AbortController()
    void unused.then(() => gone.abort())
    const clock = new Awake()
    while (!kill && !gone.signal.aborted && clock.ms < this.#killAfterMs) {
      askUsers?.(heard)
      await pause(Math.min(ASK_MS, this.#killAfterMs - clock.ms), gone.signal)
    }
    if (gone.signal.aborted) return
    endUsers?.()
    await pause(BURIED_MS, gone.signal)
  }

  /** Where /proc does not tell who uses the mapping. */
  async #endTree({ pid, exited }: Program, kill: boolean): Promise<void> {
    await signalTree(pid, kill ? 'SIGKILL' : 'SIGTERM')
    if (kill) return
    const late = Symbol('late')
    if ((await Promise.race([exited, awake(this.#killAfterMs).then(() => late)])) === late) await signalTree(pid, 'SIGKILL')
  }

  #act(action: 'cancel' | 'forward' | 'term' | 'kill' | 'hurry' | 'rush', signal: RunSignal): void {
    switch (action) {
      case 'cancel':
        this.#cancelledBy ??= signal
        return this.#cancel.abort(new NbtrunError('CANCELLED', `cancelled by ${signal}`, { facts: { signal } }))
      case 'forward':
        return void this.#program?.kill(signal)
      case 'term':
      case 'kill':
        this.#grace.abort()
        return void this.end(action === 'kill', signal === 'SIGINT')
      case 'hurry':
        return this.#hurry.abort()
      case 'rush':
        this.#act('kill', signal)
        return this.#hurry.abort()
    }
  }
}

/** How often those who are left are asked, ms. */
const ASK_MS = 250

/** A process that is gone, and not told to be within this, waits in the kernel. */
export const BURIED_MS = 2000

/** nbtrun ends as the program did: of the same signal where that is one a shell's loop should stop for. */
export function outcomeOf({ code, signal }: Exit): Outcome {
  if (signal === null) return { exit: code ?? 125 }
  if (signal === 'SIGHUP' || signal === 'SIGINT' || signal === 'SIGQUIT' || signal === 'SIGTERM') return { exit: codeOf(signal), dieOf: signal }
  return { exit: codeOf(signal) }
}
