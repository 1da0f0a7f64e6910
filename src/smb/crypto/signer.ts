import { createCipheriv, createHmac, timingSafeEqual } from 'node:crypto'
import { NbtrunError } from '../../base/errors.ts'
import { AesCmac } from './cmac.ts'

/** Of SMB2; SMB1 has MD5. */
export type SigningAlgorithm = 'AES-CMAC' | 'AES-GMAC' | 'HMAC-SHA256'

/**
 * Signs raw SMB2 messages: one message of a frame, its 64-byte header first, its padding included where another one follows (NextCommand).
 * [MS-SMB2] 3.1.4.1 and 3.1.5.1.
 */
export interface Signer {
  readonly algorithm: SigningAlgorithm
  /** Writes the signature into the header; everything else, SMB2_FLAGS_SIGNED included, must stand there already. */
  sign(message: Buffer): void
  /** Whether the signature in the header is right. Leaves the message as it was. */
  verify(message: Buffer): boolean
  /** Zeroes the key; signing and verifying throw CLOSED from then on. */
  wipe(): void
}

const HEADER = 64
const COMMAND_AT = 12
const FLAGS_AT = 16
const MESSAGE_ID_AT = 24
const SIGNATURE_AT = 48
const SERVER_TO_REDIR = 1
const CANCEL = 12

/** What makes the 16 bytes, over a message whose signature field is zero. */
interface Mac {
  mac(message: Buffer): Buffer
  wipe(): void
}

/** The key is copied: its owner may wipe it. 16 bytes for the two AES algorithms. */
export function signerFor(algorithm: SigningAlgorithm, key: Uint8Array): Signer {
  const mac = { 'AES-CMAC': () => new AesCmac(key), 'AES-GMAC': () => gmac(key), 'HMAC-SHA256': () => hmac(key) }[algorithm]()
  return new MacSigner(algorithm, mac)
}

class MacSigner implements Signer {
  readonly algorithm: SigningAlgorithm
  #mac: Mac | undefined

  constructor(algorithm: SigningAlgorithm, mac: Mac) {
    this.algorithm = algorithm
    this.#mac = mac
  }

  sign(message: Buffer): void {
    if (message.length < HEADER) throw new NbtrunError('INTERNAL', `cannot sign ${message.length} bytes, which hold no SMB2 header`)
    message.fill(0, SIGNATURE_AT, HEADER)
    this.#compute(message).copy(message, SIGNATURE_AT)
  }

  verify(message: Buffer): boolean {
    if (message.length < HEADER) return false
    const field = message.subarray(SIGNATURE_AT, HEADER)
    const received = Buffer.from(field)
    field.fill(0) // for the moment of the computation: cheaper than a copy of the message
    try {
      return timingSafeEqual(this.#compute(message), received)
    } finally {
      received.copy(field)
    }
  }

  wipe(): void {
    this.#mac?.wipe()
    this.#mac = undefined
  }

  #compute(message: Buffer): Buffer {
    if (this.#mac === undefined) throw new NbtrunError('CLOSED', 'the signing key is wiped')
    return this.#mac.mac(message)
  }
}

/** The message is all additional data. The nonce is MessageId, then the sender's role (bit 0: server) and whether it is a CANCEL (bit 1). */
function gmac(key: Uint8Array): Mac {
  const secret = Buffer.from(key)
  return {
    mac(message) {
      const nonce = Buffer.alloc(12)
      message.copy(nonce, 0, MESSAGE_ID_AT, MESSAGE_ID_AT + 8)
      const fromServer = message.readUInt32LE(FLAGS_AT) & SERVER_TO_REDIR
      const isCancel = message.readUInt16LE(COMMAND_AT) === CANCEL
      nonce[8] = fromServer | (isCancel ? 2 : 0)
      const cipher = createCipheriv('aes-128-gcm', secret, nonce).setAAD(message)
      cipher.final()
      return cipher.getAuthTag()
    },
    wipe: () => secret.fill(0),
  }
}

function hmac(key: Uint8Array): Mac {
  const secret = Buffer.from(key)
  return {
    mac: message => createHmac('sha256', secret).update(message).digest().subarray(0, 16),
    wipe: () => secret.fill(0),
  }
}
