import { closeSync, openSync } from 'node:fs'

/** A descriptor that is held for when no other is left; none where there is none to be had. */
export class Spare {
  #fd: number | undefined
  #closed = false

  constructor() {
    this.#take()
  }

  /** `work` finds one descriptor more; it is taken back afterwards, unless somebody else was quicker. */
  async with<T>(work: () => Promise<T>): Promise<T> {
    this.#give()
    try {
      return await work()
    } finally {
      if (!this.#closed && this.#fd === undefined) this.#take()
    }
  }

  close(): void {
    this.#closed = true
    this.#give()
  }

  #take(): void {
    try {
      this.#fd = openSync('/dev/null', 'r')
    } catch {} // then it is done without
  }

  #give(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }
}
