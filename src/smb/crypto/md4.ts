const ROUNDS = [
  {
    mix: (x: number, y: number, z: number) => (x & y) | (~x & z),
    add: 0,
    shifts: [3, 7, 11, 19],
    order: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  },
  {
    mix: (x: number, y: number, z: number) => (x & y) | (x & z) | (y & z),
    add: 0x5a827999,
    shifts: [3, 5, 9, 13],
    order: [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15],
  },
  {
    mix: (x: number, y: number, z: number) => x ^ y ^ z,
    add: 0x6ed9eba1,
    shifts: [3, 9, 11, 15],
    order: [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15],
  },
] as const

/**
 * MD4, RFC 1320, which OpenSSL 3 no longer gives: 16 bytes. Passwords are its only input here, so the padded copy and the words are zeroed.
 */
export function md4(data: Uint8Array): Buffer {
  const padded = Buffer.alloc((data.length + 72) & ~63) // room for the 0x80 and the 64-bit length
  padded.set(data)
  padded[data.length] = 0x80
  padded.writeBigUInt64LE(BigInt(data.length) * 8n, padded.length - 8)

  const words = new Uint32Array(16)
  let [a, b, c, d] = [0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476]
  for (let block = 0; block < padded.length; block += 64) {
    for (let i = 0; i < 16; i++) words[i] = padded.readUInt32LE(block + 4 * i)
    const before = [a, b, c, d] as const
    for (const { mix, add, shifts, order } of ROUNDS) {
      order.forEach((word, i) => {
        const sum = (a + mix(b, c, d) + words[word]! + add) | 0
        const shift = shifts[i & 3]!
        ;[a, b, c, d] = [d, (sum << shift) | (sum >>> (32 - shift)), b, c]
      })
    }
    ;[a, b, c, d] = [(a + before[0]) | 0, (b + before[1]) | 0, (c + before[2]) | 0, (d + before[3]) | 0]
  }
  padded.fill(0)
  words.fill(0)

  const digest = Buffer.allocUnsafe(16)
  for (const [i, word] of [a, b, c, d].entries()) digest.writeInt32LE(word, 4 * i)
  return digest
}
