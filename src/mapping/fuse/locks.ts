import { asError, type NbtrunError } from '../../base/errors.ts'
import { deferred, type Deferred, pause } from '../../base/time.ts'
import { fault } from './errno.ts'
import type { FileHandle } from './handles.ts'
import { common, overlaps, type Range, without } from './ranges.ts'
import { type Held, refusal, ServerLocks } from './server-locks.ts'

/**
 * Where flock(2) locks lie on the server: two bytes that no file reaches, so that they hinder nobody's reading or writing. They are inside the
 * 2^63 bytes that Linux cifs locks for flock and for a whole-file fcntl lock, so its locks and ours exclude each other. Two bytes, not one,
 * because a lock of one byte cannot be downgraded without letting go of it (see `downgrade`).
 */
export const FLOCK_RANGE: Range = { start: (1n << 63n) - 4n, end: (1n << 63n) - 2n }

/** fcntl locks end below them: a lock "to the end of the file" must not meet a flock of the same file. */
export function fcntlRange(start: bigint, last: bigint): Range {
  if (start >= FLOCK_RANGE.start) throw fault('EOVERFLOW', `a lock at ${start}`)
  return { start, end: last >= FLOCK_RANGE.start ? FLOCK_RANGE.start : last + 1n }
}

/** A lock, or a part of one, as a program holds it. Neighbours are merged only for the answer of GETLK: nothing else would show it. */
export interface Piece extends Range {
  readonly owner: string
  readonly exclusive: boolean
  readonly pid: number
  /** The handle through which it was taken. */
  readonly via: FileHandle
}

export interface LockWish {
  readonly owner: string
  readonly pid: number
  readonly handle: FileHandle
  readonly range: Range
  readonly exclusive: boolean
}

/** Why a lock was not granted: by a program of this host, or elsewhere; `upgrade` when that met a lock of our own that had to go first. */
type Refused = { readonly by: 'here'; readonly change: Promise<void> } | { readonly by: 'upgrade' } | { readonly by: 'server'; readonly gap: Range }

/** Pauses between two tries to upgrade a lock, in ms. */
const RETRY_MS = { first: 50, most: 1000 }

/**
 * The locks of one file. Programs of this host are kept apart by `pieces`; other hosts by `held`, what the server has locked for us. A piece is
 * granted only while the server's locks cover it: a shared one by any lock of its own open or by an exclusive one of this host, an exclusive one by
 * exclusive ones. So the pieces of two programs may stand on one server lock, and a server lock stays whole until its last piece is gone: an
 * exclusive range cannot be split without letting go of all of it, during which another host could take it. Others then see more locked than
 * need be, never less.
 */
export class LockTable {
  readonly server = new ServerLocks()
  readonly #warn: (message: string) => void
  #pieces: Piece[] = []
  /** Changes happen one at a time. Waiting for the server's grant does not count as one. */
  #turn: Promise<unknown> = Promise.resolve()
  #changed: Deferred<void> = deferred()

  constructor(warn: (message: string) => void) {
    this.#warn = warn
  }

  /** The piece of another program that stands in the way. */
  conflict({ owner, range, exclusive }: LockWish): Piece | undefined {
    return this.#pieces.find(p => p.owner !== owner && (exclusive || p.exclusive) && overlaps(p, range))
  }

