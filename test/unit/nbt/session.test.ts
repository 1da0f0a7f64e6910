import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode, encode, WireError } from '../../../src/base/wire.ts'
import { REFUSALS, sessionHeader, sessionPacket } from '../../../src/nbt/session.ts'
import * as vectors from '../../vectors/vectors.ts'
import { codecContract } from '../contract.ts'

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')

codecContract(
  sessionPacket,
  vectors.SESSION_REQUEST_XP,
  { type: 'request', called: { text: 'VMWINXP', suffix: 0x20, scope: '' }, calling: { text: 'PRINTER', suffix: 0, scope: '' } },
  { name: 'captured session request' },
)
codecContract(
  sessionPacket,
  vectors.SESSION_REQUEST_LIVE,
  { type: 'request', called: { text: 'LABSRV', suffix: 0x20, scope: '' }, calling: { text: 'NBTRUN', suffix: 0, scope: '' } },
  { name: 'session request' },
)
// RFC 1002 sections 4.3.3 to 4.3.7; the retarget is fictionet's, nbss.rs
codecContract(sessionPacket, bytes('82000000'), { type: 'positive' }, { name: 'positive session response' })
codecContract(sessionPacket, bytes('8300000182'), { type: 'negative', reason: 0x82 }, { name: 'negative session response' })
codecContract(sessionPacket, bytes('840000060a000007008b'), { type: 'retarget', address: '10.0.0.7', port: 139 }, { name: 'retarget' })
codecContract(sessionPacket, bytes('85000000'), { type: 'keepalive' }, { name: 'keepalive' })
codecContract(sessionHeader, bytes('0001ffff'), { type: 0, length: 131071 }, { name: 'header of the longest message' })
codecContract(sessionHeader, bytes('00010000'), { type: 0, length: 65536 }, { name: 'header with the 17th bit' })

test('flag bits other than the 17th of the length are refused', () => {
  for (let flags = 2; flags < 256; flags++) assert.throws(() => decode(sessionHeader, Buffer.from([0, flags, 0, 1])), WireError)
})

test('a length that does not fit 17 bits is not written', () => {
  assert.throws(() => encode(sessionHeader, { type: 0, length: 0x100_0000 }), { code: 'USAGE' })
})

test('packets whose length does not agree with their content are refused', () => {
  for (const bad of ['8200000100', '83000000', '8300000282ff', '8400000a0a000007008b00000000', '8500000100', '00000000', '86000000']) {
    assert.throws(() => decode(sessionPacket, bytes(bad)), WireError, bad)
  }
})

test('every refusal of RFC 1002 has its words', () => {
  assert.deepEqual([...REFUSALS.keys()], [0x80, 0x81, 0x82, 0x83, 0x8f])
})
