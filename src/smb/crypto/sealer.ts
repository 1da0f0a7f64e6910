import { createCipheriv, createDecipheriv, randomBytes, type CipherCCMTypes, type CipherGCMTypes } from 'node:crypto'
import { NbtrunError } from '../../base/errors.ts'
import { decode, WireError, Writer } from '../../base/wire.ts'
import { authenticated, TRANSFORM_SIZE, transformHeader } from '../smb2/transform.ts'

/** [MS-SMB2] 2.2.3.1.2. With 3.0 and 3.0.2 it is always AES-128-CCM. */
export type Cipher = 'AES-128-CCM' | 'AES-128-GCM' | 'AES-256-CCM' | 'AES-256-GCM'

/** 16 or 32 bytes each, as the cipher needs. */
export interface SealingKeys {
  readonly toServer: Uint8Array
  readonly fromServer: Uint8Array
}

/** Encrypts the messages of one session and opens those of its server. [MS-SMB2] 3.1.4.3 and 3.2.5.1.1.1. */
export interface Sealer {
  readonly cipher: Cipher
  /** One message, or several compounded, as a sealed frame. */
  seal(sessionId: bigint, message: Buffer): Buffer
  /** What a sealed frame holds. Throws BAD_SIGNATURE when it was not sealed with this session's key, WIRE when it is no sealed frame. */
  open(frame: Buffer): Buffer
  /** Zeroes the keys; sealing and opening throw CLOSED from then on. */
  wipe(): void
}

/** Makes the 16 bytes of the header's Nonce field, never the same ones twice for a key. */
export type Nonces = () => Buffer

type Mode = { readonly ccm: true; readonly name: CipherCCMTypes } | { readonly ccm: false; readonly name: CipherGCMTypes }

const MODES: Readonly<Record<Cipher, Mode>> = {
  'AES-128-CCM': { ccm: true, name: 'aes-128-ccm' },
  'AES-256-CCM': { ccm: true, name: 'aes-256-ccm' },
  'AES-128-GCM': { ccm: false, name: 'aes-128-gcm' },
  'AES-256-GCM': { ccm: false, name: 'aes-256-gcm' },
}
const NONCE_BYTES = { ccm: 11, gcm: 12 } as const
const TAG = { authTagLength: 16 } as const

/** The keys are copied: their owner may wipe them. */
export function sealerFor(cipher: Cipher, keys: SealingKeys, nonces: Nonces = countingNonces(MODES[cipher].ccm)): Sealer {
  return new AesSealer(cipher, keys, nonces)
}

class AesSealer implements Sealer {
  readonly cipher: Cipher
  readonly #mode: Mode
  readonly #nonceBytes: number
  readonly #nonces: Nonces
  #keys: { readonly toServer: Buffer; readonly fromServer: Buffer } | undefined

  constructor(cipher: Cipher, { toServer, fromServer }: SealingKeys, nonces: Nonces) {
    this.cipher = cipher
    this.#mode = MODES[cipher]
    this.#nonceBytes = this.#mode.ccm ? NONCE_BYTES.ccm : NONCE_BYTES.gcm
    this.#nonces = nonces
    this.#keys = { toServer: Buffer.from(toServer), fromServer: Buffer.from(fromServer) }
  }

  seal(sessionId: bigint, message: Buffer): Buffer {
    const { toServer } = this.#held()
    const w = new Writer(TRANSFORM_SIZE + message.length)
    const nonce = this.#nonces()
    transformHeader.put(w, { signature: Buffer.alloc(16), nonce, size: message.length, sessionId })
    const iv = nonce.subarray(0, this.#nonceBytes)
    const cipher = this.#mode.ccm ? createCipheriv(this.#mode.name, toServer, iv, TAG) : createCipheriv(this.#mode.name, toServer, iv, TAG)
    cipher.setAAD(authenticated(w.done()), { plaintextLength: message.length })
    w.bytes(cipher.update(message))
    cipher.final()
    const frame = w.done()
    frame.set(cipher.getAuthTag(), 4)
    return frame
  }

  open(frame: Buffer): Buffer {
    const { fromServer } = this.#held()
    const { signature, nonce, size } = decode(transformHeader, frame)
    const sealed = frame.subarray(TRANSFORM_SIZE)
    if (size !== sealed.length) throw new WireError(`${transformHeader.name}: OriginalMessageSize is ${size}, ${sealed.length} bytes came`, 36)
    const iv = nonce.subarray(0, this.#nonceBytes)
    const decipher = this.#mode.ccm ? createDecipheriv(this.#mode.name, fromServer, iv, TAG) : createDecipheriv(this.#mode.name, fromServer, iv, TAG)
    decipher.setAuthTag(signature)
    decipher.setAAD(authenticated(frame), { plaintextLength: size })
    try {
      const message = decipher.update(sealed)
      decipher.final() // here it is that a wrong tag throws
      return message
    } catch (thrown) {
      throw new NbtrunError('BAD_SIGNATURE', `an answer was not encrypted with the session's key (${this.cipher})`, {
        cause: thrown,
        hint: 'somebody or something between here and the server changes what is sent; nothing more was read or written',
      })
    }
  }

  wipe(): void {
    this.#keys?.toServer.fill(0)
    this.#keys?.fromServer.fill(0)
    this.#keys = undefined
  }

  #held(): { readonly toServer: Buffer; readonly fromServer: Buffer } {
    if (this.#keys === undefined) throw new NbtrunError('CLOSED', 'the encryption keys are wiped')
    return this.#keys
  }
}

/**
 * A counter of 8 bytes, then random bytes that stay the same for the key, then zeros. The counter alone keeps nonces apart: a random one would
 * meet itself again after 2^44 messages of CCM.
 */
function countingNonces(ccm: boolean): Nonces {
  const salt = randomBytes((ccm ? NONCE_BYTES.ccm : NONCE_BYTES.gcm) - 8)
  let next = 0n
  return () => {
    const nonce = Buffer.alloc(16)
    nonce.writeBigUInt64LE(next++) // throws before it would begin again
    salt.copy(nonce, 8)
    return nonce
  }
}
