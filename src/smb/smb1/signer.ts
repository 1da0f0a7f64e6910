import { createHash, timingSafeEqual } from 'node:crypto'
import { NbtrunError } from '../../base/errors.ts'
import { HEADER_SIZE } from './header.ts'

const SIGNATURE_AT = 14
const SIGNATURE_SIZE = 8

/** Signs the messages of a connection: one key for all of it, and a number for each message. [MS-CIFS] 3.1.4.1 and 3.1.5.1. */
export class Smb1Signer {
  #key: Buffer | undefined

  /** The key becomes the signer's own. With extended security the session key; without, the session key and the NT response behind it. */
  constructor(key: Buffer) {
    this.#key = key
  }

  /** Writes the signature into the header. */
  sign(message: Buffer, sequence: number): void {
    this.#mac(message, sequence).copy(message, SIGNATURE_AT)
  }

  /** Leaves the message as it was. */
  verify(message: Buffer, sequence: number): boolean {
    if (message.length < HEADER_SIZE) return false
    const received = Buffer.from(message.subarray(SIGNATURE_AT, SIGNATURE_AT + SIGNATURE_SIZE))
    const right = timingSafeEqual(this.#mac(message, sequence), received)
    received.copy(message, SIGNATURE_AT)
    return right
  }

  wipe(): void {
    this.#key?.fill(0)
    this.#key = undefined
  }

  /** Over the message with its number where the signature goes. */
  #mac(message: Buffer, sequence: number): Buffer {
    if (this.#key === undefined) throw new NbtrunError('CLOSED', 'the signing key is wiped')
    message.writeUInt32LE(sequence, SIGNATURE_AT)
    message.writeUInt32LE(0, SIGNATURE_AT + 4)
    return createHash('md5').update(this.#key).update(message).digest().subarray(0, SIGNATURE_SIZE)
  }
}
