import { asError, type NbtrunError } from '../../base/errors.ts'
import { deferred, type Deferred, pause } from '../../base/time.ts'
import { errnoName, fault, isErrno, isLockConflict } from './errno.ts'
import type { FileHandle } from './handles.ts'
import { common, overlaps, type Range, without } from './ranges.ts'

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

/** A range locked on the server, by the open that locked it. */
interface Held extends Range {
  readonly handle: FileHandle
  readonly exclusive: boolean
  /** Taken for a request that is not done yet. */
  reserved: boolean
  /** The server did not let it be downgraded: not tried again. */
  rigid: boolean
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
  readonly #warn: (message: string) => void
  #pieces: Piece[] = []
  #held: Held[] = []
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
      if (reserved.length > 0) await this.#alone(() => this.#settle(wish.range)).catch((error: unknown) => this.#warn(`unlocking: ${String(error)}`))
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
      for (const gap of without([wish.range], this.#held)) {
        try {
          await wish.handle.file.lock(onWire(gap), wish.exclusive)
        } catch (error) {
          if (isConflict(error)) return 'elsewhere'
          throw refusal(error)
        }
        await wish.handle.file.unlock(onWire(gap))
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
    }).catch((error: unknown) => this.#warn(`unlocking ${handle.node.name}: ${String(error)}`))
    while (this.#held.some(h => h.handle === handle)) await this.#changed.promise
  }

  /** The end of the mapping: nobody holds anything, and the server forgets its locks with the opens. */
  abandon(): void {
    this.#pieces = []
    this.#held = []
    this.#announce()
  }

  /**
   * Through which handles to read or write these bytes. The server refuses them to every open but the one that has them locked; between programs
   * of one host fcntl locks bind only those who ask. Undefined: through the handle itself, as always.
   */
  route(handle: FileHandle, offset: number, length: number, write: boolean): readonly { handle: FileHandle; offset: number; length: number }[] | undefined {
    const io = { start: BigInt(offset), end: BigInt(offset + length) }
    const usable = this.#held.filter(h => h.exclusive && h.handle !== handle && overlaps(h, io) && (write ? h.handle.writable : h.handle.readable))
    if (usable.length === 0) return undefined
    const step = (handle: FileHandle, r: Range): { handle: FileHandle; offset: number; length: number } => ({
      handle,
      offset: Number(r.start),
      length: Number(r.end - r.start),
    })
    const steps = [...without([io], usable).map(r => step(handle, r)), ...usable.map(h => step(h.handle, common(h, io)))]
    return steps.sort((a, b) => a.offset - b.offset)
  }

  async #try(wish: LockWish): Promise<Refused | undefined> {
    const { owner, handle, range, exclusive } = wish
    if (this.conflict(wish) !== undefined) return { by: 'here', change: this.#changed.promise }
    const gaps = without(
      [range],
      this.#held.filter(h => h.exclusive || (!exclusive && h.handle === handle)),
    )
    const inTheWay = exclusive ? this.#held.filter(h => !h.exclusive && gaps.some(gap => overlaps(gap, h))) : []
    const refused = inTheWay.length > 0 ? await this.#upgrade(wish, gaps, inTheWay) : await this.#take(wish, gaps)
    if (refused !== undefined) return refused
    this.#cut(owner, range)
    this.#pieces.push({ ...range, owner, exclusive, pid: wish.pid, via: handle })
    await this.#settle(range)
    return undefined
  }

  /** Locks all gaps, or none. */
  async #take({ handle, exclusive }: LockWish, gaps: readonly Range[]): Promise<Refused | undefined> {
    const taken: Held[] = []
    for (const gap of gaps) {
      try {
        taken.push(await this.#lockOne(handle, gap, exclusive))
      } catch (error) {
        for (const held of taken) await this.#unlockOne(held)
        if (isConflict(error)) return { by: 'server', gap }
        throw refusal(error)
      }
    }
    return undefined
  }

  /**
   * From shared to exclusive. The server knows no such step, and its exclusive locks overlap nothing, not even a lock of the same open: what is in the
   * way goes, and comes back when the exclusive lock is refused. Between the two another host may be faster; then the shared lock is lost, which
   * its program must learn.
   */
  async #upgrade(wish: LockWish, gaps: readonly Range[], inTheWay: readonly Held[]): Promise<Refused | undefined> {
    for (const held of inTheWay) {
      for (const piece of this.#pieces.filter(p => overlaps(p, held))) {
        for (const rest of without([common(piece, held)], gaps)) await this.#lockOne(held.handle, rest, false) // shared on shared: never refused
      }
    }
    const given: Held[] = []
    let failure: NbtrunError | undefined
    try {
      for (const held of inTheWay) {
        given.push(held)
        await this.#unlockOne(held)
      }
      if ((await this.#take(wish, gaps)) === undefined) return undefined
    } catch (error) {
      failure = asError(error)
    }
    let lost = false
    for (const held of given) {
      try {
        await this.#lockOne(held.handle, held, false)
      } catch (error) {
        lost = this.#lose(held, error) || lost
      }
    }
    if (lost) throw fault('EIO', 'a lock that was lost')
    if (failure !== undefined) throw failure
    return { by: 'upgrade' }
  }

  /** Locks that programs were told they have are gone: they get errors from now on, and we say why. */
  #lose(range: Range, error: unknown): boolean {
    let lost = false
    for (const piece of this.#pieces.filter(p => overlaps(p, range))) {
      const gone = common(piece, range)
      if (without([gone], this.#held).length === 0) continue
      lost = piece.via.lost = true
      this.#warn(
        `${piece.via.node.name}: process ${piece.pid} lost a shared lock that was to become exclusive (${String(error)}); its reads and writes fail now`,
      )
      this.#cut(piece.owner, gone)
    }
    return lost
  }

  /** Waits until the server grants the gap; the wait is over with the signal. */
  async #waitFor({ handle, exclusive }: LockWish, gap: Range, signal: AbortSignal): Promise<Held> {
    try {
      await handle.file.lock(onWire(gap), exclusive, { signal })
    } catch (error) {
      throw signal.aborted ? fault('EINTR', 'waiting for a lock') : refusal(error)
    }
    const held: Held = { ...gap, handle, exclusive, reserved: true, rigid: false }
    this.#held.push(held)
    return held
  }

  /** After pieces changed: unlocks on the server what nobody needs, and downgrades what nobody needs exclusively. */
  async #settle(range: Range): Promise<void> {
    const concerned = this.#held.filter(h => !h.reserved && overlaps(h, range))
    try {
      for (const held of concerned) {
        if (!this.#needs(held)) await this.#unlockOne(held)
        else if (held.exclusive && !held.rigid && !this.#pieces.some(p => p.exclusive && overlaps(p, held))) await this.#downgrade(held)
      }
    } finally {
      this.#announce()
    }
  }

  #needs(held: Held): boolean {
    return this.#pieces.some(piece => {
      if (!overlaps(piece, held)) return false
      if (piece.via === held.handle) return true
      const others = this.#held.filter(h => h !== held && (h.exclusive || !piece.exclusive))
      return without([common(piece, held)], others).length > 0
    })
  }

  /**
   * From exclusive to shared without letting go: the same open may put shared locks over its exclusive one, and then unlock that. They must not be
   * the very range of the exclusive one, for servers differ in which of two equal ranges an unlock removes; so one range is put as two halves.
   * A single byte has no halves and stays exclusive.
   */
  async #downgrade(held: Held): Promise<void> {
    const needed = this.#pieces.filter(p => overlaps(p, held)).map(p => common(p, held))
    const shares: Range[] = []
    for (const range of needed) {
      for (const part of without([range], shares)) {
        const middle = part.start + (part.end - part.start) / 2n
        if (part.start !== held.start || part.end !== held.end) shares.push(part)
        else if (middle > part.start) shares.push({ start: part.start, end: middle }, { start: middle, end: part.end })
        else {
          held.rigid = true
          return
        }
      }
    }
    const put: Held[] = []
    try {
      for (const share of shares) put.push(await this.#lockOne(held.handle, share, false))
    } catch {
      held.rigid = true
      for (const share of put) await this.#unlockOne(share)
      return
    }
    await this.#unlockOne(held)
  }

  async #lockOne(handle: FileHandle, range: Range, exclusive: boolean): Promise<Held> {
    await handle.file.lock(onWire(range), exclusive)
    const held: Held = { start: range.start, end: range.end, handle, exclusive, reserved: false, rigid: false }
    this.#held.push(held)
    return held
  }

  async #unlockOne(held: Held): Promise<void> {
    this.#held = this.#held.filter(h => h !== held)
    await held.handle.file.unlock(onWire(held))
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

function onWire({ start, end }: Range): { offset: bigint; length: bigint } {
  return { offset: start, length: end - start }
}

function isConflict(error: unknown): boolean {
  return isLockConflict(error) || isErrno(error, 'EAGAIN')
}

/** What a program sees when the server does not lock. A lost connection is no want of locks. */
function refusal(error: unknown): NbtrunError {
  const errno = errnoName(error)
  return errno === 'EIO' || errno === 'EINTR' || errno === 'ETIMEDOUT' || errno === 'EBADF'
    ? fault(errno, 'locking')
    : fault('ENOLCK', `locking (${String(error)})`)
}
