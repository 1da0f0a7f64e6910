import { createCipheriv, createHash, createHmac } from 'node:crypto'
import { md4 } from '../crypto/md4.ts'

/** NTLMv1 and LM, for servers that know nothing better. Credentials keep what these need only where that was asked for. */
export interface NtlmV1Response {
  /** 24 bytes each. */
  readonly nt: Buffer
  readonly lm: Buffer
  /** 16 bytes. */
  readonly sessionBaseKey: Buffer
}

/** [MS-NLMP] 3.3.1. Without an LM hash the NT response stands in its place, which proves no less and tells no more. */
export function ntlmV1(ntHash: Uint8Array, challenge: Uint8Array, lm?: Uint8Array): NtlmV1Response {
  const nt = desl(ntHash, challenge)
  return { nt, lm: lm === undefined ? nt : desl(lm, challenge), sessionBaseKey: md4(Buffer.from(ntHash)) }
}

/** With extended session security: the client's challenge, 8 bytes, stands where the LM response would. [MS-NLMP] 3.3.1 and 3.4.5.1. */
export function ntlmV1Extended(ntHash: Uint8Array, challenge: Uint8Array, clientChallenge: Uint8Array): NtlmV1Response {
  const both = Buffer.concat([challenge, clientChallenge])
  const nt = desl(ntHash, createHash('md5').update(both).digest().subarray(0, 8))
  const sessionBaseKey = createHmac('md5', md4(Buffer.from(ntHash)))
    .update(both)
    .digest() // KXKEY, which is all that it is used for
  return { nt, lm: Buffer.concat([clientChallenge, Buffer.alloc(16)]), sessionBaseKey }
}

/** LMOWFv1. `password` in UTF-16LE; LM knows capitals of one byte each, 14 of them. [MS-NLMP] 3.3.1. */
export function lmHash(password: Buffer): Buffer {
  const key = Buffer.alloc(14)
  for (let i = 0; i < Math.min(14, password.length / 2); i++) {
    const unit = password.readUInt16LE(2 * i)
    key[i] = unit >= 0x61 && unit <= 0x7a ? unit - 0x20 : unit
  }
  const hash = Buffer.concat([des(key.subarray(0, 7), MAGIC), des(key.subarray(7), MAGIC)])
  key.fill(0)
  return hash
}

const MAGIC = Buffer.from('KGS!@#$%', 'latin1')

/** DESL: three keys of 7 bytes from 16 and 5 zeros. [MS-NLMP] section 6. */
function desl(key: Uint8Array, data: Uint8Array): Buffer {
  const long = Buffer.alloc(21)
  long.set(key)
  const out = Buffer.concat([0, 7, 14].map(at => des(long.subarray(at, at + 7), data)))
  long.fill(0)
  return out
}

/** One block of DES: OpenSSL 3 has it as triple DES with one key thrice only. */
function des(key7: Buffer, data: Uint8Array): Buffer {
  const key = Buffer.alloc(8)
  for (let i = 0; i < 8; i++) {
    const bits = (((key7[i - 1] ?? 0) << 8) | (key7[i] ?? 0)) >>> i
    key[i] = bits & 0xfe // the last bit is parity, which nobody looks at
  }
  const cipher = createCipheriv('des-ede3-ecb', Buffer.concat([key, key, key]), null).setAutoPadding(false)
  const out = Buffer.concat([cipher.update(data), cipher.final()])
  key.fill(0)
  return out
}
