import type { Codec, Reader } from '../../base/wire.ts'
import { getBlock, putAndX, putBlock, skipAndX } from './block.ts'
import { getText, putText } from './text.ts'

/** What both kinds of SESSION_SETUP_ANDX say first. [MS-CIFS] 2.2.4.53.1. */
interface Client {
  readonly maxBufferSize: number
  readonly maxMpxCount: number
  /** The server shall end all others of this machine. */
  readonly resetClient: boolean
  /** From the NEGOTIATE answer. */
  readonly sessionKey: number
  readonly capabilities: number
  readonly unicode: boolean
}

/** By SPNEGO. [MS-SMB] 2.2.4.6.1. */
export interface SessionSetupRequest extends Client {
  readonly securityBlob: Buffer
}

/** By NTLM alone. [MS-CIFS] 2.2.4.53.1. */
export interface RawSessionSetupRequest extends Client {
  /** LM, LMv2, or what stands in their place. */
  readonly oemPassword: Buffer
  /** NTLM or NTLMv2. */
  readonly unicodePassword: Buffer
  readonly user: string
  readonly domain: string
}

export interface SessionSetupResponse {
  readonly guest: boolean
  /** Empty in the answer to a raw login. */
  readonly securityBlob: Buffer
}

/**
 * 0 has the server end every other session from this machine's address, other users' and other machines' behind the same router included, and need not mean that
 * it waits for the login to succeed (Samba does not). [MS-CIFS] 3.3.5.43.
 */
const VC_NUMBER = { reset: 0, usual: 1 } as const
const vcNumber = ({ resetClient }: { readonly resetClient: boolean }): number => (resetClient ? VC_NUMBER.reset : VC_NUMBER.usual)

function getReset(words: Reader): boolean {
  const number = words.u16()
  if (number !== VC_NUMBER.reset) words.fixed('VcNumber', VC_NUMBER.usual, number)
  return number === VC_NUMBER.reset
}
const OS = 'Unix'
const LAN_MANAGER = 'nbtrun'

export const sessionSetupRequest: Codec<SessionSetupRequest> = {
  name: 'SMB1 SESSION_SETUP_ANDX request',
  put(w, m) {
    putBlock(
      w,
      () => {
        putAndX(w)
        w.u16(m.maxBufferSize).u16(m.maxMpxCount).u16(vcNumber(m)).u32(m.sessionKey).u16(m.securityBlob.length).u32(0).u32(m.capabilities)
      },
      (_, start) => {
        w.bytes(m.securityBlob)
        putText(w, OS, m.unicode, start)
        putText(w, LAN_MANAGER, m.unicode, start)
      },
    )
  },
  get(r) {
    const { words, bytes } = getBlock(r, 12)
    skipAndX(words)
    const [maxBufferSize, maxMpxCount] = [words.u16(), words.u16()]
    const resetClient = getReset(words)
    const sessionKey = words.u32()
    const length = words.u16()
    words.skip(4) // Reserved
    const capabilities = words.u32()
    return {
      maxBufferSize,
      maxMpxCount,
      resetClient,
      sessionKey,
      capabilities,
      securityBlob: bytes.bytes(length),
      unicode: bytes.buf.includes('U\0n\0', length, 'latin1'),
    }
  },
}

export const rawSessionSetupRequest: Codec<RawSessionSetupRequest> = {
  name: 'SMB1 SESSION_SETUP_ANDX request without SPNEGO',
  put(w, m) {
    putBlock(
      w,
      () => {
        putAndX(w)
        w.u16(m.maxBufferSize).u16(m.maxMpxCount).u16(vcNumber(m)).u32(m.sessionKey)
        w.u16(m.oemPassword.length).u16(m.unicodePassword.length).u32(0).u32(m.capabilities)
      },
      (_, start) => {
        w.bytes(m.oemPassword).bytes(m.unicodePassword)
        for (const text of [m.user, m.domain, OS, LAN_MANAGER]) putText(w, text, m.unicode, start)
      },
    )
  },
  get(r) {
    const { words, bytes, bytesAt } = getBlock(r, 13)
    skipAndX(words)
    const [maxBufferSize, maxMpxCount] = [words.u16(), words.u16()]
    const resetClient = getReset(words)
    const sessionKey = words.u32()
    const [oemLength, unicodeLength] = [words.u16(), words.u16()]
    words.skip(4) // Reserved
    const capabilities = words.u32()
    const oemPassword = bytes.bytes(oemLength)
    const unicodePassword = bytes.bytes(unicodeLength)
    const unicode = bytes.buf.includes('U\0n\0', 0, 'latin1')
    const user = getText(bytes, unicode, bytesAt)
    const domain = getText(bytes, unicode, bytesAt)
    return { maxBufferSize, maxMpxCount, resetClient, sessionKey, capabilities, oemPassword, unicodePassword, user, domain, unicode }
  },
}

/** The answer to both. [MS-CIFS] 2.2.4.53.2, [MS-SMB] 2.2.4.6.2. What the server calls itself behind it is of interest to nobody. */
export const sessionSetupResponse: Codec<SessionSetupResponse> = {
  name: 'SMB1 SESSION_SETUP_ANDX response',
  put(w, m) {
    putBlock(
      w,
      () => {
        putAndX(w)
        w.u16(m.guest ? 1 : 0).u16(m.securityBlob.length)
      },
      () => w.bytes(m.securityBlob),
    )
  },
  get(r) {
    const { words, bytes } = getBlock(r, 3, 4)
    skipAndX(words)
    const guest = (words.u16() & 1) !== 0
    return { guest, securityBlob: words.left === 0 ? Buffer.alloc(0) : bytes.bytes(words.u16()) }
  },
}
