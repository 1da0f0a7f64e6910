import { NbtrunError } from '../../base/errors.ts'
import { now } from '../../base/time.ts'
import type { FileInfo, Files, OpenFile, OpenOptions, VolumeInfo } from '../files.ts'
import { saysStatus, STATUS } from '../status.ts'
import type { Tree } from '../resources.ts'
import { type Gap, Known } from './known.ts'
import type { Lifeline } from './lifeline.ts'
import { LastingOpen } from './open.ts'

/** How often one request may meet a connection that goes under it: one that ends the server each time must not go on for ever. */
const MOST_TRIES = 4

/** How many files that were closed without a flush are remembered, for one that is opened again and flushed. */
const MOST_UNFLUSHED = 100_000

/** What a program sees as a bare EIO, for the one line that says more. */
export interface Trouble {
  /** What was open is lost for good, and why. `path` as in `Files`. */
  stale(path: string, why: string): void
  /** Nobody knows whether something was done. */
  unsure(message: string): void
}

/**
 * The files of a share that outlive the connection to its server: what a lost connection interrupted is sent again on the next one where that
 * cannot do anything twice, and what was open is opened again where nothing changed.
 */
export class LastingFiles implements Files {
  readonly label: string
  readonly #lifeline: Lifeline
  readonly #share: string
  readonly #trouble: Trouble
  readonly #opens = new Set<LastingOpen>()
  /** By the file's id on the server's disk. */
  readonly #known = new Map<bigint, Known>()
  /** Files that were closed with unflushed bytes; true: the connection was lost since. */
  readonly #unflushed = new Map<bigint, boolean>()

  constructor(lifeline: Lifeline, share: string, trouble: Trouble) {
    this.#lifeline = lifeline
    this.#share = share
    this.#trouble = trouble
    this.label = lifeline.tree(share).label
    lifeline.onRevival(share, (tree, gap) => this.#revive(tree, gap))
  }

  get tree(): Tree {
    return this.#lifeline.tree(this.#share)
  }

  /** A file made exclusively is made again: only when one is there already, nobody knows whether it is ours. */
  async open(path: string, options: OpenOptions): Promise<OpenFile> {
    const { disposition = 'open' } = options
    const { value: file, tree } = await this.#making(path, disposition === 'create', async on => ({ value: await on.open(path, options), tree: on }))
    const known = this.#knownOf(file.info, disposition !== 'open', disposition === 'overwrite' || disposition === 'overwrite-or-create')
    const open = new LastingOpen(this, { file, tree, path, options: { ...options, directory: file.info.directory, disposition: 'open' }, known })
    this.#opens.add(open)
    return open
  }

  stat(path: string): Promise<FileInfo> {
    return this.send(tree => tree.stat(path))
  }

  makeDirectory(path: string): Promise<FileInfo> {
    return this.#making(path, true, tree => tree.makeDirectory(path))
  }

  remove(path: string, directory: boolean): Promise<void> {
    return this.send(tree => tree.remove(path, directory), { once: `removing ${this.#shown(path)}` })
  }

  async rename(from: string, to: string, replace: boolean): Promise<void> {
    await this.send(tree => tree.rename(from, to, replace), { once: `renaming ${this.#shown(from)}` })
    for (const open of this.#opens) open.renamed(from, to)
  }

  volume(): Promise<VolumeInfo> {
    return this.send(tree => tree.volume())
  }

  /**
   * Sends on the present tree, and again on the next one when the connection is lost meanwhile, within the time of one request. With `once`, which
   * says what is being done, only what the server has not heard of: else the outcome is unknown, which is EIO. A request that `waits` for
   * others as long as it takes has that time from each loss on.
   */
  async send<T>(work: (tree: Tree) => Promise<T>, { once, waits = false }: { readonly once?: string; readonly waits?: boolean } = {}): Promise<T> {
    const lifeline = this.#lifeline
    const { ioTimeoutMs } = lifeline.login
    let dueAt = now() + ioTimeoutMs
    for (let tries = 1; ; tries++) {
      if (!lifeline.isUp) {
        if (waits) dueAt = now() + ioTimeoutMs
        await lifeline.ready(dueAt)
      }
      const { tree } = this
      lifeline.busy++
      try {
        return await work(tree)
      } catch (thrown) {
        const loss = lifeline.lossOf(tree, thrown)
        if (loss === undefined) throw thrown
        if (once !== undefined && loss === 'under way') throw this.#unsure(once, thrown)
        if (tries === MOST_TRIES) throw lifeline.futile(tries, thrown)
      } finally {
        lifeline.busy--
      }
    }
  }

  /** From now on it is opened again no more. */
  forget(open: LastingOpen, known: Known): void {
    this.#opens.delete(open)
    const { id } = open.info
    if (--known.holders > 0 || this.#known.get(id) !== known) return
    this.#known.delete(id)
    if (!known.unflushed) return
    this.#unflushed.set(id, known.doubtful)
    if (this.#unflushed.size > MOST_UNFLUSHED) for (const oldest of this.#unflushed.keys()) return void this.#unflushed.delete(oldest)
  }

  stale(path: string, why: string): NbtrunError {
    this.#trouble.stale(path, why)
    return new NbtrunError('CONNECTION_LOST', `${this.#shown(path)} was lost with its connection: ${why}`, { facts: { errno: 'EIO' } })
  }

  /** What must be made by us: when a repetition finds it made, nobody knows by whom. */
  async #making<T>(path: string, exclusive: boolean, work: (tree: Tree) => Promise<T>): Promise<T> {
    let first: Tree | undefined
    try {
      return await this.send(tree => {
        first ??= tree
        return work(tree)
      })
    } catch (thrown) {
      const again = first !== undefined && first !== this.tree
      throw exclusive && again && saysStatus(thrown, STATUS.OBJECT_NAME_COLLISION) ? this.#unsure(`making ${this.#shown(path)}`, thrown) : thrown
    }
  }

  #knownOf(info: FileInfo, isNew: boolean, truncates: boolean): Known {
    let known = this.#known.get(info.id)
    if (known === undefined) {
      known = new Known(info, isNew)
      const doubtful = this.#unflushed.get(info.id)
      if (doubtful !== undefined && this.#unflushed.delete(info.id) && !truncates) known.resume(doubtful)
      if (info.id !== 0n) this.#known.set(info.id, known)
    } else if (truncates) known.overwritten(info)
    else known.learn(info, known.asOf)
    known.holders++
    return known
  }

  async #revive(tree: Tree, gap: Gap): Promise<void> {
    for (const id of this.#unflushed.keys()) this.#unflushed.set(id, true)
    await Promise.all([...this.#opens].map(open => open.revive(tree, gap)))
  }

  /** The first FLUSH after a loss that unflushed bytes of the file went into. */
  unflushed(path: string): NbtrunError {
    return this.#unsure(
      `flushing ${this.#shown(path)}`,
      undefined,
      'bytes were written before the connection was lost, so nobody knows whether they are on the disk',
    )
  }

  #unsure(doing: string, cause: unknown, why = 'the connection was lost meanwhile, so nobody knows whether it was done'): NbtrunError {
    const error = new NbtrunError('CONNECTION_LOST', `${doing}: ${why}`, { cause, facts: { errno: 'EIO' } })
    this.#trouble.unsure(error.message)
    return error
  }

  #shown(path: string): string {
    return `${this.label}/${path.replaceAll('\\', '/')}`
  }
}
