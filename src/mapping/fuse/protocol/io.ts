import type { Codec } from '../../../base/wire.ts'
import { type Entry, entryReply } from './attributes.ts'

/** struct fuse_open_in, for OPEN and OPENDIR: the flags of open(2). */
export const openRequest: Codec<number> = {
  name: 'FUSE OPEN request',
  put(w, flags) {
    w.u32(flags).zeros(4) // open_flags
  },
  get(r) {
    const flags = r.u32()
    r.skip(4) // open_flags
    return flags
  },
}

/** struct fuse_open_out. */
export interface OpenReply {
  readonly fh: number
  /** FOPEN_*. */
  readonly flags: number
}

export const openReply: Codec<OpenReply> = {
  name: 'FUSE OPEN reply',
  put(w, m) {
    w.u64n(m.fh).u32(m.flags).zeros(4) // backing_id
  },
  get(r) {
    const fh = r.u64n(),
      flags = r.u32()
    r.skip(4) // backing_id
    return { fh, flags }
  },
}

/** CREATE answers like LOOKUP and OPEN. */
export interface CreateReply {
  readonly entry: Entry
  readonly open: OpenReply
}

export const createReply: Codec<CreateReply> = {
  name: 'FUSE CREATE reply',
  put(w, m) {
    entryReply.put(w, m.entry)
    openReply.put(w, m.open)
  },
  get(r) {
    return { entry: entryReply.get(r), open: openReply.get(r) }
  },
}

/** struct fuse_read_in, for READ, READDIR and READDIRPLUS. */
export interface ReadRequest {
  readonly fh: number
  readonly offset: number
  readonly size: number
}

export const readRequest: Codec<ReadRequest> = {
  name: 'FUSE READ request',
  put(w, m) {
    w.u64n(m.fh).u64n(m.offset).u32(m.size).zeros(20) // read_flags, lock_owner, flags, padding
  },
  get(r) {
    const fh = r.u64n(),
      offset = r.u64n(),
      size = r.u32()
    r.skip(20) // read_flags, lock_owner, flags, padding
    return { fh, offset, size }
  },
}

/** struct fuse_write_in and the data: a view of the message. */
export interface WriteRequest {
  readonly fh: number
  readonly offset: number
  /** FUSE_WRITE_*. */
  readonly writeFlags: number
  /** Of open(2), as they are now. */
  readonly flags: number
  readonly data: Buffer
}

export const writeRequest: Codec<WriteRequest> = {
  name: 'FUSE WRITE request',
  put(w, m) {
    w.u64n(m.fh).u64n(m.offset).u32(m.data.length).u32(m.writeFlags).zeros(8).u32(m.flags).zeros(4) // lock_owner; padding
    w.bytes(m.data)
  },
  get(r) {
    const fh = r.u64n(),
      offset = r.u64n(),
      size = r.u32(),
      writeFlags = r.u32()
    r.skip(8) // lock_owner
    const flags = r.u32()
    r.skip(4) // padding
    return { fh, offset, writeFlags, flags, data: r.bytes(size) }
  },
}

/** struct fuse_write_out: how much was written. */
export const writeReply: Codec<number> = {
  name: 'FUSE WRITE reply',
  put(w, size) {
    w.u32(size).zeros(4) // padding
  },
  get(r) {
    const size = r.u32()
    r.skip(4) // padding
    return size
  },
}

/** struct fuse_flush_in: a descriptor was closed; the lock owner's fcntl locks end. */
export interface FlushRequest {
  readonly fh: number
  readonly owner: bigint
}

export const flushRequest: Codec<FlushRequest> = {
  name: 'FUSE FLUSH request',
  put(w, m) {
    w.u64n(m.fh).zeros(8).u64(m.owner) // unused, padding
  },
  get(r) {
    const fh = r.u64n()
    r.skip(8) // unused, padding
    return { fh, owner: r.u64() }
  },
}

/** struct fuse_release_in: the last descriptor was closed. */
export interface ReleaseRequest {
  readonly fh: number
  /** FUSE_RELEASE_*. */
  readonly flags: number
  readonly owner: bigint
}

export const releaseRequest: Codec<ReleaseRequest> = {
  name: 'FUSE RELEASE request',
  put(w, m) {
    w.u64n(m.fh).zeros(4).u32(m.flags).u64(m.owner) // open flags
  },
  get(r) {
    const fh = r.u64n()
    r.skip(4) // open flags
    return { fh, flags: r.u32(), owner: r.u64() }
  },
}

/** struct fuse_fsync_in: the handle. The server knows no difference between data and metadata. */
export const fsyncRequest: Codec<number> = {
  name: 'FUSE FSYNC request',
  put(w, fh) {
    w.u64n(fh).zeros(8) // fsync_flags, padding
  },
  get(r) {
    const fh = r.u64n()
    r.skip(8) // fsync_flags, padding
    return fh
  },
}
