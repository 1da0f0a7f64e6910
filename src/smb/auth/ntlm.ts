import { createHmac, randomBytes } from 'node:crypto'
import { NbtrunError } from '../../base/errors.ts'
import { decode, encode, WireError } from '../../base/wire.ts'
import { Rc4 } from '../crypto/rc4.ts'
import type { Credentials } from './credentials.ts'
import {
  AV,
  AV_FLAG_MIC,
  authenticateMessage,
  type AvPair,
  avPairs,
  type Challenge,
  challengeMessage,
  MIC_AT,
  negotiateMessage,
  NTLM,
} from './ntlm-messages.ts'
import { NtlmMac } from './ntlm-mac.ts'
import { ntlmV1, ntlmV1Extended } from './ntlmv1.ts'

const OFFERED =
  (NTLM.UNICODE |
    NTLM.REQUEST_TARGET |
    NTLM.SIGN |
    NTLM.NTLM |
    NTLM.ALWAYS_SIGN |
    NTLM.EXTENDED_SESSIONSECURITY |
    NTLM.VERSION |
    NTLM.KEY_128 |
    NTLM.KEY_EXCH |
    NTLM.KEY_56) >>>
  0

/** 6.1, NTLM revision 15: what Samba's own client says. */
const VERSION = 0x0f00_0000_0000_0106n

/** Far above what any server sends, and small enough that the answer fits its 16-bit lengths. */
const LONGEST_TARGET_INFO = 16 * 1024

/** What a login takes from chance and from the clock. */
export interface Chance {
  /** 8 bytes. */
  readonly clientChallenge: Buffer
  /** 16 bytes: the session key, where the server agrees to key exchange. */
  readonly exportedSessionKey: Buffer
  /** FILETIME, for servers that do not tell theirs. */
  readonly time: bigint
}

export function freshChance(): Chance {
  return { clientChallenge: randomBytes(8), exportedSessionKey: randomBytes(16), time: BigInt(Date.now()) * 10_000n + 116_444_736_000_000_000n }
}

/** One NTLMv2 login, client side. [MS-NLMP] 3.1.5.1, connection-oriented. The credentials stay their owner's to wipe. */
export class NtlmClient {
  readonly #credentials: Credentials
  readonly #host: string
  readonly #chance: Chance
  readonly #negotiate: Buffer
  #sessionKey: Buffer | undefined
  #mac: NtlmMac | undefined

  /** `host` is the server as the user named it, without a port: it is bound into the login as `cifs/host`. */
  constructor(credentials: Credentials, host: string, chance: Chance = freshChance()) {
    this.#credentials = credentials
    this.#host = host
    this.#chance = chance
    this.#negotiate = encode(negotiateMessage, { flags: OFFERED, version: VERSION })
  }

  get negotiate(): Buffer {
    return this.#negotiate
  }

