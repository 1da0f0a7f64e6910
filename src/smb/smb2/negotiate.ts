import { WireError, type Codec, type Reader, type Writer } from '../../base/wire.ts'
import type { Cipher } from '../crypto/sealer.ts'
import type { SigningAlgorithm } from '../crypto/signer.ts'
import { DIALECT } from './dialect.ts'
import { HEADER_SIZE } from './header.ts'

/** [MS-SMB2] 2.2.3.1: negotiate context types. */
export const CONTEXT = { PREAUTH_INTEGRITY: 1, ENCRYPTION: 2, COMPRESSION: 3, NETNAME: 5, SIGNING: 8 } as const

export const SECURITY_MODE = { SIGNING_ENABLED: 1, SIGNING_REQUIRED: 2 } as const

export const CAPABILITY = { DFS: 0x1, LEASING: 0x2, LARGE_MTU: 0x4, ENCRYPTION: 0x40 } as const

const SHA_512 = 1

/** [MS-SMB2] 2.2.3.1.7: signing algorithm ids. */
export const SIGNING_ID: Readonly<Record<SigningAlgorithm, number>> = { 'HMAC-SHA256': 0, 'AES-CMAC': 1, 'AES-GMAC': 2 }

/** [MS-SMB2] 2.2.3.1.2: cipher ids. */
export const CIPHER_ID: Readonly<Record<Cipher, number>> = { 'AES-128-CCM': 1, 'AES-128-GCM': 2, 'AES-256-CCM': 3, 'AES-256-GCM': 4 }

export interface NegotiateContext {
  readonly type: number
  readonly data: Buffer
}

export interface NegotiateRequest {
  readonly securityMode: number
  readonly capabilities: number
  /** 16 bytes. */
  readonly clientGuid: Buffer
  readonly dialects: readonly number[]
  /** Only sent, and only then looked for, with 3.1.1 among the dialects. */
  readonly contexts: readonly NegotiateContext[]
}

export interface NegotiateResponse {
  readonly securityMode: number
  readonly dialect: number
  readonly serverGuid: Buffer
  readonly capabilities: number
  readonly maxTransactSize: number
  readonly maxReadSize: number
  readonly maxWriteSize: number
  readonly systemTime: bigint
  readonly serverStartTime: bigint
  readonly securityBuffer: Buffer
  readonly contexts: readonly NegotiateContext[]
}

/** NEGOTIATE request. [MS-SMB2] 2.2.3. */
export const negotiateRequest: Codec<NegotiateRequest> = {
  name: 'SMB2 NEGOTIATE request',
  put(w, m) {
    const start = w.pos
    w.u16(36).u16(m.dialects.length).u16(m.securityMode).u16(0).u32(m.capabilities).bytes(m.clientGuid)
    const at = w.need(8) // NegotiateContextOffset, Count, Reserved2; ClientStartTime without contexts
    w.buf.fill(0, at, at + 8)
    for (const d of m.dialects) w.u16(d)
    if (m.contexts.length > 0) {
      w.align(8, start)
      w.patchU32(at, HEADER_SIZE + w.pos - start)
      w.patchU16(at + 4, m.contexts.length)
      putContexts(w, m.contexts, start)
    }
  },
  get(r) {
    r.fixed('StructureSize', 36, r.u16())
    const count = r.u16()
    const securityMode = r.u16()
    r.skip(2) // Reserved
    const capabilities = r.u32()
    const clientGuid = r.bytes(16)
    const contextOffset = r.u32()
    const contextCount = r.u16()
    r.skip(2) // Reserved2
    const dialects: number[] = []
    for (let i = 0; i < count; i++) dialects.push(r.u16())
    const contexts = dialects.includes(DIALECT['3.1.1']) ? getContexts(r, contextOffset, contextCount) : []
    return { securityMode, capabilities, clientGuid, dialects, contexts }
  },
}

/** NEGOTIATE response. [MS-SMB2] 2.2.4. */
export const negotiateResponse: Codec<NegotiateResponse> = {
  name: 'SMB2 NEGOTIATE response',
  put(w, m) {
    const start = w.pos
    w.u16(65).u16(m.securityMode).u16(m.dialect).u16(m.contexts.length).bytes(m.serverGuid).u32(m.capabilities)
    w.u32(m.maxTransactSize).u32(m.maxReadSize).u32(m.maxWriteSize).u64(m.systemTime).u64(m.serverStartTime)
    w.u16(HEADER_SIZE + 64).u16(m.securityBuffer.length)
    const at = w.need(4)
    w.buf.fill(0, at, at + 4)
    w.bytes(m.securityBuffer)
    if (m.contexts.length > 0) {
      w.align(8, start)
      w.patchU32(at, HEADER_SIZE + w.pos - start)
      putContexts(w, m.contexts, start)
    }
  },
  get(r) {
    r.fixed('StructureSize', 65, r.u16())
    const securityMode = r.u16()
    const dialect = r.u16()
    const contextCount = r.u16()
    const serverGuid = r.bytes(16)
    const capabilities = r.u32()
    const maxTransactSize = r.u32()
    const maxReadSize = r.u32()
    const maxWriteSize = r.u32()
    const systemTime = r.u64()
    const serverStartTime = r.u64()
    const securityOffset = r.u16()
    const securityLength = r.u16()
    const contextOffset = r.u32()
    const securityBuffer = bodySpan(r, securityOffset, securityLength)
    const contexts = dialect === DIALECT['3.1.1'] ? getContexts(r, contextOffset, contextCount) : []
    return {
      securityMode,
      dialect,
      serverGuid,
      capabilities,
      maxTransactSize,
      maxReadSize,
      maxWriteSize,
      systemTime,
      serverStartTime,
      securityBuffer,
      contexts,
    }
  },
}

