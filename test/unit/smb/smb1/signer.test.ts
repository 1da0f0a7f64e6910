import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Smb1Signer } from '../../../../src/smb/smb1/signer.ts'
import { linesOf, SIGNED } from './recorded.ts'

const hex = (text: string): Buffer => Buffer.from(text, 'hex')

// E.3: [live] smbclient to smbd
const TREE_DISCONNECTS = [
  [6, 'ff534d4271000000001857c80000891c6fb54b16ca5400009e04c5121a610500000000'],
  [7, 'ff534d4271000000008817c80000c6d1cba956dac8da00009e04c5121a610500000000'],
  [18, 'ff534d4271000000001857c800004b18bd6293519a0400008683c5121a610b00000000'],
  [19, 'ff534d4271000000008817c80000395b2a7f62d7177c00008683c5121a610b00000000'],
] as const

test('a signature is MD5 over key and message, with the number of the message in its place', () => {
  const signer = new Smb1Signer(Buffer.from(SIGNED.sessionKey))
  for (const [sequence, text] of TREE_DISCONNECTS) {
    const message = hex(text)
    assert.ok(signer.verify(message, sequence))
    assert.equal(message.toString('hex'), text, 'it is left as it was')
    const unsigned = Buffer.from(message).fill(0, 14, 22)
    signer.sign(unsigned, sequence)
    assert.equal(unsigned.toString('hex'), text)
    for (const other of [sequence - 1, sequence + 1]) assert.equal(signer.verify(message, other), false)
  }
})

test('all nineteen signatures of the recorded conversation are right', () => {
  const signer = new Smb1Signer(Buffer.from(SIGNED.sessionKey))
  // the login's last answer has number 1
  const signed = linesOf('smb1_ntlmssp_signed').slice(5)
  for (const [i, { bytes }] of signed.entries()) assert.ok(signer.verify(bytes, i + 1), `message ${i}`)
  assert.equal(signed.length, 19)
})

test('every changed bit of every signed message is found, and what is too short has no signature', () => {
  const signer = new Smb1Signer(Buffer.from(SIGNED.sessionKey))
  for (const [i, { bytes }] of linesOf('smb1_ntlmssp_signed').slice(5).entries())
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const message = Buffer.from(bytes)
      message[bit >> 3]! ^= 1 << (bit & 7)
      assert.equal(signer.verify(message, i + 1), false, `message ${i}, bit ${bit}`)
    }
  assert.equal(signer.verify(Buffer.alloc(31), 1), false)
})

test('a wiped key signs nothing', () => {
  const key = Buffer.from(SIGNED.sessionKey)
  const signer = new Smb1Signer(key)
  signer.wipe()
  assert.deepEqual(key, Buffer.alloc(16))
  assert.throws(() => signer.sign(Buffer.alloc(32), 0), { code: 'CLOSED' })
})
