import type { Codec } from '../../base/wire.ts'
import { HEADER_SIZE } from './header.ts'
import { bodySpan } from './negotiate.ts'

/** CLOSE request without attributes. [MS-SMB2] 2.2.15. FileIds are 16 bytes everywhere. */
export const closeRequest: Codec<{ readonly fileId: Buffer }> = {
  name: 'SMB2 CLOSE request',
  put(w, m) {
    w.u16(24).u16(0).u32(0).bytes(m.fileId)
  },
  get(r) {
    r.fixed('StructureSize', 24, r.u16())
    r.skip(6) // Flags, Reserved
    return { fileId: r.bytes(16) }
  },
}

/** CLOSE response. [MS-SMB2] 2.2.16. Its attributes are not asked for. */
export const closeResponse: Codec<null> = {
  name: 'SMB2 CLOSE response',
  put(w) {
    w.u16(60).zeros(58)
  },
  get(r) {
    r.fixed('StructureSize', 60, r.u16())
    r.skip(58)
    return null
  },
}

/** FLUSH request. [MS-SMB2] 2.2.17. */
export const flushRequest: Codec<{ readonly fileId: Buffer }> = {
  name: 'SMB2 FLUSH request',
  put(w, m) {
    w.u16(24).zeros(6).bytes(m.fileId)
  },
  get(r) {
    r.fixed('StructureSize', 24, r.u16())
    r.skip(6) // Reserved1, Reserved2
    return { fileId: r.bytes(16) }
  },
}

export interface ReadRequest {
  readonly fileId: Buffer
  readonly offset: number
  readonly length: number
}

/** Where the server shall put the data in its answer: right behind the fixed part. */
const READ_DATA_OFFSET = HEADER_SIZE + 16

/** READ request. [MS-SMB2] 2.2.19. */
export const readRequest: Codec<ReadRequest> = {
  name: 'SMB2 READ request',
  put(w, m) {
    w.u16(49).u8(READ_DATA_OFFSET).u8(0).u32(m.length).u64n(m.offset).bytes(m.fileId)
    w.zeros(16).zeros(1) // MinimumCount, Channel, RemainingBytes, channel info; the buffer is never empty
  },
  get(r) {
    r.fixed('StructureSize', 49, r.u16())
    r.skip(2) // Padding, Flags
    const length = r.u32()
    const offset = r.u64n()
    return { length, offset, fileId: r.bytes(16) }
  },
}

/** READ response: the data, as a view. [MS-SMB2] 2.2.20. */
export const readResponse: Codec<{ readonly data: Buffer }> = {
  name: 'SMB2 READ response',
  put(w, m) {
    w.u16(17).u8(READ_DATA_OFFSET).u8(0).u32(m.data.length).zeros(8).bytes(m.data)
  },
  get(r) {
    r.fixed('StructureSize', 17, r.u16())
    const offset = r.u8()
    r.skip(1) // Reserved
    const length = r.u32()
    r.skip(8) // DataRemaining, Reserved2
    return { data: bodySpan(r, offset, length) }
  },
}

export interface WriteRequest {
  readonly fileId: Buffer
  readonly offset: number
  readonly data: Buffer
}

/** WRITE request. [MS-SMB2] 2.2.21. */
export const writeRequest: Codec<WriteRequest> = {
  name: 'SMB2 WRITE request',
  put(w, m) {
    w.u16(49)
      .u16(HEADER_SIZE + 48)
      .u32(m.data.length)
      .u64n(m.offset)
      .bytes(m.fileId)
    w.zeros(16).bytes(m.data) // Channel, RemainingBytes, channel info, Flags
  },
  get(r) {
    r.fixed('StructureSize', 49, r.u16())
    const dataOffset = r.u16()
    const length = r.u32()
    const offset = r.u64n()
    const fileId = r.bytes(16)
    return { offset, fileId, data: bodySpan(r, dataOffset, length) }
  },
}

/** WRITE response. [MS-SMB2] 2.2.22. */
export const writeResponse: Codec<{ readonly count: number }> = {
  name: 'SMB2 WRITE response',
  put(w, m) {
    w.u16(17).u16(0).u32(m.count).zeros(8)
  },
  get(r) {
    r.fixed('StructureSize', 17, r.u16())
    r.skip(2) // Reserved
    const count = r.u32()
    r.skip(8) // Remaining, WriteChannelInfo
    return { count }
  },
}

/** [MS-SMB2] 2.2.26.1. */
export const LOCK_FLAG = { SHARED: 1, EXCLUSIVE: 2, UNLOCK: 4, FAIL_IMMEDIATELY: 0x10 } as const

export interface LockRequest {
  readonly fileId: Buffer
  readonly offset: bigint
  readonly length: bigint
  readonly flags: number
}

/** LOCK request of one range. [MS-SMB2] 2.2.26. */
export const lockRequest: Codec<LockRequest> = {
  name: 'SMB2 LOCK request',
  put(w, m) {
    w.u16(48).u16(1).u32(0).bytes(m.fileId) // LockCount, LockSequence
    w.u64(m.offset).u64(m.length).u32(m.flags).u32(0)
  },
  get(r) {
    r.fixed('StructureSize', 48, r.u16())
    r.fixed('LockCount', 1, r.u16())
    r.skip(4) // LockSequence
    const fileId = r.bytes(16)
    const offset = r.u64()
    const length = r.u64()
    const flags = r.u32()
    r.skip(4) // Reserved
    return { fileId, offset, length, flags }
  },
}