  /**
   * Grants the lock in place of what the owner had there, or throws: EAGAIN when somebody else holds it, and without a signal; ENOLCK when the
   * server does not lock; EINTR when the signal aborts the waiting. Returns how to take it back, for when nobody learns of it.
   */
  async lock(wish: LockWish, signal?: AbortSignal): Promise<() => Promise<void>> {
    const reserved: Held[] = []
    let before: readonly Piece[] = []
    try {
      for (let pauseMs = RETRY_MS.first; ; ) {
        const refused = await this.#alone(async () => {
          if (signal?.aborted === true) throw fault('EINTR', 'waiting for a lock')
          before = this.#pieces.filter(p => p.owner === wish.owner && overlaps(p, wish.range))
          return this.#try(wish)
        })
        if (refused === undefined) break
        if (signal === undefined) throw fault('EAGAIN', 'a lock that somebody else holds')
        if (refused.by === 'here') await first(refused.change, signal)
        else if (refused.by === 'server') reserved.push(await this.#waitFor(wish, refused.gap, signal))
        else {
          // the shared lock stays ours between the tries; waiting for the exclusive one would mean to do without
          await pause(pauseMs, signal)
          pauseMs = Math.min(2 * pauseMs, RETRY_MS.most)
        }
      }
    } finally {
      for (const held of reserved) held.reserved = false
      if (reserved.length > 0) await this.#alone(() => this.#settle(wish.range)).catch((error: unknown) => this.#warnOf(wish.handle, error))
    }
    return () => this.#restore(wish, before)
  }

  unlock(owner: string, range: Range): Promise<void> {
    return this.#alone(async () => {
      this.#cut(owner, range)
      await this.#settle(range)
    })
  }

  /** All that an owner holds, when one of its descriptors is closed. */
  async unlockAll(owner: string): Promise<void> {
    if (this.#pieces.some(p => p.owner === owner)) await this.unlock(owner, { start: 0n, end: FLOCK_RANGE.end })
  }

  /** Who would refuse this lock: a program here, the server for somebody elsewhere, or nobody. */
  async test(wish: LockWish): Promise<Piece | 'elsewhere' | undefined> {
    return this.#alone(async () => {
      const here = this.conflict(wish)
      if (here !== undefined) return this.#whole(here)
      for (const gap of without([wish.range], this.server.held)) {
        if ((await this.server.lockAll(wish.handle, [gap], wish.exclusive)) !== undefined) return 'elsewhere'
        for (const held of this.server.held.filter(h => h.start === gap.start && h.handle === wish.handle)) await this.server.unlock(held)
      }
      return undefined
    })
  }

  /**
   * The handle is closed: its flock and OFD locks end, and it may go when no lock of another program stands on what it holds. (The fcntl locks of
   * its program ended with the FLUSH before.)
   */
  async leave(handle: FileHandle): Promise<void> {
    await this.#alone(async () => {
      for (const piece of this.#pieces.filter(p => p.via === handle)) {
        this.#cut(piece.owner, piece)
        await this.#settle(piece)
      }
    }).catch((error: unknown) => this.#warnOf(handle, error))
    while (this.server.held.some(h => h.handle === handle)) await this.#changed.promise
  }

  /** The handle is no more on the server, and told so by itself; what others had on the strength of its locks is lost too, and they are told here. */
  forsake(handle: FileHandle): Promise<void> {
    return this.#alone(async () => {
      this.#pieces = this.#pieces.filter(piece => piece.via !== handle)
      for (const range of this.server.drop(handle)) this.#lose(range, 'it stood on one of a file that is gone')
      this.#announce()
    })
  }

  /** The end of the mapping: nobody holds anything, and the server forgets its locks with the opens. */
  abandon(): void {
    this.#pieces = []
    this.server.forget()
    this.#announce()
  }

  async #try(wish: LockWish): Promise<Refused | undefined> {
    const { owner, handle, range, exclusive } = wish
    if (this.conflict(wish) !== undefined) return { by: 'here', change: this.#changed.promise }
    const gaps = without(
      [range],
      this.server.held.filter(h => h.exclusive || (!exclusive && h.handle === handle)),
    )
    const inTheWay = exclusive ? this.server.held.filter(h => !h.exclusive && gaps.some(gap => overlaps(gap, h))) : []
    const refused = inTheWay.length > 0 ? await this.#upgrade(wish, gaps, inTheWay) : await this.#take(wish, gaps)
    if (refused !== undefined) return refused
    this.#cut(owner, range)
    this.#pieces.push({ ...range, owner, exclusive, pid: wish.pid, via: handle })
    await this.#settle(range).catch((error: unknown) => this.#warnOf(handle, error)) // it is granted all the same
    return undefined
  }

  /** Locks all gaps, or none. */
  async #take({ handle, exclusive }: LockWish, gaps: readonly Range[]): Promise<Refused | undefined> {
    const gap = await this.server.lockAll(handle, gaps, exclusive)
    return gap === undefined ? undefined : { by: 'server', gap }
  }

  /**
   * From shared to exclusive. The server knows no such step, and its exclusive locks overlap nothing, not even a lock of the same open: what is in the
   * way goes, and comes back when the exclusive lock is refused. Between the two another host may be faster; then the shared lock is lost, which
   * its program must learn.
   */
  async #upgrade(wish: LockWish, gaps: readonly Range[], inTheWay: readonly Held[]): Promise<Refused | undefined> {
    for (const held of inTheWay) {
      for (const piece of this.#pieces.filter(p => overlaps(p, held))) {
        for (const rest of without([common(piece, held)], gaps)) await this.server.lock(held.handle, rest, false) // shared on shared: never refused
      }
    }
    const given: Held[] = []
    let failure: NbtrunError | undefined
    try {
      for (const held of inTheWay) {
        given.push(held)
        await this.server.unlock(held)
      }
      if ((await this.#take(wish, gaps)) === undefined) return undefined
    } catch (error) {
      failure = asError(error)
    }
    let lost = false
    for (const held of given) {
      try {
        await this.server.lock(held.handle, held, false)
      } catch (error) {
        lost = this.#lose(held, `it was shared and to become exclusive: ${String(error)}`) || lost
      }
    }
    if (lost) throw fault('EIO', 'a lock that was lost')
    if (failure !== undefined) throw failure
    return { by: 'upgrade' }
  }

  /** Locks that programs were told they have are gone: they get errors from now on, and we say why. */
  #lose(range: Range, why: string): boolean {
    let lost = false
    for (const piece of this.#pieces.filter(p => overlaps(p, range))) {
      const gone = common(piece, range)
      if (without([gone], this.server.held).length === 0) continue
      lost = piece.via.lost = true
      this.#warn(`${piece.via.node.name}: process ${piece.pid} lost a lock (${why}); its reads and writes fail now`)
      this.#cut(piece.owner, gone)
    }
    return lost
  }

  /** Waits until the server grants the gap; the wait is over with the signal. */
  async #waitFor({ handle, exclusive }: LockWish, gap: Range, signal: AbortSignal): Promise<Held> {
    try {
      return await this.server.lock(handle, gap, exclusive, { signal })
    } catch (error) {
      throw signal.aborted ? fault('EINTR', 'waiting for a lock') : refusal(error)
    }
  }

  /** After pieces changed: unlocks on the server what nobody needs, and downgrades what nobody needs exclusively. */
  async #settle(range: Range): Promise<void> {
    const concerned = this.server.held.filter(h => !h.reserved && overlaps(h, range))
    try {
      for (const held of concerned) {
        if (!this.#needs(held)) await this.server.unlock(held)
        else if (held.exclusive && !held.rigid) {
          const users = this.#pieces.filter(p => overlaps(p, held))
          if (!users.some(p => p.exclusive)) await this.server.downgrade(held, users)
        }
      }
    } finally {
      this.#announce()
    }
  }

  #needs(held: Held): boolean {
    return this.#pieces.some(piece => {
      if (!overlaps(piece, held)) return false
      if (piece.via === held.handle) return true
      const others = this.server.held.filter(h => h !== held && (h.exclusive || !piece.exclusive))
      return without([common(piece, held)], others).length > 0
    })
  }

  /** A grant that nobody learnt of is taken back; what the owner had before stays with it, as far as the new lock still covers it. */
  #restore({ owner, range, exclusive }: LockWish, before: readonly Piece[]): Promise<void> {
    return this.#alone(async () => {
      this.#cut(owner, range)
      for (const piece of before) this.#pieces.push({ ...piece, ...common(piece, range), exclusive: piece.exclusive && exclusive })
      await this.#settle(range)
    })
  }

  /** With its neighbours of the same owner and kind. */
  #whole(piece: Piece): Piece {
    let whole = piece
    for (;;) {
      const { start, end } = whole
      const next = this.#pieces.find(p => p.owner === piece.owner && p.exclusive === piece.exclusive && (p.end === start || p.start === end))
      if (next === undefined) return whole
      whole = { ...piece, start: next.start < start ? next.start : start, end: next.end > end ? next.end : end }
    }
  }

  #cut(owner: string, range: Range): void {
    this.#pieces = this.#pieces.flatMap(p => (p.owner === owner && overlaps(p, range) ? without([p], [range]).map(rest => ({ ...p, ...rest })) : [p]))
  }

  #warnOf(handle: FileHandle, error: unknown): void {
    this.#warn(`unlocking ${handle.node.name}: ${asError(error).message}`)
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => {})
    return done
  }

  #announce(): void {
    this.#changed.resolve()
    this.#changed = deferred()
  }
}

/** Whichever comes first. */
async function first(change: Promise<void>, signal: AbortSignal): Promise<void> {
  const over = deferred<void>()
  const end = (): void => over.resolve()
  signal.addEventListener('abort', end, { once: true })
  try {
    await Promise.race([change, over.promise])
  } finally {
    signal.removeEventListener('abort', end)
  }
}
