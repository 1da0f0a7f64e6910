import { type Codec, WireError } from '../../../base/wire.ts'
import type { UnixTime } from './attributes.ts'

/** struct fuse_getattr_in. */
export interface GetattrRequest {
  /** FUSE_GETATTR_*. */
  readonly flags: number
  readonly fh: number
}

export const getattrRequest: Codec<GetattrRequest> = {
  name: 'FUSE GETATTR request',
  put(w, m) {
    w.u32(m.flags).zeros(4).u64n(m.fh) // dummy
  },
  get(r) {
    const flags = r.u32()
    r.skip(4) // dummy
    return { flags, fh: r.u64n() }
  },
}

/** struct fuse_setattr_in, 88 bytes. `valid` says which members count (FATTR). */
export interface SetattrRequest {
  readonly valid: number
  readonly fh: number
  readonly size: number
  readonly accessed: UnixTime
  readonly modified: UnixTime
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

export const setattrRequest: Codec<SetattrRequest> = {
  name: 'FUSE SETATTR request',
  put(w, m) {
    w.u32(m.valid).zeros(4).u64n(m.fh).u64n(m.size).zeros(8) // padding; lock_owner
    w.u64(m.accessed.seconds).u64(m.modified.seconds).zeros(8).u32(m.accessed.nanoseconds).u32(m.modified.nanoseconds).zeros(4) // ctime
    w.u32(m.mode).zeros(4).u32(m.uid).u32(m.gid).zeros(4)
  },
  get(r) {
    const valid = r.u32()
    r.skip(4) // padding
    const fh = r.u64n(),
      size = r.u64n()
    r.skip(8) // lock_owner
    const accessedSeconds = r.u64(),
      modifiedSeconds = r.u64()
    r.skip(8) // ctime
    const accessed = { seconds: accessedSeconds, nanoseconds: r.u32() },
      modified = { seconds: modifiedSeconds, nanoseconds: r.u32() }
    r.skip(4) // ctimensec
    const mode = r.u32()
    r.skip(4) // unused4
    const uid = r.u32(),
      gid = r.u32()
    r.skip(4) // unused5
    return { valid, fh, size, accessed, modified, mode, uid, gid }
  },
}

/** struct fuse_access_in: the mask of access(2). */
export const accessRequest: Codec<number> = {
  name: 'FUSE ACCESS request',
  put(w, mask) {
    w.u32(mask).zeros(4) // padding
  },
  get(r) {
    const mask = r.u32()
    r.skip(4) // padding
    return mask
  },
}

/** struct fuse_interrupt_in: which request to end. */
export const interruptRequest: Codec<number> = {
  name: 'FUSE INTERRUPT request',
  put(w, unique) {
    w.u64n(unique)
  },
  get(r) {
    return r.u64n()
  },
}

/** struct fuse_forget_in: how many lookups of the node the kernel lets go. */
export const forgetRequest: Codec<number> = {
  name: 'FUSE FORGET request',
  put(w, lookups) {
    w.u64n(lookups)
  },
  get(r) {
    return r.u64n()
  },
}

/** struct fuse_forget_one. */
export interface Forget {
  readonly nodeId: number
  readonly lookups: number
}

export const batchForgetRequest: Codec<readonly Forget[]> = {
  name: 'FUSE BATCH_FORGET request',
  put(w, forgets) {
    w.u32(forgets.length).zeros(4) // dummy
    for (const { nodeId, lookups } of forgets) w.u64n(nodeId).u64n(lookups)
  },
  get(r) {
    const count = r.u32()
    r.skip(4) // dummy
    if (count > r.left / 16) throw new WireError(`${count} forgets in ${r.left} bytes`, r.pos)
    return Array.from({ length: count }, () => ({ nodeId: r.u64n(), lookups: r.u64n() }))
  },
}

/** struct fuse_file_lock: a range by its first and its last byte. */
export interface FileLock {
  readonly start: bigint
  readonly end: bigint
  /** F_RDLCK, F_WRLCK or F_UNLCK. */
  readonly type: number
  readonly pid: number
}

/** struct fuse_lk_out, the answer to GETLK. */
export const lockReply: Codec<FileLock> = {
  name: 'FUSE GETLK reply',
  put(w, l) {
    w.u64(l.start).u64(l.end).u32(l.type).u32(l.pid)
  },
  get(r) {
    return { start: r.u64(), end: r.u64(), type: r.u32(), pid: r.u32() }
  },
}

/** struct fuse_lk_in, for GETLK, SETLK and SETLKW. */
export interface LockRequest {
  readonly fh: number
  /** Opaque: the process for fcntl, the open file description for flock and OFD locks. */
  readonly owner: bigint
  readonly lock: FileLock
  /** FUSE_LK_*. */
  readonly flags: number
}

export const lockRequest: Codec<LockRequest> = {
  name: 'FUSE SETLK request',
  put(w, m) {
    w.u64n(m.fh).u64(m.owner)
    lockReply.put(w, m.lock)
    w.u32(m.flags).zeros(4) // padding
  },
  get(r) {
    const fh = r.u64n(),
      owner = r.u64(),
      lock = lockReply.get(r),
      flags = r.u32()
    r.skip(4) // padding
    return { fh, owner, lock, flags }
  },
}
