import { type Codec, Reader, WireError, type Writer } from '../../base/wire.ts'

/** NEGOTIATE flags. [MS-NLMP] 2.2.2.5. */
export const NTLM = {
  UNICODE: 0x0000_0001,
  REQUEST_TARGET: 0x0000_0004,
  SIGN: 0x0000_0010,
  NTLM: 0x0000_0200,
  ANONYMOUS: 0x0000_0800,
  ALWAYS_SIGN: 0x0000_8000,
  EXTENDED_SESSIONSECURITY: 0x0008_0000,
  TARGET_INFO: 0x0080_0000,
  VERSION: 0x0200_0000,
  KEY_128: 0x2000_0000,
  KEY_EXCH: 0x4000_0000,
  KEY_56: 0x8000_0000,
} as const

/** AV_PAIR ids. [MS-NLMP] 2.2.2.1. */
export const AV = { EOL: 0, FLAGS: 6, TIMESTAMP: 7, TARGET_NAME: 9, CHANNEL_BINDINGS: 10 } as const

/** MsvAvFlags: the AUTHENTICATE message carries a MIC. */
export const AV_FLAG_MIC = 0x2

const SIGNATURE = Buffer.from('NTLMSSP\0', 'latin1')

/** [MS-NLMP] 2.2.1.1. Domain and workstation are never sent by this client and not kept. */
export interface Negotiate {
  readonly flags: number
  /** VERSION, 8 bytes, of interest to nobody. */
  readonly version: bigint
}

export const negotiateMessage: Codec<Negotiate> = {
  name: 'NTLM NEGOTIATE',
  put(w, { flags, version }) {
    w.bytes(SIGNATURE).u32(1).u32(flags).zeros(16).u64(version)
  },
  get(r) {
    begin(r, 1)
    const flags = r.u32()
    r.skip(16) // DomainNameFields, WorkstationFields
    return { flags, version: r.u64() }
  },
}

/** [MS-NLMP] 2.2.1.2. */
export interface Challenge {
  readonly flags: number
  readonly targetName: string
  /** 8 bytes. */
  readonly serverChallenge: Buffer
  /** AV_PAIRs, undecoded; empty from servers that send none. */
  readonly targetInfo: Buffer
  readonly version: bigint
}

export const challengeMessage: Codec<Challenge> = {
  name: 'NTLM CHALLENGE',
  put(w, { flags, targetName, serverChallenge, targetInfo, version }) {
    const name = text(flags, targetName)
    w.bytes(SIGNATURE).u32(2)
    putField(w, name, 56)
    w.u32(flags).bytes(serverChallenge).zeros(8)
    putField(w, targetInfo, 56 + name.length)
    w.u64(version).bytes(name).bytes(targetInfo)
  },
  get(r) {
    begin(r, 2)
    const targetName = getField(r)
    const flags = r.u32()
    const serverChallenge = r.bytes(8)
    const hasInfo = (flags & NTLM.TARGET_INFO) !== 0
    if (hasInfo) r.skip(8) // Reserved
    const targetInfo = hasInfo ? getField(r).bytes : Buffer.alloc(0)
    const version = flags & NTLM.VERSION ? r.u64() : 0n
    return { flags, targetName: untext(flags, targetName), serverChallenge, targetInfo, version }
  },
}

/** [MS-NLMP] 2.2.1.3. */
export interface Authenticate {
  readonly flags: number
  readonly domain: string
  readonly user: string
  readonly workstation: string
  readonly lmResponse: Buffer
  readonly ntResponse: Buffer
  /** EncryptedRandomSessionKey: 16 bytes, or none. */
  readonly sessionKey: Buffer
  readonly version: bigint
  /** 16 bytes at MIC_AT; undefined where the message has no such field. */
  readonly mic: Buffer | undefined
}

/** Where the MIC lies in an AUTHENTICATE message that has one. */
export const MIC_AT = 72

export const authenticateMessage: Codec<Authenticate> = {
  name: 'NTLM AUTHENTICATE',
  put(w, { flags, lmResponse, ntResponse, sessionKey, version, mic, ...names }) {
    const domain = text(flags, names.domain)
    const user = text(flags, names.user)
    const workstation = text(flags, names.workstation)
    const domainAt = mic === undefined ? MIC_AT : MIC_AT + 16
    const userAt = domainAt + domain.length
    const workstationAt = userAt + user.length
    const lmAt = workstationAt + workstation.length
    const ntAt = lmAt + lmResponse.length
    w.bytes(SIGNATURE).u32(3)
    putField(w, lmResponse, lmAt)
    putField(w, ntResponse, ntAt)
    putField(w, domain, domainAt)
    putField(w, user, userAt)
    putField(w, workstation, workstationAt)
    putField(w, sessionKey, ntAt + ntResponse.length)
    w.u32(flags).u64(version)
    if (mic !== undefined) w.bytes(mic)
    for (const bytes of [domain, user, workstation, lmResponse, ntResponse, sessionKey]) w.bytes(bytes)
  },
  get(r) {
    begin(r, 3)
    const [lm, nt, domain, user, workstation, key] = [getField(r), getField(r), getField(r), getField(r), getField(r), getField(r)] as const
    const flags = r.u32()
    const version = r.u64()
    const payloadAt = Math.min(...[lm, nt, domain, user, workstation, key].map(({ at }) => at))
    return {
      flags,
      domain: untext(flags, domain),
      user: untext(flags, user),
      workstation: untext(flags, workstation),
      lmResponse: lm.bytes,
      ntResponse: nt.bytes,
      sessionKey: key.bytes,
      version,
      mic: payloadAt >= MIC_AT + 16 ? r.bytes(16) : undefined,
    }
  },
}

/** One AV_PAIR. [MS-NLMP] 2.2.2.1. */
export interface AvPair {
  readonly id: number
  readonly value: Buffer
}

/** A list of AV_PAIRs, its end mark left out. */
export const avPairs: Codec<readonly AvPair[]> = {
  name: 'NTLM AV_PAIRs',
  put(w, pairs) {
    for (const { id, value } of pairs) w.u16(id).u16(value.length).bytes(value)
    w.u16(AV.EOL).u16(0)
  },
  get(r) {
    const pairs: AvPair[] = []
    for (let id = r.u16(); id !== AV.EOL; id = r.u16()) pairs.push({ id, value: r.bytes(r.u16()) })
    r.fixed('AvLen of the end', 0, r.u16())
    return pairs
  },
}

interface Field {
  readonly at: number
  readonly bytes: Buffer
}

function begin(r: Reader, type: number): void {
  if (!r.bytes(8).equals(SIGNATURE)) throw new WireError('signature is not NTLMSSP', 0)
  r.fixed('MessageType', type, r.u32())
}

/** Len, MaxLen and an offset from the start of the message. [MS-NLMP] 2.2.1.1. */
function putField(w: Writer, bytes: Buffer, at: number): void {
  w.u16(bytes.length).u16(bytes.length).u32(at)
}

function getField(r: Reader): Field {
  const length = r.u16()
  r.skip(2) // MaxLen
  const at = r.u32()
  return { at, bytes: length === 0 ? Buffer.alloc(0) : r.span(at, length) }
}

function text(flags: number, value: string): Buffer {
  return Buffer.from(value, flags & NTLM.UNICODE ? 'utf16le' : 'latin1')
}

function untext(flags: number, { at, bytes }: Field): string {
  if (!(flags & NTLM.UNICODE)) return bytes.toString('latin1')
  if (bytes.length % 2 !== 0) throw new WireError(`UTF-16 string of ${bytes.length} bytes`, at)
  return bytes.toString('utf16le')
}
