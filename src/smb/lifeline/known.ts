import type { FileInfo } from '../files.ts'

/** What the server's clock said, and when that was on ours (Date.now(), which goes on while a machine is suspended). */
export interface Clock {
  /** FILETIME; 0n when the server does not tell. */
  readonly server: bigint
  readonly local: number
}

/** From when to when (Date.now()) the connection was lost: servers stamp what was written when they close it. */
export interface Gap {
  readonly lostAt: number
  readonly since: number
  readonly clock: Clock
}

const TICKS_PER_MS = 10_000n
/** Servers stamp up to 2 s late, and clocks are read a moment apart. */
const SLACK = 4000n * TICKS_PER_MS

/**
 * An open file as it must be when it is opened again: what the server last said of it, and what was done to it here since. All opens of a file
 * share one, for each must account for the writes of the others.
 */
export class Known {
  /** How many opens there are. */
  holders = 0
  #info: FileInfo
  /** With all acknowledged writes and truncations; the least and the most that it may be while others are under way, or after one failed. */
  #size: number
  #least: number | undefined
  #most: number
  #underWay = 0
  #truncations = 0
  /** Something failed: how much of it was done, only the server knows. */
  #vague = false
  /** Changes begun and ended: what was said of the file before one says nothing after it. */
  #changes = 0
  /** When it was last written or truncated here: its times are the server's to choose since. */
  #writtenAt: number | undefined
  /** Its attributes, times or name were changed here, which moves the change time. */
  #retouched = false

  /** Acknowledged changes of its contents, and how many of them a FLUSH has covered. */
  #acknowledged = 0
  #flushed = 0
  /** Some that none had covered may have gone down with the server, which looks the same from here. */
  #doubtful = false

  /** `isNew`: the opening itself changed it. */
  constructor(info: FileInfo, isNew: boolean) {
    this.#info = info
    this.#size = this.#most = info.size
    if (isNew) this.#writtenAt = Date.now()
  }

  /** What `learn` must be given. */
  get asOf(): number {
    return this.#changes
  }

  /** The server said this of the file; `asOf` tells whether it was changed here since it was asked. */
  learn(info: FileInfo, asOf: number): void {
    if (asOf !== this.#changes || this.#underWay > 0 || info.id !== this.#info.id) return
    this.#info = info
    this.#size = this.#most = info.size
    this.#least = undefined
    this.#vague = false
  }

  /** Bytes up to `end` are being written. */
  writing(end: number): void {
    this.#begin()
    if (end > this.#most) this.#most = end
  }

  written(end: number, done: boolean): void {
    if (done && end > this.#size) this.#size = end
    this.#end(done)
  }

  truncating(size: number): void {
    this.#begin()
    this.#truncations++
    this.#least = Math.min(this.#least ?? this.#size, size)
    this.#most = Math.max(this.#most, size)
  }

  truncated(size: number, done: boolean): void {
    if (done) this.#size = size
    this.#truncations--
    this.#end(done)
  }

  /** Its times or attributes are set, or it is renamed. */
  retouched(times = false): void {
    this.#changes++
    this.#retouched = true
    if (times) this.#info = { ...this.#info, written: 0n }
  }

  /** It was opened once more here, and thereby truncated. */
  overwritten(info: FileInfo): void {
    this.#changes++
    this.#writtenAt = Date.now()
    this.#info = info
    this.#size = info.size
    if (this.#underWay > 0) this.#vague = true
    else this.#most = info.size
  }

  get acknowledged(): number {
    return this.#acknowledged
  }

  /** A FLUSH that was sent after so many acknowledged changes was answered. */
  flushed(covered: number): void {
    this.#flushed = Math.max(this.#flushed, covered)
  }

  get unflushed(): boolean {
    return this.#doubtful || this.#flushed < this.#acknowledged
  }

  /** The connection was lost, or was when the file was closed with unflushed bytes. */
  doubt(): void {
    this.#doubtful = this.unflushed
    this.#flushed = this.#acknowledged
  }

  /** It was closed with unflushed bytes, and is open again. */
  resume(doubtful: boolean): void {
    if (doubtful) this.#doubtful = true
    else this.#acknowledged++
  }

  get doubtful(): boolean {
    return this.#doubtful
  }

  /** Whoever asks is told once. */
  takeDoubt(): boolean {
    const doubtful = this.#doubtful
    this.#doubtful = false
    return doubtful
  }

  #begin(): void {
    this.#underWay++
    this.#changes++
    this.#writtenAt = Date.now()
  }

  #end(done: boolean): void {
    this.#changes++
    this.#writtenAt = Date.now()
    if (done) this.#acknowledged++
    else this.#vague = true
    this.#underWay--
    if (this.#vague) return
    if (this.#truncations === 0) this.#least = undefined
    if (this.#underWay === 0) this.#most = this.#size
  }

  /** Why what the server has now is not the file as we left it; undefined when it is. */
  difference(info: FileInfo, gap: Gap): string | undefined {
    const was = this.#info
    if (info.id !== was.id || info.directory !== was.directory) return 'another file has its name now'
    if (info.directory) return undefined // what it lists may change at any time
    // some servers make the creation time up from the others, which move with what is done here, and the one of the last access with each reading by anybody
    const isAsLeft = was.changed !== 0n && info.changed === was.changed && info.written === was.written
    if (this.#writtenAt === undefined && !this.#retouched && info.created !== was.created && !isAsLeft) return 'another file has its name now'
    if (info.size < (this.#least ?? this.#size) || info.size > this.#most) return `its size is ${info.size} now, not ${this.#size}`
    return this.#timesFit(info, gap) ? undefined : 'it was written meanwhile'
  }

  #timesFit({ written, changed }: FileInfo, { lostAt, since, clock }: Gap): boolean {
    const was = this.#info
    if (this.#writtenAt === undefined) {
      if (written !== was.written && was.written !== 0n) return false
      return this.#retouched || changed === was.changed
    }
    if (written < was.written) return false
    if (clock.server === 0n) return true
    const at = (local: number): bigint => clock.server + BigInt(Math.round(local - clock.local)) * TICKS_PER_MS
    const from = (local: number): boolean => written >= at(local) - SLACK
    const until = (local: number): boolean => written <= at(local) + SLACK
    // at our last write; when the server lost the connection; when it closed the old session for the new one
    return until(this.#writtenAt) || (from(lostAt) && until(lostAt)) || from(since)
  }
}
