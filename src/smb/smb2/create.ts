import { WireError, type Codec, type Reader } from '../../base/wire.ts'
import { HEADER_SIZE } from './header.ts'
import { bodySpan } from './negotiate.ts'

const IMPERSONATION = 2

export interface CreateContext {
  /** Four ASCII characters for the ones used here. */
  readonly name: string
  readonly data: Buffer
}

/** Asks for the file's id on disk. [MS-SMB2] 2.2.13.2.9. */
export const QUERY_ON_DISK_ID: CreateContext = { name: 'QFid', data: Buffer.alloc(0) }

export interface CreateRequest {
  readonly access: number
  readonly attributes: number
  readonly shareAccess: number
  readonly disposition: number
  readonly options: number
  readonly name: string
  readonly contexts: readonly CreateContext[]
}

export interface CreateResponse {
  readonly oplockLevel: number
  readonly createAction: number
  readonly created: bigint
  readonly accessed: bigint
  readonly written: bigint
  readonly changed: bigint
  readonly allocation: number
  readonly size: number
  readonly attributes: number
  /** 16 bytes, copied. */
  readonly fileId: Buffer
  readonly contexts: readonly CreateContext[]
}

/** CREATE request without oplock. [MS-SMB2] 2.2.13. */
export const createRequest: Codec<CreateRequest> = {
  name: 'SMB2 CREATE request',
  put(w, m) {
    const start = w.pos
    w.u16(57).u8(0).u8(0).u32(IMPERSONATION).zeros(16) // SecurityFlags, RequestedOplockLevel, ..., SmbCreateFlags, Reserved
    w.u32(m.access).u32(m.attributes).u32(m.shareAccess).u32(m.disposition).u32(m.options)
    w.u16(HEADER_SIZE + 56).u16(2 * m.name.length)
    const at = w.need(8) // CreateContextsOffset, CreateContextsLength
    w.buf.fill(0, at, at + 8)
    w.utf16(m.name)
    if (m.contexts.length === 0) {
      if (m.name === '') w.zeros(1) // the buffer is never empty
      return
    }
    w.align(8, start)
    const first = w.pos
    w.patchU32(at, HEADER_SIZE + first - start)
    for (const [i, c] of m.contexts.entries()) {
      const from = w.pos
      const next = w.need(4)
      w.buf.writeUInt32LE(0, next)
      w.u16(16)
        .u16(4)
        .u16(0)
        .u16(c.data.length === 0 ? 0 : 24)
        .u32(c.data.length)
      w.bytes(Buffer.from(c.name, 'latin1')).zeros(4).bytes(c.data)
      if (i < m.contexts.length - 1) {
        w.align(8, start)
        w.patchU32(next, w.pos - from)
      }
    }
    w.patchU32(at + 4, w.pos - first)
  },
  get(r) {
    r.fixed('StructureSize', 57, r.u16())
    r.skip(22) // SecurityFlags to Reserved
    const access = r.u32()
    const attributes = r.u32()
    const shareAccess = r.u32()
    const disposition = r.u32()
    const options = r.u32()
    const nameOffset = r.u16()
    const nameLength = r.u16()
    const contextsOffset = r.u32()
    const contextsLength = r.u32()
    const name = bodySpan(r, nameOffset, nameLength).toString('utf16le')
    return { access, attributes, shareAccess, disposition, options, name, contexts: getContexts(r, contextsOffset, contextsLength) }
  },
}

/** CREATE response. [MS-SMB2] 2.2.14. */
export const createResponse: Codec<CreateResponse> = {
  name: 'SMB2 CREATE response',
  put(w, m) {
    w.u16(89).u8(m.oplockLevel).u8(0).u32(m.createAction)
    w.u64(m.created).u64(m.accessed).u64(m.written).u64(m.changed).u64n(m.allocation).u64n(m.size).u32(m.attributes).zeros(4)
    w.bytes(m.fileId).zeros(8)
  },
  get(r) {
    r.fixed('StructureSize', 89, r.u16())
    const oplockLevel = r.u8()
    r.skip(1) // Flags
    const createAction = r.u32()
    const created = r.u64()
    const accessed = r.u64()
    const written = r.u64()
    const changed = r.u64()
    const allocation = r.u64n()
    const size = r.u64n()
    const attributes = r.u32()
    r.skip(4) // Reserved2
    const fileId = Buffer.from(r.bytes(16))
    const contextsOffset = r.u32()
    const contextsLength = r.u32()
    const contexts = getContexts(r, contextsOffset, contextsLength)
    return { oplockLevel, createAction, created, accessed, written, changed, allocation, size, attributes, fileId, contexts }
  },
}

/** [MS-SMB2] 2.2.13.2: a chain of contexts, each saying how far the next one is. */
function getContexts(r: Reader, offset: number, length: number): CreateContext[] {
  const contexts: CreateContext[] = []
  if (length === 0) return contexts
  const all = bodySpan(r, offset, length)
  for (let at = 0; ; ) {
    if (all.length - at < 16) throw new WireError('create context is cut off', r.pos)
    const next = all.readUInt32LE(at)
    const name = part(all, at, all.readUInt16LE(at + 4), all.readUInt16LE(at + 6), r.pos).toString('latin1')
    const dataLength = all.readUInt32LE(at + 12)
    const data = dataLength === 0 ? Buffer.alloc(0) : part(all, at, all.readUInt16LE(at + 10), dataLength, r.pos)
    contexts.push({ name, data })
    if (next === 0) return contexts
    if (next < 16 || next > all.length - at) throw new WireError(`create context chain points ${next} bytes on`, r.pos)
    at += next
  }
}

function part(all: Buffer, at: number, offset: number, length: number, pos: number): Buffer {
  if (offset > all.length - at || length > all.length - at - offset) throw new WireError(`create context part ${offset}+${length} is outside`, pos)
  return all.subarray(at + offset, at + offset + length)
}

/** The file's id from a QFid answer, 0n without one. [MS-SMB2] 2.2.14.2.9. */
export function onDiskId(contexts: readonly CreateContext[]): bigint {
  const data = contexts.find(c => c.name === 'QFid')?.data
  return data === undefined || data.length < 8 ? 0n : data.readBigUInt64LE(0)
}
