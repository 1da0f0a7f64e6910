import { awake, deferred } from '../base/time.ts'

/** `--time-limit`: when it is over, everybody who uses the mapping is ended. Time in which nbtrun is stopped does not count. */
export class TimeLimit {
  /** Resolves when the limit was over and those it ended are gone, or cannot be ended. Never otherwise. */
  readonly enforced: Promise<void>
  #expired = false
  readonly #off = new AbortController()

  /** `end` ends them all. */
  constructor(ms: number | undefined, end: () => Promise<void>) {
    const { promise, resolve } = deferred<void>()
    this.enforced = promise
    if (ms !== undefined) void this.#watch(ms, end).then(over => (over ? resolve() : undefined))
  }

  get expired(): boolean {
    return this.#expired
  }

  /** Nobody is left to be ended. */
  lift(): void {
    this.#off.abort()
  }

  async #watch(ms: number, end: () => Promise<void>): Promise<boolean> {
    const { signal } = this.#off
    await awake(ms, signal)
    if (signal.aborted) return false
    this.#expired = true
    await end()
    return true
  }
}
