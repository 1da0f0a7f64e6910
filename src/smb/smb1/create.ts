import type { Codec } from '../../base/wire.ts'
import type { Opening } from '../access.ts'
import { getBlock, putAndX, putBlock, skipAndX } from './block.ts'
import { fromText, getText, putText, toText } from './text.ts'

const IMPERSONATION = 2

export interface CreateRequest extends Opening {
  /** From the share's root: `\folder\file`. */
  readonly name: string
  readonly unicode: boolean
}

export interface CreateResponse {
  readonly fid: number
  readonly created: bigint
  readonly accessed: bigint
  readonly written: bigint
  readonly changed: bigint
  readonly attributes: number
  readonly allocation: number
  readonly size: number
  readonly directory: boolean
}

/** NT_CREATE_ANDX request, without an oplock. [MS-CIFS] 2.2.4.64.1. */
export const createRequest: Codec<CreateRequest> = {
  name: 'SMB1 NT_CREATE_ANDX request',
  put(w, m) {
    putBlock(
      w,
      () => {
        putAndX(w)
        w.u8(0).u16(toText(m.name, m.unicode).length).u32(0).u32(0) // Reserved, NameLength, Flags, RootDirectoryFID
        w.u32(m.access).u32(0).u32(0).u32(m.attributes).u32(m.shareAccess).u32(m.disposition).u32(m.options) // with AllocationSize
        w.u32(IMPERSONATION).u8(0) // SecurityFlags
      },
      (_, start) => putText(w, m.name, m.unicode, start),
    )
  },
  get(r) {
    const { words, bytes, bytesAt } = getBlock(r, 24)
    skipAndX(words)
    words.skip(1)
    const length = words.u16()
    words.skip(8) // Flags, RootDirectoryFID
    const access = words.u32()
    words.skip(8) // AllocationSize
    const attributes = words.u32()
    const shareAccess = words.u32()
    const disposition = words.u32()
    const options = words.u32()
    const padded = bytesAt % 2
    const unicode = bytes.left === padded + length + 2
    if (unicode) bytes.skip(padded)
    const name = fromText(bytes.bytes(length), unicode)
    getText(bytes, unicode, bytesAt)
    return { access, attributes, shareAccess, disposition, options, name, unicode }
  },
}

/** NT_CREATE_ANDX response. [MS-CIFS] 2.2.4.64.2. Windows says 42 words for 34, and has more behind these where it was asked for that. */
export const createResponse: Codec<CreateResponse> = {
  name: 'SMB1 NT_CREATE_ANDX response',
  put(w, m) {
    putBlock(w, () => {
      putAndX(w)
      w.u8(0).u16(m.fid).u32(1) // OpLockLevel, CreateDisposition
      w.u64(m.created).u64(m.accessed).u64(m.written).u64(m.changed).u32(m.attributes).u64n(m.allocation).u64n(m.size)
      w.u16(0)
        .u16(0)
        .u8(m.directory ? 1 : 0) // ResourceType, NMPipeStatus
    })
  },
  get(r) {
    const { words } = getBlock(r, 34, 42, 50)
    skipAndX(words)
    words.skip(1) // OpLockLevel
    const fid = words.u16()
    words.skip(4) // CreateDisposition
    const created = words.u64()
    const accessed = words.u64()
    const written = words.u64()
    const changed = words.u64()
    const attributes = words.u32()
    const allocation = words.u64n()
    const size = words.u64n()
    words.skip(4) // ResourceType, NMPipeStatus
    return { fid, created, accessed, written, changed, attributes, allocation, size, directory: words.u8() !== 0 }
  },
}

/** CLOSE request, its time left to the server. [MS-CIFS] 2.2.4.5.1. */
export const closeRequest: Codec<{ readonly fid: number }> = {
  name: 'SMB1 CLOSE request',
  put(w, m) {
    putBlock(w, () => w.u16(m.fid).u32(0xffff_ffff))
  },
  get(r) {
    return { fid: getBlock(r, 3).words.u16() }
  },
}

/** FLUSH request, [MS-CIFS] 2.2.4.6.1, and FIND_CLOSE2's, 2.2.4.48.1: a number of the server's. */
export const handleRequest: Codec<{ readonly handle: number }> = {
  name: 'SMB1 request that names a handle',
  put(w, m) {
    putBlock(w, () => w.u16(m.handle))
  },
  get(r) {
    return { handle: getBlock(r, 1).words.u16() }
  },
}
