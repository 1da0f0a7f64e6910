import { NbtrunError } from '../../base/errors.ts'
import { decode, encode, WireError } from '../../base/wire.ts'
import type { Credentials } from './credentials.ts'
import { type Chance, freshChance, NtlmClient } from './ntlm.ts'
import { MECHANISM, mechTypeList, NEG_STATE, type NegTokenResp, negTokenInit, negTokenResp } from './spnego-messages.ts'

/**
 * One login, as SESSION_SETUP carries it: `first` gives the first token, `step` answers each token that came with MORE_PROCESSING_REQUIRED, `finish`
 * takes the one that came with success. What does not decode is a WireError.
 */
export interface SecurityContext {
  /** `serverToken` is the one of the NEGOTIATE answer, which may be empty. NTLM_REFUSED when the server offers no mechanism of ours. */
  first(serverToken: Buffer): Buffer
  step(token: Buffer): Buffer
  /** 16 bytes, after the last `step`; empty after an anonymous login. Zeroed by `wipe`. */
  readonly sessionKey: Buffer
  /** Checks the server's signature over the negotiation, when it sent one: BAD_SIGNATURE. */
  finish(token: Buffer): void
  wipe(): void
}

const OURS = [MECHANISM.NTLMSSP] as const

/** NTLMv2 in SPNEGO, RFC 4178. `host` is the server as the user named it. */
export function spnegoNtlm(credentials: Credentials, host: string, chance: Chance = freshChance()): SecurityContext {
  const ntlm = new NtlmClient(credentials, host, chance)
  const signed = mechTypeList(OURS)
  let awaits: 'challenge' | 'verdict' = 'challenge'

  return {
    first(serverToken) {
      if (serverToken.length > 0) {
        const { mechTypes } = decode(negTokenInit, serverToken)
        if (!mechTypes.includes(MECHANISM.NTLMSSP)) throw noNtlm(mechTypes)
      }
      return encode(negTokenInit, { mechTypes: OURS, mechToken: ntlm.negotiate })
    },

    step(token) {
      if (awaits !== 'challenge') throw new WireError('SPNEGO: the server goes on after the last NTLM message', 0)
      const { responseToken } = accepted(token)
      if (responseToken === undefined) throw new WireError('SPNEGO NegTokenResp: no NTLM CHALLENGE in it', 0)
      const authenticate = ntlm.authenticate(responseToken)
      awaits = 'verdict'
      const mechListMic = ntlm.mac?.sign(signed)
      return encode(negTokenResp, { responseToken: authenticate, ...(mechListMic === undefined ? {} : { mechListMic }) })
    },

    get sessionKey() {
      return ntlm.sessionKey
    },

    finish(token) {
      if (awaits !== 'verdict') throw new WireError('SPNEGO: the server accepts before the login', 0)
      if (token.length === 0) return
      const { mechListMic } = accepted(token)
      if (mechListMic === undefined) return
      if (ntlm.mac?.verify(signed, mechListMic) !== true) {
        throw new NbtrunError('BAD_SIGNATURE', `${host} signed the login with a wrong key`, { hint: 'somebody may stand between you and the server' })
      }
    },

    wipe: () => ntlm.wipe(),
  }
}

function accepted(token: Buffer): NegTokenResp {
  const response = decode(negTokenResp, token)
  const { negState, supportedMech } = response
  if (negState === NEG_STATE.REJECT) throw new NbtrunError('NTLM_REFUSED', 'the server rejects NTLM in SPNEGO')
  if (supportedMech !== undefined && supportedMech !== MECHANISM.NTLMSSP)
    throw new WireError(`SPNEGO NegTokenResp: the server chose mechanism ${nameOf(supportedMech)}`, 0)
  return response
}

function noNtlm(mechTypes: readonly string[]): NbtrunError {
  return new NbtrunError('NTLM_REFUSED', `the server takes no NTLM login (only ${mechTypes.map(nameOf).join(', ') || 'none'})`)
}

function nameOf(oid: string): string {
  const row = Object.entries(MECHANISM).find(([, value]) => value === oid)
  return row?.[0] ?? oid
}
