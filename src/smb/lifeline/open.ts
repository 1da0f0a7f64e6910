import { asError, NbtrunError } from '../../base/errors.ts'
import type { Closed } from '../../base/resource.ts'
import type { DirEntry, FileInfo, FileTimes, LockRange, OpenFile, OpenOptions } from '../files.ts'
import type { Tree } from '../resources.ts'
import type { LastingFiles } from './files.ts'
import type { Gap, Known } from './known.ts'

interface HeldLock extends LockRange {
  readonly exclusive: boolean
}

/** How an open began, and how it is opened again. */
export interface Opened {
  readonly file: OpenFile
  readonly tree: Tree
  readonly path: string
  readonly options: OpenOptions
  readonly known: Known
}

/**
 * An open that is opened again by its name when the connection was lost, where the file is as it was left and every lock can be had again. Else
 * it is stale: every use fails with EIO, and `onStale` is called.
 */
export class LastingOpen implements OpenFile {
  readonly info: FileInfo
  onStale?: (error: NbtrunError) => void
  readonly #files: LastingFiles
  readonly #options: OpenOptions
  readonly #known: Known
  #file: OpenFile
  /** The one that `#file` was opened on. */
  #tree: Tree
  #path: string
  #locks: HeldLock[] = []
  #stale: NbtrunError | undefined
  #closed: Promise<Closed> | undefined
  /** Names listed since the listing began; it was cut by a loss. */
  #listed: Set<string> | undefined
  #cut = false

  constructor(files: LastingFiles, { file, tree, path, options, known }: Opened) {
    this.#files = files
    this.#file = file
    this.#tree = tree
    this.#path = path
    this.#options = options
    this.#known = known
    this.info = file.info
  }

  async stat(): Promise<FileInfo> {
    const { asOf } = this.#known
    const info = await this.#use(file => file.stat())
    this.#known.learn(info, asOf)
    return info
  }

  read(offset: number, length: number): Promise<Buffer> {
    return this.#use(file => file.read(offset, length))
  }

  /** Sent again at the same place: that the file is as it was, but for this, was made sure of. */
  async write(offset: number, data: Buffer): Promise<void> {
    const end = offset + data.length
    let done = false
    this.#known.writing(end)
    try {
      await this.#use(file => file.write(offset, data))
      done = true
    } finally {
      this.#known.written(end, done)
    }
  }

  /**
   * What was acknowledged before a loss may have been lost with the server's memory, which looks the same from here: the first flush after it fails,
   * as fsync(2) does after a failed write-back.
   */
  async flush(): Promise<void> {
    const covered = this.#known.acknowledged
    await this.#use(file => file.flush())
    this.#known.flushed(covered)
    if (!this.#known.takeDoubt()) return
    throw this.#files.unflushed(this.#path)
  }

  async truncate(size: number): Promise<void> {
    let done = false
    this.#known.truncating(size)
    try {
      await this.#use(file => file.truncate(size))
      done = true
    } finally {
      this.#known.truncated(size, done)
    }
  }

  setTimes(times: FileTimes): Promise<void> {
    this.#known.retouched(true)
    return this.#use(file => file.setTimes(times)).finally(() => this.#known.retouched(true))
  }

  setAttributes(attributes: number): Promise<void> {
    this.#known.retouched()
    return this.#use(file => file.setAttributes(attributes)).finally(() => this.#known.retouched())
  }

  /** A lock that was under way went with its open, so it may be asked for once more. */
  async lock(range: LockRange, exclusive: boolean, wait?: { readonly signal: AbortSignal }): Promise<void> {
    const held: HeldLock = { ...range, exclusive }
    await this.#use(async file => {
      if (wait?.signal.aborted === true) throw new NbtrunError('CANCELLED', 'waiting for a lock was given up', { facts: { errno: 'EINTR' } })
      await file.lock(range, exclusive, wait)
      this.#locks.push(held)
    }, wait !== undefined)
  }

  /** What is lost with the open is unlocked. */
  async unlock({ offset, length }: LockRange): Promise<void> {
    const at = this.#locks.findIndex(held => held.offset === offset && held.length === length)
    if (at >= 0) this.#locks.splice(at, 1)
    if (this.#stale !== undefined) return
    const before = this.#tree
    await this.#use(file => (this.#tree === before ? file.unlock({ offset, length }) : Promise.resolve()))
  }

  /** A listing that was cut begins anew, and leaves out what it gave before. */
  async entries(restart: boolean): Promise<readonly DirEntry[]> {
    if (restart) this.#listed = new Set()
    const listed = (this.#listed ??= new Set())
    for (let begins = restart; ; ) {
      const batch = await this.#use(async file => {
        const entries = await file.entries(begins || this.#cut)
        this.#cut = false
        return entries
      })
      begins = false
      const news = batch.filter(({ name }) => !listed.has(name))
      for (const { name } of news) listed.add(name)
      if (news.length > 0 || batch.length === 0) return news
    }
  }

  /** What was lost needs no close, and nothing is set up anew for one. */
  close(): Promise<Closed> {
    if (this.#closed === undefined) {
      this.#files.forget(this, this.#known)
      this.#closed = this.#stale === undefined ? this.#file.close() : Promise.resolve({ how: 'lost', why: this.#stale.message, error: this.#stale })
    }
    return this.#closed
  }

  renamed(from: string, to: string): void {
    const is = this.#path.toLowerCase() === from.toLowerCase()
    if (!is && !this.#path.toLowerCase().startsWith(`${from.toLowerCase()}\\`)) return
    this.#path = to + this.#path.slice(from.length)
    if (is) this.#known.retouched()
  }

  /** On a new tree, before anybody uses it. Rejects only when that is lost as well. */
  async revive(tree: Tree, gap: Gap): Promise<void> {
    this.#known.doubt()
    if (this.#stale !== undefined) return
    let file: OpenFile | undefined
    try {
      file = await tree.open(this.#path, this.#options)
      const difference = this.#known.difference(file.info, gap)
      if (difference !== undefined) throw new NbtrunError('FILE_ERROR', difference)
      for (const { exclusive, ...range } of this.#locks) await file.lock(range, exclusive)
    } catch (thrown) {
      if (!tree.session.connection.isOpen) throw thrown
      void file?.close()
      return this.#lose(asError(thrown).message)
    }
    if (this.#closed !== undefined) return void file.close() // meanwhile
    this.#file = file
    this.#tree = tree
    this.#cut = this.#listed !== undefined
  }

  #lose(why: string): void {
    this.#stale = this.#files.stale(this.#path, why)
    this.#locks = []
    this.onStale?.(this.#stale)
  }

  #use<T>(work: (file: OpenFile) => Promise<T>, waits = false): Promise<T> {
    return this.#files.send(
      () => {
        if (this.#stale !== undefined) throw this.#stale
        return work(this.#file)
      },
      { waits },
    )
  }
}
