import { closeSync, openSync, writeSync } from 'node:fs'
import { NbtrunError } from '../base/errors.ts'

/** Where a receipt or events go: a file, or a descriptor that was open when nbtrun started. */
export type SinkTarget = { readonly file: string } | { readonly fd: number }

/** Whole lines, written at once. The file is made before anything is taken, so that a bad path costs nothing. */
export class Sink {
  readonly #fd: number
  readonly #owned: boolean

  constructor(target: SinkTarget, what: string) {
    if ('fd' in target) {
      this.#fd = target.fd
      this.#owned = false
      return
    }
    try {
      this.#fd = openSync(target.file, 'w', 0o600)
    } catch (cause) {
      throw new NbtrunError('USAGE', `cannot write ${what} to ${target.file}`, { cause, hint: 'name a file in a folder that you may write to' })
    }
    this.#owned = true
  }

  line(value: unknown): void {
    writeSync(this.#fd, `${JSON.stringify(value)}\n`)
  }

  close(): void {
    if (this.#owned) closeSync(this.#fd)
  }
}
