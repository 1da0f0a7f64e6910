import type { Codec } from '../../base/wire.ts'

/** [MS-CIFS] 2.2.2.1: the commands used here. */
export const COMMAND = {
  DELETE_DIRECTORY: 0x01,
  CLOSE: 0x04,
  FLUSH: 0x05,
  RENAME: 0x07,
  LOCKING_ANDX: 0x24,
  TRANSACTION: 0x25,
  ECHO: 0x2b,
  READ_ANDX: 0x2e,
  WRITE_ANDX: 0x2f,
  TRANSACTION2: 0x32,
  FIND_CLOSE2: 0x34,
  TREE_DISCONNECT: 0x71,
  NEGOTIATE: 0x72,
  SESSION_SETUP_ANDX: 0x73,
  LOGOFF_ANDX: 0x74,
  TREE_CONNECT_ANDX: 0x75,
  NT_CREATE_ANDX: 0xa2,
  NT_CANCEL: 0xa4,
} as const

export type CommandName = keyof typeof COMMAND

/** [MS-CIFS] 2.2.3.1. CASE_INSENSITIVE and CANONICALIZED_PATHS is what NT says, and means nothing else than `\name` paths. */
export const FLAG = { CASE_INSENSITIVE: 0x08, CANONICALIZED_PATHS: 0x10, REPLY: 0x80 } as const

export const FLAG2 = { LONG_NAMES: 0x0001, SIGNED: 0x0004, SIGNING_REQUIRED: 0x0010, EXTENDED_SECURITY: 0x0800, NT_STATUS: 0x4000, UNICODE: 0x8000 } as const

export const HEADER_SIZE = 32
export const PROTOCOL_ID = 0xff534d42
/** Of what belongs to no tree. */
export const NO_TREE = 0xffff

export interface Header {
  readonly command: number
  /** NTSTATUS in answers. */
  readonly status: number
  readonly flags: number
  readonly flags2: number
  readonly tid: number
  /** PIDLow; PIDHigh is 0. */
  readonly pid: number
  readonly uid: number
  readonly mid: number
}

/** SMB header. [MS-CIFS] 2.2.3.1. No SecuritySignature: it is written and checked over the raw bytes. */
export const header: Codec<Header> = {
  name: 'SMB1 header',
  put(w, h) {
    w.u32be(PROTOCOL_ID).u8(h.command).u32(h.status).u8(h.flags).u16(h.flags2)
    w.zeros(12) // PIDHigh, SecurityFeatures, Reserved
    w.u16(h.tid).u16(h.pid).u16(h.uid).u16(h.mid)
  },
  get(r) {
    r.fixed('ProtocolId', PROTOCOL_ID, r.u32be())
    const command = r.u8()
    const status = r.u32()
    const flags = r.u8()
    const flags2 = r.u16()
    r.skip(12) // PIDHigh, SecurityFeatures, Reserved
    return { command, status, flags, flags2, tid: r.u16(), pid: r.u16(), uid: r.u16(), mid: r.u16() }
  },
}
