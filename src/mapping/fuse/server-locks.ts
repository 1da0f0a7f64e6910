import type { NbtrunError } from '../../base/errors.ts'
import { errnoName, fault, isErrno, isLockConflict } from './errno.ts'
import type { FileHandle } from './handles.ts'
import { common, overlaps, type Range, without } from './ranges.ts'

/** A range locked on the server, by the open that locked it. */
export interface Held extends Range {
  readonly handle: FileHandle
  readonly exclusive: boolean
  /** Taken for a request that is not done yet. */
  reserved: boolean
  /** It cannot be downgraded: not tried again. */
  rigid: boolean
}

/** One step of reading or writing. */
export interface Step {
  readonly handle: FileHandle
  readonly offset: number
  readonly length: number
}

/**
 * What the server has locked of one file for this host, [MS-SMB2] 2.2.26. A lock belongs to an open and bars its bytes to all others. Exclusive
 * locks overlap nothing, not even locks of the same open; only a shared lock may lie over an exclusive one of its own open. Unlocking must name exactly
 * a locked range.
 */
export class ServerLocks {
  #held: readonly Held[] = []

  get held(): readonly Held[] {
    return this.#held
  }

  /** Throws what the server said. What was waited for is reserved until its request is done. */
  async lock(handle: FileHandle, range: Range, exclusive: boolean, wait?: { readonly signal: AbortSignal }): Promise<Held> {
    await handle.file.lock(onWire(range), exclusive, wait)
    const held: Held = { start: range.start, end: range.end, handle, exclusive, reserved: wait !== undefined, rigid: false }
    this.#held = [...this.#held, held]
    return held
  }

  async unlock(held: Held): Promise<void> {
    this.#held = this.#held.filter(h => h !== held)
    await held.handle.file.unlock(onWire(held))
  }

  /** Locks all ranges or none; returns the one that somebody else has locked. Throws ENOLCK when the server does not lock. */
  async lockAll(handle: FileHandle, ranges: readonly Range[], exclusive: boolean): Promise<Range | undefined> {
    const taken: Held[] = []
    for (const range of ranges) {
      try {
        taken.push(await this.lock(handle, range, exclusive))
      } catch (error) {
        for (const held of taken) await this.unlock(held)
        if (isLockConflict(error) || isErrno(error, 'EAGAIN')) return range
        throw refusal(error)
      }
    }
    return undefined
  }

  /** What an open that is no more had locked is locked no more. */
  drop(handle: FileHandle): readonly Held[] {
    const gone = this.#held.filter(held => held.handle === handle)
    if (gone.length > 0) this.#held = this.#held.filter(held => held.handle !== handle)
    return gone
  }

  /** The server forgets them with the opens. */
  forget(): void {
    this.#held = []
  }

  /**
   * From exclusive to shared without letting go: the same open may put shared locks over its exclusive one, and then unlock that. They must not be
   * the very range of the exclusive one, for servers differ in which of two equal ranges an unlock removes; so one range is put as two halves.
   * A single byte has no halves and stays exclusive.
   */
  async downgrade(held: Held, users: readonly Range[]): Promise<void> {
    const shares: Range[] = []
    for (const user of users) {
      for (const part of without([common(user, held)], shares)) {
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
      for (const share of shares) put.push(await this.lock(held.handle, share, false))
    } catch {
      held.rigid = true
      for (const share of put) await this.unlock(share)
      return
    }
    await this.unlock(held)
  }

  /**
   * Through which handles to read or write these bytes: the server refuses locked ones to every open but the one that locked them, while between
   * programs of one host fcntl locks bind only those who ask. Undefined: through the handle itself, as always.
   */
  route(handle: FileHandle, offset: number, length: number, write: boolean): readonly Step[] | undefined {
    if (this.#held.length === 0) return undefined
    const io = { start: BigInt(offset), end: BigInt(offset + length) }
    const usable = this.#held.filter(h => h.exclusive && h.handle !== handle && overlaps(h, io) && (write ? h.handle.writable : h.handle.readable))
    if (usable.length === 0) return undefined
    const step = (via: FileHandle, r: Range): Step => ({ handle: via, offset: Number(r.start), length: Number(r.end - r.start) })
    const steps = [...without([io], usable).map(r => step(handle, r)), ...usable.map(h => step(h.handle, common(h, io)))]
    return steps.sort((a, b) => a.offset - b.offset)
  }
}

function onWire({ start, end }: Range): { offset: bigint; length: bigint } {
  return { offset: start, length: end - start }
}

/** What a program sees when the server does not lock. A lost connection is no want of locks. */
export function refusal(error: unknown): NbtrunError {
  const errno = errnoName(error)
  return errno === 'EIO' || errno === 'EINTR' || errno === 'ETIMEDOUT' || errno === 'EBADF'
    ? fault(errno, 'locking')
    : fault('ENOLCK', `locking (${String(error)})`)
}
