import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { Rc4 } from '../crypto/rc4.ts'
import { NTLM } from './ntlm-messages.ts'

export type Direction = 'client-to-server' | 'server-to-client'

/** [MS-NLMP] 3.4.5.2, with extended session security. */
export function ntlmSigningKey(sessionKey: Uint8Array, direction: Direction): Buffer {
  return createHash('md5').update(sessionKey).update(`session key to ${direction} signing key magic constant\0`).digest()
}

/** [MS-NLMP] 3.4.5.3, with extended session security. */
export function ntlmSealingKey(sessionKey: Uint8Array, direction: Direction, flags: number): Buffer {
  const strength = flags & NTLM.KEY_128 ? 16 : flags & NTLM.KEY_56 ? 7 : 5
  return createHash('md5').update(sessionKey.subarray(0, strength)).update(`session key to ${direction} sealing key magic constant\0`).digest()
}

/** Message signatures of one login, each way with its own key and sequence number. [MS-NLMP] 3.4.4.2. */
export class NtlmMac {
  readonly #out: OneWay
  readonly #in: OneWay

  constructor(sessionKey: Uint8Array, flags: number) {
    this.#out = new OneWay(sessionKey, 'client-to-server', flags)
    this.#in = new OneWay(sessionKey, 'server-to-client', flags)
  }

  /** 16 bytes for the next message to the server. */
  sign(message: Uint8Array): Buffer {
    return this.#out.next(message)
  }

  /** Whether `signature` belongs to the next message from the server. */
  verify(message: Uint8Array, signature: Uint8Array): boolean {
    const expected = this.#in.next(message)
    return signature.length === expected.length && timingSafeEqual(expected, signature)
  }

  wipe(): void {
    this.#out.wipe()
    this.#in.wipe()
  }
}

class OneWay {
  readonly #key: Buffer
  readonly #seal: Rc4 | undefined
  #sequence = 0

  constructor(sessionKey: Uint8Array, direction: Direction, flags: number) {
    this.#key = ntlmSigningKey(sessionKey, direction)
    if (flags & NTLM.KEY_EXCH) this.#seal = new Rc4(ntlmSealingKey(sessionKey, direction, flags))
  }

  next(message: Uint8Array): Buffer {
    const signature = Buffer.alloc(16)
    signature.writeUInt32LE(1) // Version
    signature.writeUInt32LE(this.#sequence++, 12)
    const checksum = createHmac('md5', this.#key).update(signature.subarray(12)).update(message).digest().subarray(0, 8)
    signature.set(this.#seal?.apply(checksum) ?? checksum, 4)
    return signature
  }

  wipe(): void {
    this.#key.fill(0)
    this.#seal?.wipe()
  }
}
