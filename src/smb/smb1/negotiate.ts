import { type Codec, WireError } from '../../base/wire.ts'

const PROTOCOL_ID = 0xff534d42
const NEGOTIATE = 0x72
const HEADER_SIZE = 32
/** SMB_FLAGS_CASE_INSENSITIVE and SMB_FLAGS_CANONICALIZED_PATHS. [MS-CIFS] 2.2.3.1. */
const FLAGS = 0x18
/** Unicode, NT status codes, extended security, long names, as Windows sends them. [MS-SMB] 2.2.3.1. */
const FLAGS2 = 0xc853
const EXTENDED_SECURITY = 0x0800
const DIALECT_FORMAT = 0x02

/** [MS-SMB2] 3.2.4.2.2.1: the strings by which an SMB1 NEGOTIATE asks for SMB2. */
/** SMB1 as NT speaks it. [MS-CIFS] 2.2.4.52.1. */
export const NT_LM_012 = 'NT LM 0.12'

export const SMB2_STRING = { '2.0.2': 'SMB 2.002', newer: 'SMB 2.???' } as const

/** DialectIndex of a server that speaks none of what was offered. */
export const NONE_OF_THEM = 0xffff

export interface Smb1NegotiateRequest {
  readonly dialects: readonly string[]
  readonly extendedSecurity: boolean
}

/** SMB_COM_NEGOTIATE request with its header. [MS-CIFS] 2.2.4.52.1. */
export const smb1NegotiateRequest: Codec<Smb1NegotiateRequest> = {
  name: 'SMB1 NEGOTIATE request',
  put(w, { dialects, extendedSecurity }) {
    w.u32be(PROTOCOL_ID)
      .u8(NEGOTIATE)
      .u32(0)
      .u8(FLAGS)
      .u16(extendedSecurity ? FLAGS2 : FLAGS2 & ~EXTENDED_SECURITY)
      .zeros(12) // Status; PIDHigh, SecurityFeatures, Reserved
    w.u16(0xffff).u16(0xfeff).u16(0).u16(0) // TID, PIDLow, UID, MID
    w.u8(0) // WordCount
    w.u16(dialects.reduce((sum, name) => sum + name.length + 2, 0))
    for (const name of dialects) w.u8(DIALECT_FORMAT).bytes(Buffer.from(`${name}\0`, 'latin1'))
  },
  get(r) {
    r.fixed('ProtocolId', PROTOCOL_ID, r.u32be())
    r.fixed('Command', NEGOTIATE, r.u8())
    r.skip(5) // Status, Flags
    const extendedSecurity = (r.u16() & EXTENDED_SECURITY) !== 0
    r.skip(HEADER_SIZE - 12)
    r.fixed('WordCount', 0, r.u8())
    const end = r.u16() + r.pos
    const dialects: string[] = []
    while (r.pos < end) {
      r.fixed('BufferFormat', DIALECT_FORMAT, r.u8())
      const length = r.buf.indexOf(0, r.pos) - r.pos
      if (length < 0) throw new WireError('dialect without an end', r.pos)
      dialects.push(r.bytes(length).toString('latin1'))
      r.skip(1)
    }
    r.fixed('ByteCount', end, r.pos)
    return { dialects, extendedSecurity }
  },
}

export interface Smb1NegotiateResponse {
  /** Of what was offered, or `NONE_OF_THEM`. */
  readonly dialectIndex: number
}

/** SMB_COM_NEGOTIATE response, as much of it as a client that speaks no SMB1 wants to know. [MS-CIFS] 2.2.4.52.2. */
export const smb1NegotiateResponse: Codec<Smb1NegotiateResponse> = {
  name: 'SMB1 NEGOTIATE response',
  put(w, { dialectIndex }) {
    w.u32be(PROTOCOL_ID)
      .u8(NEGOTIATE)
      .u32(0)
      .u8(0x80 | FLAGS)
      .u16(FLAGS2)
      .zeros(12)
    w.u16(0xffff).u16(0xfeff).u16(0).u16(0)
    w.u8(1).u16(dialectIndex).u16(0) // WordCount, DialectIndex, ByteCount
  },
  get(r) {
    r.fixed('ProtocolId', PROTOCOL_ID, r.u32be())
    r.fixed('Command', NEGOTIATE, r.u8())
    r.skip(HEADER_SIZE - 5)
    const words = r.u8() // an error has none
    const dialectIndex = words === 0 ? NONE_OF_THEM : r.u16()
    r.skip(2 * Math.max(0, words - 1))
    r.skip(r.u16())
    return { dialectIndex }
  },
}

export function isSmb1(frame: Buffer): boolean {
  return frame.length >= 4 && frame.readUInt32BE(0) === PROTOCOL_ID
}
