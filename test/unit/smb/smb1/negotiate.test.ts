import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode, WireError } from '../../../../src/base/wire.ts'
import { NbtrunError } from '../../../../src/base/errors.ts'
import { multiProtocolAnswer, multiProtocolRequest } from '../../../../src/smb/multi-protocol.ts'
import { isSmb1, NONE_OF_THEM, smb1NegotiateRequest, smb1NegotiateResponse } from '../../../../src/smb/smb1/negotiate.ts'
import { codecContract } from '../../contract.ts'

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex')

// [peer] jfjallid/go-smb, issue 8
const REQUEST = hex(`ff534d4272000000001853c8000000000000000000000000fffffffe00000000002200
  024e54204c4d20302e31320002534d4220322e3030320002534d4220322e3f3f3f00`)
codecContract(smb1NegotiateRequest, REQUEST, { extendedSecurity: true, dialects: ['NT LM 0.12', 'SMB 2.002', 'SMB 2.???'] })

// [MS-CIFS] 2.2.4.52.2, by hand
const RESPONSE = hex('ff534d4272000000009853c8000000000000000000000000fffffffe0000000001ffff0000')
codecContract(smb1NegotiateResponse, RESPONSE, { dialectIndex: NONE_OF_THEM })

test('an answer with more words, as NT gives, has its dialect too', () => {
  // [live] Samba 4.17 to an offer of NT LM 0.12: 17 words
  const nt = hex(`ff534d4272000000008843c80000000000000000000000000000feff0000000011000003320001000441000000000100c7120000fdf38080cd0cd1d4d578dd010000005a00
    6c616273727600000000000000000000604806062b0601050502a03e303ca00e300c060a2b06010401823702020aa32a3028a0261b246e6f745f646566696e65645f696e5f5246433431373840706c
    656173655f69676e6f7265`)
  assert.deepEqual(decode(smb1NegotiateResponse, nt), { dialectIndex: 0 })
  assert.equal(isSmb1(nt), true)
  assert.equal(isSmb1(nt.subarray(0, 3)), false)
})

test('the multi-protocol negotiate names what is asked for, and no SMB1', () => {
  const names = (...dialects: number[]): readonly string[] => decode(smb1NegotiateRequest, multiProtocolRequest({ dialects })).dialects
  assert.deepEqual(names(0x202), ['SMB 2.002'])
  assert.deepEqual(names(0x210, 0x300), ['SMB 2.???'])
  assert.deepEqual(names(0x202, 0x210, 0x311), ['SMB 2.002', 'SMB 2.???'])
})

// [live] Samba 4.17 to both names: 0x02FF
const WILDCARD =
  hex(`fe534d4240000000000000000000010001000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000041000100ff020000
  73727600000000000000000000000000070000000000800000008000000080003842526200a079dd01000000000000000080000000000000`)

test('the wildcard asks for an SMB2 NEGOTIATE, where a newer dialect was offered', () => {
  assert.deepEqual(multiProtocolAnswer('srv', { dialects: [0x202, 0x311] }, WILDCARD), { answer: undefined })
  const chosen = multiProtocolAnswer('srv', { dialects: [0x202] }, WILDCARD)
  assert.equal(chosen !== 'NT1' && chosen.answer?.dialect, 0x2ff, 'for the caller to refuse')
})

test('what is no answer to it is refused', () => {
  const changed = (at: number, value: number): Buffer => {
    const copy = Buffer.from(WILDCARD)
    copy[at] = value
    return copy
  }
  for (const [what, frame] of Object.entries({
    command: changed(12, 1),
    'message id': changed(24, 1),
    'a request': changed(16, 0),
    'SMB1 that chose SMB2': Buffer.from(RESPONSE).fill(0, 33, 35),
    nothing: Buffer.alloc(0),
  })) {
    assert.throws(() => multiProtocolAnswer('srv', { dialects: [0x202, 0x311] }, frame), WireError, what)
  }
  assert.throws(
    () => multiProtocolAnswer('srv', { dialects: [0x202] }, RESPONSE),
    (thrown: unknown) => thrown instanceof NbtrunError && thrown.code === 'SMB1_ONLY' && thrown.hint !== undefined,
  )
  const refused = changed(8, 0xbb)
  refused[11] = 0xc0
  assert.throws(() => multiProtocolAnswer('srv', { dialects: [0x202] }, refused), NbtrunError)
})
