import type { Codec } from '../../base/wire.ts'
import { HEADER_SIZE } from './header.ts'
import { bodySpan } from './negotiate.ts'

/** [MS-SMB2] 2.2.37: InfoType. */
export const INFO = { FILE: 1, FILESYSTEM: 2 } as const

export interface QueryInfoRequest {
  readonly fileId: Buffer
  readonly infoType: number
  readonly infoClass: number
  readonly maxLength: number
}

/** QUERY_INFO request without input. [MS-SMB2] 2.2.37. */
export const queryInfoRequest: Codec<QueryInfoRequest> = {
  name: 'SMB2 QUERY_INFO request',
  put(w, m) {
    w.u16(41).u8(m.infoType).u8(m.infoClass).u32(m.maxLength).zeros(16).bytes(m.fileId)
  },
  get(r) {
    r.fixed('StructureSize', 41, r.u16())
    const infoType = r.u8()
    const infoClass = r.u8()
    const maxLength = r.u32()
    r.skip(16) // InputBufferOffset to Flags
    return { infoType, infoClass, maxLength, fileId: r.bytes(16) }
  },
}

/** QUERY_INFO and QUERY_DIRECTORY responses: one buffer, as a view. [MS-SMB2] 2.2.38 and 2.2.34. */
export const bufferResponse: Codec<{ readonly data: Buffer }> = {
  name: 'SMB2 QUERY_INFO response',
  put(w, m) {
    w.u16(9)
      .u16(HEADER_SIZE + 8)
      .u32(m.data.length)
      .bytes(m.data)
  },
  get(r) {
    r.fixed('StructureSize', 9, r.u16())
    const offset = r.u16()
    const length = r.u32()
    return { data: bodySpan(r, offset, length) }
  },
}

export interface SetInfoRequest {
  readonly fileId: Buffer
  readonly infoType: number
  readonly infoClass: number
  readonly data: Buffer
}

/** SET_INFO request. [MS-SMB2] 2.2.39. */
export const setInfoRequest: Codec<SetInfoRequest> = {
  name: 'SMB2 SET_INFO request',
  put(w, m) {
    w.u16(33).u8(m.infoType).u8(m.infoClass).u32(m.data.length)
    w.u16(HEADER_SIZE + 32)
      .zeros(6)
      .bytes(m.fileId)
      .bytes(m.data)
  },
  get(r) {
    r.fixed('StructureSize', 33, r.u16())
    const infoType = r.u8()
    const infoClass = r.u8()
    const length = r.u32()
    const offset = r.u16()
    r.skip(6) // Reserved, AdditionalInformation
    const fileId = r.bytes(16)
    return { infoType, infoClass, fileId, data: bodySpan(r, offset, length) }
  },
}

/** SET_INFO response. [MS-SMB2] 2.2.40. */
export const setInfoResponse: Codec<null> = {
  name: 'SMB2 SET_INFO response',
  put(w) {
    w.u16(2)
  },
  get(r) {
    r.fixed('StructureSize', 2, r.u16())
    return null
  },
}

export const QUERY_DIRECTORY_FLAG = { RESTART_SCANS: 1 } as const

export interface QueryDirectoryRequest {
  readonly fileId: Buffer
  readonly infoClass: number
  readonly flags: number
  readonly pattern: string
  readonly maxLength: number
}

/** QUERY_DIRECTORY request. [MS-SMB2] 2.2.33. */
export const queryDirectoryRequest: Codec<QueryDirectoryRequest> = {
  name: 'SMB2 QUERY_DIRECTORY request',
  put(w, m) {
    w.u16(33).u8(m.infoClass).u8(m.flags).u32(0).bytes(m.fileId)
    w.u16(HEADER_SIZE + 32)
      .u16(2 * m.pattern.length)
      .u32(m.maxLength)
      .utf16(m.pattern)
  },
  get(r) {
    r.fixed('StructureSize', 33, r.u16())
    const infoClass = r.u8()
    const flags = r.u8()
    r.skip(4) // FileIndex
    const fileId = r.bytes(16)
    const offset = r.u16()
    const length = r.u16()
    const maxLength = r.u32()
    return { infoClass, flags, fileId, maxLength, pattern: bodySpan(r, offset, length).toString('utf16le') }
  },
}
