import type { Codec } from '../../base/wire.ts'
import { getBlock, putBlock } from './block.ts'
import { getText, putText } from './text.ts'

/** [MS-CIFS] 2.2.4.52.2, [MS-SMB] 2.2.4.5.2: Capabilities. */
export const CAPABILITY = {
  UNICODE: 0x0000_0004,
  LARGE_FILES: 0x0000_0008,
  NT_SMBS: 0x0000_0010,
  STATUS32: 0x0000_0040,
  NT_FIND: 0x0000_0200,
  INFOLEVEL_PASSTHRU: 0x0000_2000,
  LARGE_READX: 0x0000_4000,
  LARGE_WRITEX: 0x0000_8000,
  UNIX: 0x0080_0000,
  EXTENDED_SECURITY: 0x8000_0000,
} as const

/** SecurityMode: passwords belong to users, not to shares; they are encrypted; messages can, or must, be signed. */
export const SECURITY = { USER: 0x1, CHALLENGE: 0x2, SIGNING_ENABLED: 0x4, SIGNING_REQUIRED: 0x8 } as const

export interface Negotiated {
  readonly securityMode: number
  readonly maxMpxCount: number
  /** The longest message that the server takes, but for large writes. */
  readonly maxBufferSize: number
  readonly sessionKey: number
  readonly capabilities: number
  /** FILETIME. */
  readonly systemTime: bigint
  /** 8 bytes; empty with extended security. */
  readonly challenge: Buffer
  /** With extended security; empty without. */
  readonly securityBlob: Buffer
  /** The server's domain and its name, as far as it tells them without extended security. */
  readonly domain: string
  readonly server: string
}

/** NEGOTIATE response for NT LM 0.12. [MS-CIFS] 2.2.4.52.2, [MS-SMB] 2.2.4.5.2. */
export const negotiated: Codec<Negotiated> = {
  name: 'SMB1 NEGOTIATE response of NT LM 0.12',
  put(w, m) {
    const extended = m.challenge.length === 0
    putBlock(
      w,
      () => {
        w.u16(0).u8(m.securityMode).u16(m.maxMpxCount).u16(1).u32(m.maxBufferSize).u32(0x1_0000).u32(m.sessionKey).u32(m.capabilities)
        w.u64(m.systemTime).u16(0).u8(m.challenge.length)
      },
      () => {
        if (extended) return void w.zeros(16).bytes(m.securityBlob) // ServerGUID
        const unicode = (m.capabilities & CAPABILITY.UNICODE) !== 0
        w.bytes(m.challenge)
        for (const name of [m.domain, m.server]) putText(w, name, unicode, w.pos) // these are not aligned
      },
    )
  },
  get(r) {
    const { words, bytes } = getBlock(r, 17)
    words.skip(2) // DialectIndex
    const securityMode = words.u8()
    const maxMpxCount = words.u16()
    words.skip(2) // MaxNumberVcs
    const maxBufferSize = words.u32()
    words.skip(4) // MaxRawSize
    const sessionKey = words.u32()
    const capabilities = words.u32()
    const systemTime = words.u64()
    words.skip(2) // ServerTimeZone
    const length = words.u8()
    const common = { securityMode, maxMpxCount, maxBufferSize, sessionKey, capabilities, systemTime }
    if ((capabilities & CAPABILITY.EXTENDED_SECURITY) !== 0) {
      bytes.skip(16) // ServerGUID
      return { ...common, challenge: Buffer.alloc(0), securityBlob: bytes.rest(), domain: '', server: '' }
    }
    const challenge = bytes.bytes(length)
    const unicode = (capabilities & CAPABILITY.UNICODE) !== 0
    const text = (): string => (bytes.left < (unicode ? 2 : 1) ? '' : getText(bytes, unicode, bytes.pos))
    return { ...common, challenge, securityBlob: Buffer.alloc(0), domain: text(), server: text() }
  },
}