  /** 16 bytes, once `authenticate` was called; empty after an anonymous login, which has no key. Zeroed by `wipe`. */
  get sessionKey(): Buffer {
    if (this.#sessionKey === undefined) throw new NbtrunError('INTERNAL', 'NTLM session key asked for before the login')
    return this.#sessionKey
  }

  /** Signs and verifies on behalf of SPNEGO; undefined where the login gives no keys for that. */
  get mac(): NtlmMac | undefined {
    return this.#mac
  }

  /** The answer to a CHALLENGE message. Throws WireError for anything that is none. */
  authenticate(bytes: Buffer): Buffer {
    const challenge = decode(challengeMessage, bytes)
    if (!(challenge.flags & NTLM.UNICODE)) throw new WireError('NTLM CHALLENGE: the server does not speak Unicode', 20)
    const flags = (challenge.flags & (OFFERED | NTLM.TARGET_INFO)) >>> 0
    return this.#credentials.key === undefined ? this.#anonymous(flags) : this.#login(bytes, challenge, flags, this.#credentials.key.bytes)
  }

  wipe(): void {
    this.#sessionKey?.fill(0)
    this.#chance.exportedSessionKey.fill(0)
    this.#mac?.wipe()
    this.#mac = undefined
  }

  #login(challengeBytes: Buffer, challenge: Challenge, flags: number, key: Buffer): Buffer {
    const { clientChallenge } = this.#chance
    const { user, domain, workstation } = this.#credentials
    const pairs = challenge.targetInfo.length === 0 ? [] : decode(avPairs, challenge.targetInfo)
    if (challenge.targetInfo.length > LONGEST_TARGET_INFO) throw new WireError(`NTLM CHALLENGE: ${challenge.targetInfo.length} bytes of target info`, 40)
    // a server that tells its time understands the MIC, and wants its time back and no LM response: 3.1.5.1.2
    const timestamp = pairs.find(({ id, value }) => id === AV.TIMESTAMP && value.length === 8)?.value
    const hasMic = timestamp !== undefined && this.#credentials.ntHash === undefined

    const time = timestamp?.readBigUInt64LE() ?? this.#chance.time
    const pairsOfOurs = clientPairs(pairs, this.#host, hasMic)
    const answer = this.#answerV1(challenge, flags) ?? ntlmV2(key, { time, clientChallenge, serverChallenge: challenge.serverChallenge, pairs: pairsOfOurs })
    const lmResponse = hasMic ? Buffer.alloc(24) : answer.lm
    const baseKey = answer.sessionBaseKey // the key exchange key as well
    const exchanges = (flags & NTLM.KEY_EXCH) !== 0
    const sessionKey = Buffer.from(exchanges ? this.#chance.exportedSessionKey : baseKey)
    const authenticate = encode(authenticateMessage, {
      user,
      domain,
      workstation,
      flags,
      lmResponse,
      ntResponse: answer.nt,
      sessionKey: exchanges ? new Rc4(baseKey).apply(sessionKey) : Buffer.alloc(0),
      version: VERSION,
      mic: hasMic ? Buffer.alloc(16) : undefined,
    })
    baseKey.fill(0)
    if (hasMic) hmacMd5(sessionKey, this.#negotiate, challengeBytes, authenticate).copy(authenticate, MIC_AT)
    this.#sessionKey = sessionKey
    if (flags & NTLM.EXTENDED_SESSIONSECURITY && flags & NTLM.SIGN) this.#mac = new NtlmMac(sessionKey, flags)
    return authenticate
  }

  #answerV1({ serverChallenge }: Challenge, flags: number): Responses | undefined {
    const { ntHash, lmHash } = this.#credentials
    if (ntHash === undefined) return undefined
    if (flags & NTLM.EXTENDED_SESSIONSECURITY) return ntlmV1Extended(ntHash.bytes, serverChallenge, this.#chance.clientChallenge)
    return ntlmV1(ntHash.bytes, serverChallenge, lmHash?.bytes)
  }

  /** No key, so nothing to exchange or to sign with. [MS-NLMP] 3.2.5.1.2. */
  #anonymous(offered: number): Buffer {
    this.#sessionKey = Buffer.alloc(0)
    const flags = ((offered & ~(NTLM.KEY_EXCH | NTLM.SIGN | NTLM.ALWAYS_SIGN)) | NTLM.ANONYMOUS) >>> 0
    const none = Buffer.alloc(0)
    const { user, domain, workstation } = this.#credentials
    return encode(authenticateMessage, {
      user,
      domain,
      workstation,
      flags,
      lmResponse: Buffer.alloc(1),
      ntResponse: none,
      sessionKey: none,
      version: VERSION,
      mic: undefined,
    })
  }
}

/** The server's pairs, and ours behind them: MsvAvFlags, no channel bindings, the name we called. [MS-NLMP] 3.1.5.1.2. */
export function clientPairs(server: readonly AvPair[], host: string, hasMic: boolean): Buffer {
  const ours: readonly number[] = [AV.FLAGS, AV.CHANNEL_BINDINGS, AV.TARGET_NAME]
  const kept = server.filter(({ id }) => !ours.includes(id))
  const theirs = server.find(({ id, value }) => id === AV.FLAGS && value.length === 4)?.value.readUInt32LE() ?? 0
  const flags = Buffer.alloc(4)
  flags.writeUInt32LE((theirs | (hasMic ? AV_FLAG_MIC : 0)) >>> 0)
  return encode(avPairs, [
    ...kept,
    { id: AV.FLAGS, value: flags },
    { id: AV.CHANNEL_BINDINGS, value: Buffer.alloc(16) },
    { id: AV.TARGET_NAME, value: Buffer.from(`cifs/${host}`, 'utf16le') },
  ])
}

/** What proves that the password is known, and the key that follows. */
export interface Responses {
  readonly nt: Buffer
  readonly lm: Buffer
  /** 16 bytes. */
  readonly sessionBaseKey: Buffer
}

/** NTLMv2 and LMv2. `key` is NTOWFv2. [MS-NLMP] 3.3.2. */
export function ntlmV2(
  key: Uint8Array,
  from: { readonly time: bigint; readonly clientChallenge: Buffer; readonly serverChallenge: Buffer; readonly pairs: Buffer },
): Responses {
  const { time, clientChallenge, serverChallenge, pairs } = from
  const temp = ntlmv2Temp(time, clientChallenge, pairs)
  const proof = hmacMd5(key, serverChallenge, temp)
  const lm = Buffer.concat([hmacMd5(key, serverChallenge, clientChallenge), clientChallenge])
  return { nt: Buffer.concat([proof, temp]), lm, sessionBaseKey: hmacMd5(key, proof) }
}

/** What NTProofStr signs, and the larger part of the NT response. `pairs` with their end mark. [MS-NLMP] 2.2.2.7 and 3.3.2. */
export function ntlmv2Temp(time: bigint, clientChallenge: Buffer, pairs: Buffer): Buffer {
  const temp = Buffer.alloc(28 + pairs.length + 4)
  temp.writeUInt16LE(0x0101) // RespType, HiRespType
  temp.writeBigUInt64LE(time, 8)
  clientChallenge.copy(temp, 16)
  pairs.copy(temp, 28)
  return temp
}

export function hmacMd5(key: Uint8Array, ...parts: readonly Uint8Array[]): Buffer {
  const hmac = createHmac('md5', key)
  for (const part of parts) hmac.update(part)
  return hmac.digest()
}