/** A buffer named by its offset from the header, read from a reader over the body alone. An empty one may name any offset. */
export function bodySpan(r: Reader, offset: number, length: number): Buffer {
  if (length === 0) return r.span(0, 0)
  if (offset < HEADER_SIZE) throw new WireError(`offset ${offset} lies in the header`, r.pos)
  return r.span(offset - HEADER_SIZE, length)
}

function putContexts(w: Writer, contexts: readonly NegotiateContext[], start: number): void {
  for (const [i, c] of contexts.entries()) {
    if (i > 0) w.align(8, start)
    w.u16(c.type).u16(c.data.length).zeros(4).bytes(c.data)
  }
}

function getContexts(r: Reader, offset: number, count: number): NegotiateContext[] {
  const contexts: NegotiateContext[] = []
  let at = offset
  for (let i = 0; i < count; i++) {
    const head = bodySpan(r, at, 8)
    const type = head.readUInt16LE(0)
    const length = head.readUInt16LE(2)
    contexts.push({ type, data: length === 0 ? Buffer.alloc(0) : bodySpan(r, at + 8, length) })
    at += 8 + length
    at += (8 - (at % 8)) % 8
  }
  return contexts
}

/** The contexts of a 3.1.1 client: SHA-512 preauth integrity, ciphers, the server's name, signing algorithms. Salt: 32 random bytes. */
export function clientContexts(
  salt: Buffer,
  { signing, ciphers }: { readonly signing: readonly SigningAlgorithm[]; readonly ciphers: readonly Cipher[] },
  netname: string,
): NegotiateContext[] {
  const preauth = Buffer.alloc(6 + salt.length)
  preauth.writeUInt16LE(1, 0) // HashAlgorithmCount
  preauth.writeUInt16LE(salt.length, 2)
  preauth.writeUInt16LE(SHA_512, 4)
  salt.copy(preauth, 6)
  const encryption = {
    type: CONTEXT.ENCRYPTION,
    data: idList(ciphers, CIPHER_ID),
  }
  return [
    { type: CONTEXT.PREAUTH_INTEGRITY, data: preauth },
    ...(ciphers.length === 0 ? [] : [encryption]),
    { type: CONTEXT.NETNAME, data: Buffer.from(netname, 'utf16le') },
    { type: CONTEXT.SIGNING, data: idList(signing, SIGNING_ID) },
  ]
}

/** SMB2_SIGNING_CAPABILITIES and SMB2_ENCRYPTION_CAPABILITIES alike: a count and so many ids. */
function idList<Name extends string>(names: readonly Name[], ids: Readonly<Record<Name, number>>): Buffer {
  const data = Buffer.alloc(2 + 2 * names.length)
  data.writeUInt16LE(names.length, 0)
  for (const [i, name] of names.entries()) data.writeUInt16LE(ids[name], 2 + 2 * i)
  return data
}

/** Without SHA-512 there is no 3.1.1 ([MS-SMB2] 3.2.5.2). */
export function checkPreauth(m: NegotiateResponse): void {
  const preauth = only(m, CONTEXT.PREAUTH_INTEGRITY)
  if (preauth === undefined || preauth.length < 6 || preauth.readUInt16LE(0) !== 1 || preauth.readUInt16LE(4) !== SHA_512)
    throw new WireError('NEGOTIATE response: no SHA-512 preauth integrity', 0)
}

/** What a 3.1.1 server chose to sign with; undefined where it says nothing. */
export function chosenSigning(m: NegotiateResponse, offered: readonly SigningAlgorithm[]): SigningAlgorithm | undefined {
  const data = only(m, CONTEXT.SIGNING)
  return data === undefined ? undefined : chosen('signing algorithm', data, offered, SIGNING_ID)
}

/** What a 3.1.1 server chose to encrypt with; undefined where it cannot, or says 0: none of those. [MS-SMB2] 2.2.4.1.2. */
export function chosenCipher(m: NegotiateResponse, offered: readonly Cipher[]): Cipher | undefined {
  const data = only(m, CONTEXT.ENCRYPTION)
  if (data === undefined || (data.length >= 4 && data.readUInt16LE(0) === 1 && data.readUInt16LE(2) === 0)) return undefined
  return chosen('cipher', data, offered, CIPHER_ID)
}

function chosen<Name extends string>(what: string, data: Buffer, offered: readonly Name[], ids: Readonly<Record<Name, number>>): Name {
  const id = data.length >= 4 && data.readUInt16LE(0) === 1 ? data.readUInt16LE(2) : -1
  const name = offered.find(each => ids[each] === id)
  if (name === undefined) throw new WireError(`NEGOTIATE response: ${what} ${id} was not offered`, 0)
  return name
}

function only(m: NegotiateResponse, type: number): Buffer | undefined {
  const found = m.contexts.filter(c => c.type === type)
  if (found.length > 1) throw new WireError(`NEGOTIATE response: context ${type} stands twice`, 0)
  return found[0]?.data
}
