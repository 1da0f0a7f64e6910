import { type Codec, type Reader, WireError, type Writer } from '../../base/wire.ts'
import { getBlock, putAndX, putBlock, skipAndX, spanOf } from './block.ts'
import { HEADER_SIZE } from './header.ts'

/** Offsets above this need 12 and 14 words, which servers with CAP_LARGE_FILES take. */
export const MAX_32 = 0xffff_ffff

export interface ReadRequest {
  readonly fid: number
  readonly offset: number
  readonly length: number
  /** Whether the server has CAP_LARGE_FILES. */
  readonly wide: boolean
}

/** READ_ANDX request. [MS-CIFS] 2.2.4.42.1. */
export const readRequest: Codec<ReadRequest> = {
  name: 'SMB1 READ_ANDX request',
  put(w, m) {
    putBlock(w, () => {
      putAndX(w)
      w.u16(m.fid)
        .u32(m.offset % 0x1_0000_0000)
        .u16(m.length)
        .u16(0)
        .u32(0)
        .u16(0) // MinCount, Timeout, Remaining
      if (m.wide) w.u32(Math.floor(m.offset / 0x1_0000_0000))
    })
  },
  get(r) {
    const { words } = getBlock(r, 10, 12)
    skipAndX(words)
    const fid = words.u16()
    const low = words.u32()
    const length = words.u16()
    words.skip(8) // MinCount, Timeout, Remaining
    const wide = words.left > 0
    return { fid, offset: low + (wide ? high(words) : 0), length, wide }
  },
}

/** READ_ANDX response: the data, as a view. [MS-CIFS] 2.2.4.42.2. */
export const readResponse: Codec<{ readonly data: Buffer }> = {
  name: 'SMB1 READ_ANDX response',
  put(w, m) {
    putBlock(
      w,
      () => {
        putAndX(w)
        w.u16(0xffff)
          .u16(0)
          .u16(0)
          .u16(m.data.length)
          .u16(HEADER_SIZE + 1 + 24 + 2 + 1)
          .zeros(10) // Available, ...
      },
      () => w.u8(0).bytes(m.data),
    )
  },
  get(r) {
    const count = r.u8()
    if (count !== 12) throw new WireError(`WordCount is ${count}, must be 12`, r.pos)
    r.skip(4 + 6) // AndX, Available, DataCompactionMode, Reserved1
    const length = r.u16()
    const offset = r.u16()
    const more = r.u16() // DataLengthHigh
    r.skip(8 + 2) // Reserved2; ByteCount, which is too short a field where much is read
    return { data: spanOf(r, offset, length + more * 0x1_0000) }
  },
}

export interface WriteRequest {
  readonly fid: number
  readonly offset: number
  readonly data: Buffer
  readonly wide: boolean
}

/** WRITE_ANDX request. [MS-CIFS] 2.2.4.43.1. */
export const writeRequest: Codec<WriteRequest> = {
  name: 'SMB1 WRITE_ANDX request',
  put(w, m) {
    const words = m.wide ? 14 : 12
    putBlock(
      w,
      () => {
        putAndX(w)
        w.u16(m.fid)
          .u32(m.offset % 0x1_0000_0000)
          .u32(0)
          .u16(0)
          .u16(0)
          .u16(0) // Timeout, WriteMode, Remaining, DataLengthHigh
        w.u16(m.data.length).u16(HEADER_SIZE + 1 + 2 * words + 2 + 1)
        if (m.wide) w.u32(Math.floor(m.offset / 0x1_0000_0000))
      },
      () => w.u8(0).bytes(m.data),
    )
  },
  get(r) {
    const { words } = getBlock(r, 12, 14)
    skipAndX(words)
    const fid = words.u16()
    const low = words.u32()
    words.skip(10) // Timeout to DataLengthHigh
    const length = words.u16()
    const dataOffset = words.u16()
    const wide = words.left > 0
    return { fid, offset: low + (wide ? high(words) : 0), data: spanOf(r, dataOffset, length), wide }
  },
}

