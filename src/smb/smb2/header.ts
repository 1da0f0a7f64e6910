import type { Codec } from '../../base/wire.ts'

/** [MS-SMB2] 2.2.1: commands. */
export const COMMAND = {
  NEGOTIATE: 0,
  SESSION_SETUP: 1,
  LOGOFF: 2,
  TREE_CONNECT: 3,
  TREE_DISCONNECT: 4,
  CREATE: 5,
  CLOSE: 6,
  FLUSH: 7,
  READ: 8,
  WRITE: 9,
  LOCK: 10,
  IOCTL: 11,
  CANCEL: 12,
  ECHO: 13,
  QUERY_DIRECTORY: 14,
  CHANGE_NOTIFY: 15,
  QUERY_INFO: 16,
  SET_INFO: 17,
  OPLOCK_BREAK: 18,
} as const

export type CommandName = keyof typeof COMMAND

const NAMES = Object.keys(COMMAND)

export function commandName(command: number): string {
  return NAMES[command] ?? `command ${command}`
}

export const FLAG = { SERVER_TO_REDIR: 0x1, ASYNC: 0x2, RELATED: 0x4, SIGNED: 0x8 } as const

export const HEADER_SIZE = 64

const PROTOCOL_ID = 0xfe534d42

export interface Header {
  readonly charge: number
  /** Status in answers; channel sequence and reserved in requests. */
  readonly status: number
  readonly command: number
  /** Credits asked for, or granted. */
  readonly credits: number
  readonly flags: number
  /** Offset of the next message of a compound, 0 in the last. */
  readonly next: number
  readonly messageId: number
  /** In ASYNC messages the AsyncId, which stands where Reserved and TreeId are in others; else 0n. */
  readonly asyncId: bigint
  readonly treeId: number
  readonly sessionId: bigint
}

/** MessageId of what the server sends unasked (oplock breaks): all ones, which no double holds. */
export const UNSOLICITED = -1

/** SMB2 packet header, SYNC and ASYNC. [MS-SMB2] 2.2.1.1 and 2.2.1.2. No signature field: it is checked over the raw bytes. */
export const header: Codec<Header> = {
  name: 'SMB2 header',
  put(w, h) {
    w.u32be(PROTOCOL_ID).u16(HEADER_SIZE)
    w.u16(h.charge).u32(h.status).u16(h.command).u16(h.credits).u32(h.flags).u32(h.next)
    if (h.messageId === UNSOLICITED) w.u64(0xffff_ffff_ffff_ffffn)
    else w.u64n(h.messageId)
    if ((h.flags & FLAG.ASYNC) !== 0) w.u64(h.asyncId)
    else w.zeros(4).u32(h.treeId) // Reserved, TreeId
    w.u64(h.sessionId).zeros(16) // SessionId, Signature
  },
  get(r) {
    r.fixed('ProtocolId', PROTOCOL_ID, r.u32be())
    r.fixed('StructureSize', HEADER_SIZE, r.u16())
    const charge = r.u16()
    const status = r.u32()
    const command = r.u16()
    const credits = r.u16()
    const flags = r.u32()
    const next = r.u32()
    const unsolicited = r.left >= 8 && r.buf.readUInt32LE(r.pos) === 0xffff_ffff && r.buf.readUInt32LE(r.pos + 4) === 0xffff_ffff
    if (unsolicited) r.skip(8)
    const messageId = unsolicited ? UNSOLICITED : r.u64n()
    let asyncId = 0n
    let treeId = 0
    if ((flags & FLAG.ASYNC) !== 0) asyncId = r.u64()
    else {
      r.skip(4) // Reserved
      treeId = r.u32()
    }
    const sessionId = r.u64()
    r.skip(16) // Signature
    return { charge, status, command, credits, flags, next, messageId, asyncId, treeId, sessionId }
  },
}
