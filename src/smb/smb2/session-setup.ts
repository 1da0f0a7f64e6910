import type { Codec } from '../../base/wire.ts'
import { HEADER_SIZE } from './header.ts'
import { bodySpan } from './negotiate.ts'

export interface SessionSetupRequest {
  readonly flags: number
  readonly securityMode: number
  readonly capabilities: number
  readonly previousSessionId: bigint
  readonly securityBuffer: Buffer
}

/** Flags of the request. */
export const SETUP_FLAG = { BINDING: 1 } as const

export const SESSION_FLAG = { IS_GUEST: 1, IS_NULL: 2, ENCRYPT_DATA: 4 } as const

export interface SessionSetupResponse {
  readonly sessionFlags: number
  readonly securityBuffer: Buffer
}

/** SESSION_SETUP request. [MS-SMB2] 2.2.5. */
export const sessionSetupRequest: Codec<SessionSetupRequest> = {
  name: 'SMB2 SESSION_SETUP request',
  put(w, m) {
    w.u16(25).u8(m.flags).u8(m.securityMode).u32(m.capabilities).u32(0) // Channel
    w.u16(HEADER_SIZE + 24)
      .u16(m.securityBuffer.length)
      .u64(m.previousSessionId)
      .bytes(m.securityBuffer)
  },
  get(r) {
    r.fixed('StructureSize', 25, r.u16())
    const flags = r.u8()
    const securityMode = r.u8()
    const capabilities = r.u32()
    r.skip(4) // Channel
    const offset = r.u16()
    const length = r.u16()
    const previousSessionId = r.u64()
    return { flags, securityMode, capabilities, previousSessionId, securityBuffer: bodySpan(r, offset, length) }
  },
}

/** SESSION_SETUP response. [MS-SMB2] 2.2.6. */
export const sessionSetupResponse: Codec<SessionSetupResponse> = {
  name: 'SMB2 SESSION_SETUP response',
  put(w, m) {
    w.u16(9)
      .u16(m.sessionFlags)
      .u16(HEADER_SIZE + 8)
      .u16(m.securityBuffer.length)
      .bytes(m.securityBuffer)
  },
  get(r) {
    r.fixed('StructureSize', 9, r.u16())
    const sessionFlags = r.u16()
    const offset = r.u16()
    const length = r.u16()
    return { sessionFlags, securityBuffer: bodySpan(r, offset, length) }
  },
}
