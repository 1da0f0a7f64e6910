import { Reader, WireError } from '../../base/wire.ts'

/** Tags of the SPNEGO grammar, X.690 8.1.2. */
export const TAG = { OCTETS: 0x04, OID: 0x06, ENUMERATED: 0x0a, GENERAL_STRING: 0x1b, SEQUENCE: 0x30, APPLICATION_0: 0x60 } as const

/** The constructed context tag [n]. */
export function context(n: number): number {
  return 0xa0 | n
}

/** One element, its length in the shortest form. */
export function element(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const length = contents.reduce((sum, part) => sum + part.length, 0)
  const digits: number[] = []
  for (let left = length; left > 0; left = left >>> 8) digits.unshift(left & 0xff)
  const head = length < 0x80 ? [tag, length] : [tag, 0x80 | digits.length, ...digits]
  return Buffer.concat([Buffer.from(head), ...contents])
}

/** The next element. Lengths may be longer than needed, as real servers send them; indefinite ones are refused. */
export function anyElement(r: Reader): { readonly tag: number; readonly contents: Reader } {
  const tag = r.u8()
  let length = r.u8()
  if (length >= 0x80) {
    const digits = length & 0x7f
    if (digits === 0 || digits > 4) throw new WireError(`DER length of ${digits} bytes`, r.pos - 1)
    length = 0
    for (let i = 0; i < digits; i++) length = length * 256 + r.u8()
  }
  return { tag, contents: new Reader(r.bytes(length)) }
}

/** The contents of the next element, which must have this tag. */
export function expectElement(r: Reader, tag: number): Reader {
  const at = r.pos
  const found = anyElement(r)
  if (found.tag !== tag) throw new WireError(`DER tag is 0x${found.tag.toString(16)}, must be 0x${tag.toString(16)}`, at)
  return found.contents
}
