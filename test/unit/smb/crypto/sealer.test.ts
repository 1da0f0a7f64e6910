import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encode, WireError } from '../../../../src/base/wire.ts'
import { type Cipher, sealerFor } from '../../../../src/smb/crypto/sealer.ts'
import { TRANSFORM_SIZE, transformHeader } from '../../../../src/smb/smb2/transform.ts'
import * as vectors from '../../../vectors/vectors.ts'

const CIPHERS = Object.keys(vectors.SEALED_ONES) as Cipher[]
const keyFor = (cipher: Cipher, fill: number): Buffer => Buffer.alloc(cipher.includes('256') ? 32 : 16, fill)

/** A client's sealer and its server's. */
function pair(cipher: Cipher): { client: ReturnType<typeof sealerFor>; server: ReturnType<typeof sealerFor> } {
  const [toServer, fromServer] = [keyFor(cipher, 1), keyFor(cipher, 2)]
  return { client: sealerFor(cipher, { toServer, fromServer }), server: sealerFor(cipher, { toServer: fromServer, fromServer: toServer }) }
}

test('what other systems sealed opens, and seals again to the same bytes', () => {
  for (const { cipher, key, frame, message } of vectors.SEALED) {
    const sealer = sealerFor(cipher, { toServer: key, fromServer: key }, () => frame.subarray(20, 36))
    const opened = sealer.open(frame)
    if (message !== undefined) assert.deepEqual(opened, message)
    assert.equal(opened.subarray(0, 4).toString('latin1'), '\xfeSMB')
    assert.deepEqual(sealer.seal(frame.readBigUInt64LE(44), opened), frame)
  }
})

for (const cipher of CIPHERS) {
  describe(cipher, () => {
    test('gives the ciphertext and the tag that another client has', () => {
      const ones = keyFor(cipher, 0xff)
      const bytes = cipher.endsWith('CCM') ? 11 : 12
      const nonce = Buffer.concat([Buffer.alloc(bytes, 0xff), Buffer.alloc(16 - bytes)])
      const frame = sealerFor(cipher, { toServer: ones, fromServer: ones }, () => nonce).seal(1n, Buffer.from('01020304', 'hex'))
      assert.deepEqual([frame.toString('hex', TRANSFORM_SIZE), frame.toString('hex', 4, 20)], vectors.SEALED_ONES[cipher])
    })

    test('refuses every flipped bit, and the sender’s own frame', () => {
      const { client, server } = pair(cipher)
      const frame = client.seal(7n, Buffer.from('some words'))
      assert.equal(server.open(frame).toString(), 'some words')
      assert.throws(() => client.open(frame), { code: 'BAD_SIGNATURE' })
      for (let bit = 0; bit < 8 * frame.length; bit++) {
        frame[bit >> 3]! ^= 1 << (bit & 7)
        const malformed = bit < 32 || (bit >= 8 * 36 && bit < 8 * 40) || (bit >= 8 * 42 && bit < 8 * 44) // ProtocolId, OriginalMessageSize, Flags
        assert.throws(() => server.open(frame), { code: malformed ? 'WIRE' : 'BAD_SIGNATURE' }, `bit ${bit}`)
        frame[bit >> 3]! ^= 1 << (bit & 7)
      }
    })

    test('refuses every truncation, and a size of more than came', () => {
      const { client, server } = pair(cipher)
      const frame = client.seal(7n, Buffer.from('some words'))
      for (let length = 0; length < frame.length; length++) assert.throws(() => server.open(frame.subarray(0, length)), WireError)
      for (const size of [0xffff_ffff, 0x7fff_ffff, 11, 9, 0]) {
        const lying = Buffer.from(frame)
        lying.writeUInt32LE(size, 36)
        assert.throws(() => server.open(lying), WireError)
      }
    })

    test('uses no nonce twice, and no two sealers begin alike', () => {
      const nonce = (frame: Buffer): string => frame.toString('hex', 20, 36)
      const { client } = pair(cipher)
      const used = new Set(Array.from({ length: 3000 }, () => nonce(client.seal(7n, Buffer.from('x')))))
      assert.equal(used.size, 3000)
      const starts = new Set(Array.from({ length: 50 }, () => nonce(pair(cipher).client.seal(7n, Buffer.from('x')))))
      assert.ok(starts.size > 48, `${starts.size} of 50`)
    })

    test('keeps its own copy of the keys, and none after wipe', () => {
      const [toServer, fromServer] = [keyFor(cipher, 1), keyFor(cipher, 2)]
      const sealer = sealerFor(cipher, { toServer, fromServer })
      toServer.fill(0)
      fromServer.fill(0)
      const { server } = pair(cipher)
      const frame = sealer.seal(7n, Buffer.from('x'))
      assert.equal(server.open(frame).toString(), 'x')
      const answer = server.seal(7n, Buffer.from('y'))
      assert.equal(sealer.open(answer).toString(), 'y')
      sealer.wipe()
      sealer.wipe()
      assert.throws(() => sealer.seal(7n, Buffer.from('x')), { code: 'CLOSED' })
      assert.throws(() => sealer.open(answer), { code: 'CLOSED' })
    })

    test('seals eight MiB, and nothing', () => {
      const { client, server } = pair(cipher)
      for (const message of [Buffer.alloc(8 * 2 ** 20, 0x5a), Buffer.alloc(0)]) assert.ok(server.open(client.seal(7n, message)).equals(message))
    })
  })
}

test('the header of a sealed message that claims four gigabytes is refused before anything is allocated', () => {
  const header = encode(transformHeader, { signature: Buffer.alloc(16), nonce: Buffer.alloc(16), size: 0xffff_ffff, sessionId: 7n })
  const before = process.memoryUsage()
  for (let i = 0; i < 100; i++) assert.throws(() => pair('AES-128-GCM').client.open(Buffer.concat([header, Buffer.alloc(64)])), WireError)
  assert.ok(process.memoryUsage().arrayBuffers - before.arrayBuffers < 2 ** 20)
})
