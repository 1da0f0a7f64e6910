import { createCipheriv } from 'node:crypto'

const ZERO = Buffer.alloc(16)
/** CBC's output is thrown away, so it is made in pieces that stay in the processor's cache. */
const PIECE = 64 * 1024

/**
 * AES-128-CMAC, RFC 4493. The MAC is the last block of a CBC encryption whose last block of plaintext was mixed with a subkey, so one native CBC
 * pass does the work. The subkeys are derived once per key.
 */
export class AesCmac {
  readonly #key: Buffer
  readonly #whole: Buffer
  readonly #padded: Buffer

  constructor(key: Uint8Array) {
    this.#key = Buffer.from(key)
    const cipher = createCipheriv('aes-128-ecb', this.#key, null).setAutoPadding(false)
    this.#whole = doubled(cipher.update(ZERO))
    cipher.final() // OpenSSL zeroes its copy of the key now, not when the garbage is collected
    this.#padded = doubled(this.#whole)
  }

  mac(message: Uint8Array): Buffer {
    const lastAt = message.length === 0 ? 0 : (message.length - 1) & ~15
    const size = message.length - lastAt
    const last = Buffer.from(size === 16 ? this.#whole : this.#padded)
    for (let i = 0; i < size; i++) last[i]! ^= message[lastAt + i]!
    if (size < 16) last[size]! ^= 0x80

    const cipher = createCipheriv('aes-128-cbc', this.#key, ZERO).setAutoPadding(false)
    for (let at = 0; at < lastAt; at += PIECE) cipher.update(message.subarray(at, Math.min(at + PIECE, lastAt)))
    const mac = cipher.update(last)
    cipher.final()
    return mac
  }

  wipe(): void {
    for (const secret of [this.#key, this.#whole, this.#padded]) secret.fill(0)
  }
}

/** Multiplication by x in GF(2^128). RFC 4493 section 2.3. */
function doubled(block: Buffer): Buffer {
  const out = Buffer.allocUnsafe(16)
  for (let i = 0; i < 16; i++) out[i] = (block[i]! << 1) | (i < 15 ? block[i + 1]! >>> 7 : 0)
  if (block[0]! & 0x80) out[15]! ^= 0x87
  return out
}
