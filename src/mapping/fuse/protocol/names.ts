import { type Codec, type Reader, WireError, type Writer } from '../../../base/wire.ts'

/** A name with its terminating zero. A view: copy what outlives the message. */
export function getName(r: Reader): Buffer {
  const end = r.buf.indexOf(0, r.pos)
  if (end < 0) throw new WireError('name without its zero byte', r.pos)
  const name = r.bytes(end - r.pos)
  r.skip(1)
  return name
}

function putName(w: Writer, name: Uint8Array): void {
  w.bytes(name).u8(0)
}

/** LOOKUP, UNLINK and RMDIR carry nothing but a name. */
export const nameRequest: Codec<Buffer> = { name: 'FUSE name', put: putName, get: getName }

/** struct fuse_mknod_in, struct fuse_mkdir_in and struct fuse_create_in, each with the name behind it. */
export interface MknodRequest {
  readonly mode: number
  readonly name: Buffer
}

export const mknodRequest: Codec<MknodRequest> = {
  name: 'FUSE MKNOD request',
  put(w, m) {
    w.u32(m.mode).zeros(12) // rdev, umask, padding
    putName(w, m.name)
  },
  get(r) {
    const mode = r.u32()
    r.skip(12) // rdev, umask, padding
    return { mode, name: getName(r) }
  },
}

/** The mode of a directory means nothing on a share. */
export const mkdirRequest: Codec<Buffer> = {
  name: 'FUSE MKDIR request',
  put(w, name) {
    w.zeros(8) // mode, umask
    putName(w, name)
  },
  get(r) {
    r.skip(8) // mode, umask
    return getName(r)
  },
}

export interface CreateRequest {
  readonly flags: number
  readonly mode: number
  readonly name: Buffer
}

export const createRequest: Codec<CreateRequest> = {
  name: 'FUSE CREATE request',
  put(w, m) {
    w.u32(m.flags).u32(m.mode).zeros(8) // umask, open_flags
    putName(w, m.name)
  },
  get(r) {
    const flags = r.u32(),
      mode = r.u32()
    r.skip(8) // umask, open_flags
    return { flags, mode, name: getName(r) }
  },
}

/** struct fuse_rename_in, or fuse_rename2_in, which has flags, and the two names. */
export interface RenameRequest {
  readonly newParent: number
  readonly flags: number
  readonly from: Buffer
  readonly to: Buffer
}

export const renameRequest: Codec<RenameRequest> = {
  name: 'FUSE RENAME request',
  put(w, m) {
    w.u64n(m.newParent)
    putName(w, m.from)
    putName(w, m.to)
  },
  get(r) {
    return { newParent: r.u64n(), flags: 0, from: getName(r), to: getName(r) }
  },
}

export const rename2Request: Codec<RenameRequest> = {
  name: 'FUSE RENAME2 request',
  put(w, m) {
    w.u64n(m.newParent).u32(m.flags).zeros(4) // padding
    putName(w, m.from)
    putName(w, m.to)
  },
  get(r) {
    const newParent = r.u64n(),
      flags = r.u32()
    r.skip(4) // padding
    return { newParent, flags, from: getName(r), to: getName(r) }
  },
}