/** WRITE_ANDX response. [MS-CIFS] 2.2.4.43.2. */
export const writeResponse: Codec<{ readonly count: number }> = {
  name: 'SMB1 WRITE_ANDX response',
  put(w, m) {
    putBlock(w, () => {
      putAndX(w)
      w.u16(m.count % 0x1_0000)
        .u16(0)
        .u16(Math.floor(m.count / 0x1_0000))
        .u16(0) // Available, CountHigh, Reserved
    })
  },
  get(r) {
    const { words } = getBlock(r, 6)
    skipAndX(words)
    const low = words.u16()
    words.skip(2) // Available
    return { count: low + words.u16() * 0x1_0000 }
  },
}

/** TypeOfLock. [MS-CIFS] 2.2.4.32.1. */
const LOCK = { SHARED: 0x01, OPLOCK_RELEASE: 0x02, LARGE_FILES: 0x10 } as const
/** Until it is granted. */
export const FOR_EVER = 0xffff_ffff

export interface LockRequest {
  readonly fid: number
  readonly pid: number
  readonly offset: bigint
  readonly length: bigint
  readonly kind: 'exclusive' | 'shared' | 'unlock'
  /** ms; 0: granted now or refused. */
  readonly timeout: number
}

/** LOCKING_ANDX request of one range of 64 bits. [MS-CIFS] 2.2.4.32.1. */
export const lockRequest: Codec<LockRequest> = {
  name: 'SMB1 LOCKING_ANDX request',
  put(w, m) {
    const unlocks = m.kind === 'unlock' ? 1 : 0
    putBlock(
      w,
      () => {
        putAndX(w)
        w.u16(m.fid)
          .u8(LOCK.LARGE_FILES | (m.kind === 'shared' ? LOCK.SHARED : 0))
          .u8(0)
          .u32(m.timeout)
          .u16(unlocks)
          .u16(1 - unlocks)
      },
      () => {
        w.u16(m.pid).u16(0)
        for (const part of [m.offset, m.length]) putSwapped(w, part)
      },
    )
  },
  get(r) {
    const { words, bytes } = getBlock(r, 8)
    skipAndX(words)
    const fid = words.u16()
    const type = words.u8()
    words.skip(1) // NewOpLockLevel
    const timeout = words.u32()
    const kind = words.u16() === 1 ? 'unlock' : (type & LOCK.SHARED) !== 0 ? 'shared' : 'exclusive'
    const pid = bytes.u16()
    bytes.skip(2) // Pad
    return { fid, pid, kind, timeout, offset: getSwapped(bytes), length: getSwapped(bytes) }
  },
}

/** The server wants an oplock back, and our answer to it, the same bytes; we ask for none. [MS-CIFS] 3.2.5.42. */
export const oplockRelease: Codec<{ readonly fid: number }> = {
  name: 'SMB1 LOCKING_ANDX that releases an oplock',
  put(w, m) {
    putBlock(w, () => {
      putAndX(w)
      w.u16(m.fid).u8(LOCK.OPLOCK_RELEASE).u8(0).u32(0).u16(0).u16(0)
    })
  },
  get(r) {
    const { words } = getBlock(r, 8)
    skipAndX(words)
    const fid = words.u16()
    words.fixed('TypeOfLock', LOCK.OPLOCK_RELEASE, words.u8())
    return { fid }
  },
}

function high(words: Reader): number {
  const value = words.u32()
  if (value > 0x1f_ffff) throw new WireError('64-bit value above 2^53-1', words.pos)
  return value * 0x1_0000_0000
}

/** The high half first. LOCKING_ANDX_RANGE64. */
function putSwapped(w: Writer, value: bigint): void {
  w.u32(Number(value >> 32n)).u32(Number(value & 0xffff_ffffn))
}

function getSwapped(r: Reader): bigint {
  const top = BigInt(r.u32())
  return (top << 32n) | BigInt(r.u32())
}
