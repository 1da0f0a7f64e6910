const FIRST_MS = 500
/** Each try is a whole login, and a fleet of hosts may be trying: no oftener, in the long run, than this. */
export const LONGEST_MS = 10_000

/** How long to wait between tries: twice as long each time, at random between half of that and all of it, so that hosts fall out of step. */
export class Backoff {
  #ms = FIRST_MS

  next(): number {
    const ms = this.#ms * (0.5 + Math.random() / 2)
    this.#ms = Math.min(2 * this.#ms, LONGEST_MS)
    return ms
  }

  /** Something has changed: short ones again. */
  reset(): void {
    this.#ms = FIRST_MS
  }
}
