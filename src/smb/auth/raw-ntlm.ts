import { encode } from '../../base/wire.ts'
import type { Credentials } from './credentials.ts'
import { type Chance, ntlmV2 } from './ntlm.ts'
import { avPairs } from './ntlm-messages.ts'
import { ntlmV1 } from './ntlmv1.ts'

/** NTLM without NTLMSSP: what SMB1's session setup carries where there is no extended security. [MS-CIFS] 3.2.4.2.4. */
export interface RawLogin {
  /** The LM response, LMv2's, or what stands in its place. */
  readonly oem: Buffer
  readonly unicode: Buffer
  /** What messages are signed with: the session key, and the NT response behind it. Empty for nobody, who cannot sign. */
  readonly macKey: Buffer
}

/** AV_PAIR ids. [MS-NLMP] 2.2.2.1. */
const AV_NB_COMPUTER_NAME = 1
const AV_NB_DOMAIN_NAME = 2

export interface Challenger {
  /** 8 bytes. */
  readonly challenge: Buffer
  /** As the server tells them in NEGOTIATE; empty where it does not. */
  readonly domain: string
  readonly server: string
}

export function rawNtlm(credentials: Credentials, { challenge, domain, server }: Challenger, chance: Chance): RawLogin {
  const { key, ntHash, lmHash } = credentials
  if (key === undefined) return { oem: Buffer.alloc(1), unicode: Buffer.alloc(0), macKey: Buffer.alloc(0) }
  const names = [
    { id: AV_NB_DOMAIN_NAME, text: domain },
    { id: AV_NB_COMPUTER_NAME, text: server },
  ].filter(({ text }) => text !== '')
  const pairs = encode(
    avPairs,
    names.map(({ id, text }) => ({ id, value: Buffer.from(text, 'utf16le') })),
  )
  const { time, clientChallenge } = chance
  const { nt, lm, sessionBaseKey } =
    ntHash === undefined ? ntlmV2(key.bytes, { time, clientChallenge, serverChallenge: challenge, pairs }) : ntlmV1(ntHash.bytes, challenge, lmHash?.bytes)
  const macKey = Buffer.concat([sessionBaseKey, nt])
  sessionBaseKey.fill(0)
  return { oem: lm, unicode: nt, macKey }
}
