import type { Codec } from '../../base/wire.ts'

/** The first four bytes of a sealed message: 0xFD, `SMB`. */
const PROTOCOL_ID = 0xfd534d42

export const TRANSFORM_SIZE = 52

/** Flags with 3.1.1: encrypted. With 3.0 and 3.0.2 the same two bytes are the EncryptionAlgorithm, and the same 1 means AES-128-CCM. */
const ENCRYPTED = 1

/** The part of the header that is authenticated with the message: everything behind ProtocolId and Signature. */
const NONCE_AT = 20

export interface TransformHeader {
  /** 16 bytes: the tag of the cipher. */
  readonly signature: Buffer
  /** 16 bytes, of which CCM uses the first 11 and GCM the first 12; the rest is authenticated too. */
  readonly nonce: Buffer
  /** OriginalMessageSize. */
  readonly size: number
  readonly sessionId: bigint
}

/** SMB2 TRANSFORM_HEADER, before an encrypted message. [MS-SMB2] 2.2.41. */
export const transformHeader: Codec<TransformHeader> = {
  name: 'SMB2 TRANSFORM_HEADER',
  put(w, h) {
    w.u32be(PROTOCOL_ID).bytes(h.signature).bytes(h.nonce)
    w.u32(h.size).u16(0).u16(ENCRYPTED).u64(h.sessionId) // OriginalMessageSize, Reserved, Flags, SessionId
  },
  get(r) {
    r.fixed('ProtocolId', PROTOCOL_ID, r.u32be())
    const signature = r.bytes(16)
    const nonce = r.bytes(16)
    const size = r.u32()
    r.skip(2) // Reserved
    r.fixed('Flags', ENCRYPTED, r.u16())
    const sessionId = r.u64()
    return { signature, nonce, size, sessionId }
  },
}

/** Whether a frame is sealed. */
export function isSealed(frame: Buffer): boolean {
  return frame.length >= 4 && frame.readUInt32BE() === PROTOCOL_ID
}

/** The additional data of the cipher: a view of the raw header, the bytes that the codec leaves alone included. */
export function authenticated(frame: Buffer): Buffer {
  return frame.subarray(NONCE_AT, TRANSFORM_SIZE)
}
