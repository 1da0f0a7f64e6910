import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NbtrunError } from '../../../../src/base/errors.ts'
import { signingKey } from '../../../../src/smb/crypto/keys.ts'
import { type Signer, signerFor } from '../../../../src/smb/crypto/signer.ts'
import * as vectors from '../../../vectors/vectors.ts'

function signerOf({ algorithm, key, derives }: (typeof vectors.SIGNED)[number]): Signer {
  return signerFor(algorithm, derives ? signingKey({ sessionKey: key, preauth: undefined }) : key)
}

test('each algorithm makes the signatures that other clients recorded', () => {
  for (const row of vectors.SIGNED) {
    const message = Buffer.from(row.message)
    message.fill(0xee, 48, 64)
    const signer = signerOf(row)
    assert.equal(signer.algorithm, row.algorithm)
    signer.sign(message)
    assert.equal(message.toString('hex'), row.message.toString('hex'))
  }
})

test('verifying accepts the signature, leaves the message alone, and refuses every flipped bit', () => {
  for (const row of vectors.SIGNED) {
    const signer = signerOf(row)
    const message = Buffer.from(row.message)
    assert.equal(signer.verify(message), true)
    for (let bit = 0; bit < 8 * message.length; bit++) {
      message[bit >> 3]! ^= 1 << (bit & 7)
      const changed = Buffer.from(message)
      assert.equal(signer.verify(message), false, `${row.algorithm} bit ${bit}`)
      assert.deepEqual(message, changed)
      message[bit >> 3]! ^= 1 << (bit & 7)
    }
  }
})

test('the final SESSION_SETUP answer of 3.1.1 verifies with the new key', () => {
  const preauth = Buffer.from(vectors.ANATOMY_HASHES[4] ?? '', 'hex')
  const signer = signerFor('AES-CMAC', signingKey({ sessionKey: vectors.ANATOMY_NTLM.sessionKey, preauth }))
  assert.equal(signer.verify(Buffer.from(vectors.ANATOMY_SETUP_RESPONSE_2)), true)
})

test('AES-GMAC signs a request, its answer and its CANCEL differently', () => {
  const signer = signerFor('AES-GMAC', Buffer.alloc(16, 7))
  const request = Buffer.alloc(72)
  const signature = (change: (message: Buffer) => void): string => {
    const message = Buffer.from(request)
    change(message)
    signer.sign(message)
    assert.equal(signer.verify(message), true)
    return message.toString('hex', 48, 64)
  }
  const made = [
    signature(() => {}),
    signature(m => m.writeUInt32LE(1, 16)), // SERVER_TO_REDIR
    signature(m => m.writeUInt16LE(12, 12)), // CANCEL
    signature(m => m.writeUInt8(1, 24)), // MessageId
  ]
  assert.equal(new Set(made).size, made.length)
})

test('a message shorter than its header is never right and cannot be signed', () => {
  for (const algorithm of ['AES-CMAC', 'AES-GMAC', 'HMAC-SHA256'] as const) {
    const signer = signerFor(algorithm, Buffer.alloc(16, 7))
    assert.equal(signer.verify(Buffer.alloc(63)), false)
    assert.throws(() => signer.sign(Buffer.alloc(63)), { code: 'INTERNAL' })
    const headerAlone = Buffer.alloc(64)
    signer.sign(headerAlone)
    assert.equal(signer.verify(headerAlone), true)
  }
})

test('a signer keeps its own copy of the key, and none after wipe', () => {
  for (const { algorithm, key, message, derives } of vectors.SIGNED) {
    const copy = derives ? signingKey({ sessionKey: key, preauth: undefined }) : Buffer.from(key)
    const signer = signerFor(algorithm, copy)
    copy.fill(0)
    assert.equal(signer.verify(Buffer.from(message)), true)
    signer.wipe()
    signer.wipe()
    assert.throws(
      () => signer.verify(Buffer.from(message)),
      (error: unknown) => error instanceof NbtrunError && error.code === 'CLOSED',
    )
  }
})
