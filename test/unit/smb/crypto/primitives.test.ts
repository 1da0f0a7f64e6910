import assert from 'node:assert/strict'
import { createCipheriv } from 'node:crypto'
import { test } from 'node:test'
import { AesCmac } from '../../../../src/smb/crypto/cmac.ts'
import { md4 } from '../../../../src/smb/crypto/md4.ts'
import { Rc4 } from '../../../../src/smb/crypto/rc4.ts'
import * as vectors from '../../../vectors/vectors.ts'

test('MD4 gives the digests of RFC 1320', () => {
  for (const [text, digest] of vectors.MD4) assert.equal(md4(Buffer.from(text)).toString('hex'), digest)
})

test('MD4 pads every length around a block, and leaves its input alone', () => {
  // openssl dgst -provider legacy -md4 over so many letters a
  const digests: readonly (readonly [number, string])[] = [
    [54, '10993f670d6d785f3e87bc46e8da89dc'],
    [55, 'c889c81dd86c4d2e025778944ea02881'],
    [56, 'd5f9a9e9257077a5f08b0b92f348b0ad'],
    [63, '7ea3da77432d44c323671097d1348fc8'],
    [64, '52f5076fabd22680234a3fa9f9dc5732'],
    [65, '330e377bf231f3cacfecc2c182fe7e5b'],
  ]
  for (const [length, digest] of digests) {
    const input = Buffer.alloc(length, 'a')
    assert.equal(md4(input).toString('hex'), digest)
    assert.deepEqual(input, Buffer.alloc(length, 'a'))
  }
})

test('RC4 gives the known ciphertexts, and goes on where it stopped', () => {
  for (const [key, text, ciphertext] of vectors.RC4) {
    assert.equal(new Rc4(Buffer.from(key)).apply(Buffer.from(text)).toString('hex'), ciphertext)
    const stream = new Rc4(Buffer.from(key))
    const halves = [text.slice(0, 2), text.slice(2)].map(half => stream.apply(Buffer.from(half)))
    assert.equal(Buffer.concat(halves).toString('hex'), ciphertext)
  }
})

test('AES-CMAC gives the values of RFC 4493, again and again with one key', () => {
  const { key, message, macs } = vectors.CMAC
  const cmac = new AesCmac(key)
  for (const [length, mac] of [...macs, ...macs]) assert.equal(cmac.mac(message.subarray(0, length)).toString('hex'), mac)
})

test('AES-CMAC of a long message does not depend on the pieces it is worked in', () => {
  const message = Buffer.alloc(3 * 64 * 1024 + 5, 0x5a)
  const cmac = new AesCmac(vectors.CMAC.key)
  for (const length of [65535, 65536, 65537, 65552, 131072, message.length]) {
    assert.equal(cmac.mac(message.subarray(0, length)).toString('hex'), slowCmac(vectors.CMAC.key, message.subarray(0, length)), `${length} bytes`)
  }
})

/** Block by block, as RFC 4493 section 2.4 writes it; the subkeys are those of its example. */
function slowCmac(key: Buffer, message: Buffer): string {
  const whole = Buffer.from('fbeed618357133667c85e08f7236a8de', 'hex')
  const padded = Buffer.from('f7ddac306ae266ccf90bc11ee46d513b', 'hex')
  const blocks = Math.ceil(message.length / 16)
  const x = Buffer.alloc(16)
  for (let block = 0; block < blocks; block++) {
    const piece = message.subarray(16 * block, 16 * block + 16)
    for (let i = 0; i < piece.length; i++) x[i]! ^= piece[i]!
    if (block === blocks - 1) {
      const subkey = piece.length === 16 ? whole : padded
      for (let i = 0; i < 16; i++) x[i]! ^= subkey[i]!
      if (piece.length < 16) x[piece.length]! ^= 0x80
    }
    createCipheriv('aes-128-ecb', key, null).update(x).copy(x)
  }
  return x.toString('hex')
}
