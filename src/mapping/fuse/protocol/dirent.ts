import type { Codec } from '../../../base/wire.ts'
import { ENTRY_LENGTH, type Entry, entryReply } from './attributes.ts'

/** struct fuse_dirent: one name of a READDIR reply, padded to 8 bytes. */
export interface Dirent {
  readonly ino: bigint
  /** Where reading goes on behind this entry. */
  readonly offset: number
  /** DT_*. */
  readonly type: number
  readonly name: Buffer
}

export const dirent: Codec<Dirent> = {
  name: 'FUSE directory entry',
  put(w, d) {
    const from = w.pos
    w.u64(d.ino).u64n(d.offset).u32(d.name.length).u32(d.type).bytes(d.name).align(8, from)
  },
  get(r) {
    const from = r.pos
    const ino = r.u64(),
      offset = r.u64n(),
      length = r.u32(),
      type = r.u32(),
      name = r.bytes(length)
    r.skip((8 - ((r.pos - from) % 8)) % 8)
    return { ino, offset, type, name }
  },
}

/** struct fuse_direntplus: the entry with what LOOKUP would have answered. */
export interface DirentPlus {
  readonly entry: Entry
  readonly dirent: Dirent
}

export const direntPlus: Codec<DirentPlus> = {
  name: 'FUSE directory entry with attributes',
  put(w, d) {
    entryReply.put(w, d.entry)
    dirent.put(w, d.dirent)
  },
  get(r) {
    return { entry: entryReply.get(r), dirent: dirent.get(r) }
  },
}

/** Bytes that a name takes in the reply. */
export function direntLength(nameLength: number, plus: boolean): number {
  return (plus ? ENTRY_LENGTH : 0) + Math.ceil((24 + nameLength) / 8) * 8
}
