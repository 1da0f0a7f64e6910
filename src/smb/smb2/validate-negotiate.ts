import type { Codec } from '../../base/wire.ts'
import type { NegotiateRequest, NegotiateResponse } from './negotiate.ts'

type Offered = Pick<NegotiateRequest, 'capabilities' | 'clientGuid' | 'securityMode' | 'dialects'>
type Answered = Pick<NegotiateResponse, 'capabilities' | 'serverGuid' | 'securityMode' | 'dialect'>

/** VALIDATE_NEGOTIATE_INFO request: what was said in NEGOTIATE, once more. [MS-SMB2] 2.2.31.4. */
export const validateNegotiateRequest: Codec<Offered> = {
  name: 'VALIDATE_NEGOTIATE_INFO request',
  put(w, m) {
    w.u32(m.capabilities).bytes(m.clientGuid).u16(m.securityMode).u16(m.dialects.length)
    for (const dialect of m.dialects) w.u16(dialect)
  },
  get(r) {
    const capabilities = r.u32()
    const clientGuid = r.bytes(16)
    const securityMode = r.u16()
    const dialects: number[] = []
    for (let left = r.u16(); left > 0; left--) dialects.push(r.u16())
    return { capabilities, clientGuid, securityMode, dialects }
  },
}

/** VALIDATE_NEGOTIATE_INFO response. [MS-SMB2] 2.2.32.6. */
export const validateNegotiateResponse: Codec<Answered> = {
  name: 'VALIDATE_NEGOTIATE_INFO response',
  put(w, m) {
    w.u32(m.capabilities).bytes(m.serverGuid).u16(m.securityMode).u16(m.dialect)
  },
  get(r) {
    return { capabilities: r.u32(), serverGuid: r.bytes(16), securityMode: r.u16(), dialect: r.u16() }
  },
}

/** Its size in bytes. */
export const VALIDATE_RESPONSE_SIZE = 24
