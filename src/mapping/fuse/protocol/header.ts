import type { Codec } from '../../../base/wire.ts'

/** struct fuse_in_header, 40 bytes: what every request of the kernel begins with. */
export interface RequestHeader {
  /** Of the whole request. */
  readonly length: number
  readonly opcode: number
  readonly unique: number
  readonly nodeId: number
  readonly uid: number
  readonly gid: number
  /** The thread that asks; 0 when the kernel asks for itself. */
  readonly pid: number
}

export const REQUEST_HEADER_LENGTH = 40

export const requestHeader: Codec<RequestHeader> = {
  name: 'FUSE request header',
  put(w, h) {
    w.u32(h.length).u32(h.opcode).u64n(h.unique).u64n(h.nodeId).u32(h.uid).u32(h.gid).u32(h.pid).zeros(4) // total_extlen, padding
  },
  get(r) {
    const length = r.u32(),
      opcode = r.u32(),
      unique = r.u64n(),
      nodeId = r.u64n(),
      uid = r.u32(),
      gid = r.u32(),
      pid = r.u32()
    r.skip(4) // total_extlen, padding
    return { length, opcode, unique, nodeId, uid, gid, pid }
  },
}

/** struct fuse_out_header, 16 bytes. `error` is an errno, 0 for success; the kernel wants it negative. */
export interface ReplyHeader {
  readonly length: number
  readonly error: number
  readonly unique: number
}

export const REPLY_HEADER_LENGTH = 16

export const replyHeader: Codec<ReplyHeader> = {
  name: 'FUSE reply header',
  put(w, h) {
    w.u32(h.length)
      .u32(-h.error >>> 0)
      .u64n(h.unique)
  },
  get(r) {
    const length = r.u32(),
      error = -(r.u32() | 0),
      unique = r.u64n()
    return { length, error: error === 0 ? 0 : error, unique } // -0 is no errno
  },
}
