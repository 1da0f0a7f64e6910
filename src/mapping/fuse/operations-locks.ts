import type { Reader } from '../../base/wire.ts'
import type { Ask } from './desk.ts'
import { fcntlRange, FLOCK_RANGE, LockTable, type LockWish } from './locks.ts'
import { F_RDLCK, F_UNLCK, F_WRLCK, LK_FLOCK, OP } from './protocol/constants.ts'
import { lockReply, lockRequest } from './protocol/requests.ts'
import type { Operations, Share } from './share.ts'

/** Who holds a lock: the kernel's number means a process for fcntl, an open file for flock. */
export function fcntlOwner(owner: bigint): string {
  return `fcntl ${owner}`
}

/** fcntl(2) and flock(2) locks. */
export function lockOperations(share: Share): Operations {
  const wishOf = (r: Reader): { wish: LockWish; table: LockTable; type: number } => {
    const { fh, owner, lock, flags } = lockRequest.get(r)
    const handle = share.handles.file(fh)
    const flock = (flags & LK_FLOCK) !== 0
    handle.node.locks ??= new LockTable(share.warn)
    return {
      wish: {
        owner: flock ? `flock ${owner}` : fcntlOwner(owner),
        pid: lock.pid,
        handle,
        range: flock ? FLOCK_RANGE : fcntlRange(lock.start, lock.end),
        exclusive: lock.type === F_WRLCK,
      },
      table: handle.node.locks,
      type: lock.type,
    }
  }

  const set = async (ask: Ask, r: Reader): Promise<void> => {
    const { wish, table, type } = wishOf(r)
    if (type === F_UNLCK) {
      await table.unlock(wish.owner, wish.range)
      ask.done()
      return
    }
    const takeBack = await table.lock(wish, ask.cancel?.signal)
    if (!(await ask.offer(() => {}))) await takeBack()
  }

  return {
    [OP.SETLK]: set,
    [OP.SETLKW]: set,

    [OP.GETLK]: async (ask, r) => {
      const { wish, table } = wishOf(r)
      const other = await table.test(wish)
      const { start, end } = typeof other === 'object' ? other : wish.range
      const range = { start, end: end >= FLOCK_RANGE.start ? (1n << 63n) - 1n : end - 1n } // the end of the file, as the kernel writes it
      if (other === undefined) ask.answer(lockReply, { ...range, type: F_UNLCK, pid: 0 })
      else if (other === 'elsewhere')
        ask.answer(lockReply, { ...range, type: F_WRLCK, pid: 0 }) // of which kind, and whose, no server says
      else ask.answer(lockReply, { ...range, type: other.exclusive ? F_WRLCK : F_RDLCK, pid: other.pid })
    },
  }
}
