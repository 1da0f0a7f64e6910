import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs'
import { errnoOf, NbtrunError } from '../base/errors.ts'
import { now, pause } from '../base/time.ts'

/** Where a receipt or events go: a file, or a descriptor that was open when nbtrun started. */
export type SinkTarget = { readonly file: string } | { readonly fd: number }

/** How much is kept for a reader that is behind, or a disk that is full. */
const KEPT_BYTES = 1024 * 1024
/** How often a reader that was behind is looked at. */
const LOOK_MS = 50
/** How long the end waits for it. */
const END_MS = 1000

/** Windows has no O_NONBLOCK, and its pipes that are opened by name need none here. */
const NO_WAIT = constants.O_WRONLY | (constants.O_NONBLOCK ?? 0)

/**
 * Whole lines, one after the other, for whoever reads them. A run neither waits for a reader nor fails of one, nor of a full disk: what cannot be written is kept and
 * tried again, up to a bound, and `trouble` is told the first time that lines are lost. The file is made before anything is taken, so that a bad path costs nothing.
 */
export class Sink {
  readonly #what: string
  readonly #where: string
  readonly #trouble: (error: NbtrunError) => void
  readonly #fd: number
  readonly #owned: boolean
  /** Lines, or what is left of the first one. */
  #kept: Buffer[] = []
  #bytes = 0
  #lost = false
  #look: NodeJS.Timeout | undefined

  /** Throws USAGE for a path or a descriptor that nothing can be written to. */
  constructor(target: SinkTarget, what: string, trouble: (error: NbtrunError) => void) {
    this.#what = what
    this.#trouble = trouble
    this.#where = 'file' in target ? target.file : `descriptor ${target.fd}`
    try {
      const opened = 'file' in target ? openSync(target.file, NO_WAIT | constants.O_CREAT | constants.O_TRUNC, 0o600) : patient(target.fd)
      this.#fd = opened ?? (target as { readonly fd: number }).fd
      this.#owned = opened !== undefined
    } catch (cause) {
      throw new NbtrunError('USAGE', `cannot write ${what} to ${this.#where}`, { cause, hint: cure(errnoOf(cause)) })
    }
  }

  line(value: unknown): void {
    if (this.#lost) return
    const line = Buffer.from(`${JSON.stringify(value)}\n`)
    if (this.#bytes + line.length > KEPT_BYTES) return this.#give('nobody reads on')
    this.#kept.push(line)
    this.#bytes += line.length
    this.#flush()
  }

  /** The last lines get a moment. */
  async close(): Promise<void> {
    const until = now() + END_MS
    let why = this.#flush()
    while (why !== undefined && now() < until) {
      await pause(LOOK_MS)
      why = this.#flush()
    }
    clearTimeout(this.#look)
    if (why !== undefined) this.#give(why)
    this.#lost = true
    if (this.#owned) closeSync(this.#fd)
  }

  /** Writes what is kept. Returns why some of it still is. */
  #flush(): string | undefined {
    for (let first = this.#kept[0]; first !== undefined; first = this.#kept[0]) {
      try {
        const n = writeSync(this.#fd, first)
        this.#bytes -= n
        if (n === first.length) this.#kept.shift()
        else this.#kept[0] = first.subarray(n)
      } catch (thrown) {
        const errno = errnoOf(thrown)
        if (errno === 'EAGAIN') {
          this.#look ??= setTimeout(() => {
            this.#look = undefined
            this.#flush()
          }, LOOK_MS).unref()
          return 'nobody reads on'
        }
        if (errno === 'ENOSPC' || errno === 'EDQUOT') return `the disk is full, ${errno}`
        this.#give(errno === 'EPIPE' ? 'nobody reads it any more, EPIPE' : (errno ?? String(thrown)))
      }
    }
    return undefined
  }

  /** From here on lines are lost. */
  #give(why: string): void {
    this.#kept = []
    this.#bytes = 0
    if (this.#lost) return
    this.#lost = true
    this.#trouble(new NbtrunError('OUTPUT_LOST', `cannot write ${this.#what} to ${this.#where} (${why})`, { hint: 'the run itself goes on as it would' }))
  }
}

/**
 * A pipe or a terminal again, for writes that do not wait; undefined for a descriptor that is used as it is. O_NONBLOCK cannot be set on the one that was given: it
 * would hold for everybody who has it. A file would be written from its beginning, and a socket cannot be opened.
 */
function patient(fd: number): number | undefined {
  const stat = fstatSync(fd)
  if (!stat.isFIFO() && !stat.isCharacterDevice()) return undefined
  try {
    return openSync(`/proc/self/fd/${fd}`, NO_WAIT | (constants.O_NOCTTY ?? 0))
  } catch {
    return undefined // another user's pipe, or no /proc
  }
}

function cure(errno: string | undefined): string {
  if (errno === 'ENXIO') return 'nobody reads that pipe: start its reader first'
  if (errno === 'EBADF') return 'open it for nbtrun, as with 7>file'
  return 'name a file in a folder that you may write to'
}
