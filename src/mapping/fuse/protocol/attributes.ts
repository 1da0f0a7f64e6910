import type { Codec } from '../../../base/wire.ts'

/** A point in time as the kernel counts it: seconds since 1970, as an unsigned 64-bit two's complement, and nanoseconds. */
export interface UnixTime {
  readonly seconds: bigint
  readonly nanoseconds: number
}

/** struct fuse_attr, 88 bytes. */
export interface Attributes {
  readonly ino: bigint
  readonly size: number
  /** Of 512 bytes. */
  readonly blocks: number
  readonly accessed: UnixTime
  readonly modified: UnixTime
  readonly changed: UnixTime
  readonly mode: number
  readonly links: number
  readonly uid: number
  readonly gid: number
  readonly blockSize: number
}

export const attributes: Codec<Attributes> = {
  name: 'FUSE attributes',
  put(w, a) {
    w.u64(a.ino).u64n(a.size).u64n(a.blocks)
    w.u64(a.accessed.seconds).u64(a.modified.seconds).u64(a.changed.seconds)
    w.u32(a.accessed.nanoseconds).u32(a.modified.nanoseconds).u32(a.changed.nanoseconds)
    w.u32(a.mode).u32(a.links).u32(a.uid).u32(a.gid).zeros(4).u32(a.blockSize).zeros(4) // rdev; flags
  },
  get(r) {
    const ino = r.u64(),
      size = r.u64n(),
      blocks = r.u64n()
    const seconds = [r.u64(), r.u64(), r.u64()] as const
    const accessed = { seconds: seconds[0], nanoseconds: r.u32() },
      modified = { seconds: seconds[1], nanoseconds: r.u32() },
      changed = { seconds: seconds[2], nanoseconds: r.u32() }
    const mode = r.u32(),
      links = r.u32(),
      uid = r.u32(),
      gid = r.u32()
    r.skip(4) // rdev
    const blockSize = r.u32()
    r.skip(4) // flags
    return { ino, size, blocks, accessed, modified, changed, mode, links, uid, gid, blockSize }
  },
}

/** struct fuse_attr_out. The time for which it is valid is always 0: nothing is cached. */
export const attributesReply: Codec<Attributes> = {
  name: 'FUSE attributes reply',
  put(w, a) {
    w.zeros(16) // attr_valid, attr_valid_nsec, dummy
    attributes.put(w, a)
  },
  get(r) {
    r.skip(16) // attr_valid, attr_valid_nsec, dummy
    return attributes.get(r)
  },
}

/** struct fuse_entry_out: what a name stands for. Valid for no time at all, as above. */
export interface Entry {
  /** 0: the kernel gets to know no node. */
  readonly nodeId: number
  readonly attributes: Attributes
}

export const ENTRY_LENGTH = 128

export const entryReply: Codec<Entry> = {
  name: 'FUSE entry reply',
  put(w, e) {
    w.u64n(e.nodeId).zeros(32) // generation; entry_valid, attr_valid and their nanoseconds
    attributes.put(w, e.attributes)
  },
  get(r) {
    const nodeId = r.u64n()
    r.skip(32) // generation; entry_valid, attr_valid and their nanoseconds
    return { nodeId, attributes: attributes.get(r) }
  },
}

/** struct fuse_kstatfs. Numbers of files are unknown on a share and said to be 0. */
export interface Volume {
  readonly blocks: number
  readonly free: number
  readonly available: number
  readonly blockSize: number
}

export const statfsReply: Codec<Volume> = {
  name: 'FUSE STATFS reply',
  put(w, v) {
    w.u64n(v.blocks).u64n(v.free).u64n(v.available).zeros(16) // files, ffree
    w.u32(v.blockSize).u32(255).u32(v.blockSize).zeros(28) // namelen, frsize; padding, spare
  },
  get(r) {
    const blocks = r.u64n(),
      free = r.u64n(),
      available = r.u64n()
    r.skip(16) // files, ffree
    const blockSize = r.u32()
    r.fixed('namelen', 255, r.u32())
    r.fixed('frsize', blockSize, r.u32())
    r.skip(28) // padding, spare
    return { blocks, free, available, blockSize }
  },
}
