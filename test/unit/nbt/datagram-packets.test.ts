import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode, encode, WireError } from '../../../src/base/wire.ts'
import { DATAGRAM_ERRORS, datagramPacket } from '../../../src/nbt/datagram-packets.ts'
import { codecContract } from '../contract.ts'
import { VECTORS } from './vectors.ts'

const HEAD = { more: false, first: true, sourceType: 'B', id: 0x8001, address: '10.0.0.9', port: 138 } as const
const [LAPTOP, WORKGROUP] = [
  { text: 'LAPTOP', suffix: 0, scope: '' },
  { text: 'WORKGROUP', suffix: 0x1d, scope: '' },
]
const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')

codecContract(
  datagramPacket,
  VECTORS.datagram,
  { kind: 'group', ...HEAD, offset: 0, source: LAPTOP, destination: WORKGROUP, data: bytes('ff534d4225') },
  { name: 'direct group datagram' },
)
// RFC 1002 sections 4.4.3 and 4.4.4
codecContract(datagramPacket, bytes('130280010a000009008a82'), { kind: 'error', ...HEAD, code: 0x82 }, { name: 'datagram error' })
codecContract(
  datagramPacket,
  Buffer.concat([bytes('140e80010a000009008a'), VECTORS.datagram.subarray(48, 82)]),
  { kind: 'query', ...HEAD, sourceType: 'NBDD', destination: WORKGROUP },
  { name: 'datagram query' },
)

test('the flags tell first, more and who sends', () => {
  for (const [flags, more, first, sourceType] of [
    ['00', false, false, 'B'],
    ['03', true, true, 'B'],
    ['05', true, false, 'P'],
    ['0a', false, true, 'M'],
    ['0e', false, true, 'NBDD'],
  ] as const) {
    const packet = Buffer.from(VECTORS.datagram)
    packet.write(flags, 1, 'hex')
    const { more: m, first: f, sourceType: s } = decode(datagramPacket, packet)
    assert.deepEqual([m, f, s], [more, first, sourceType], flags)
  }
})

test('a length that does not agree with the packet is refused, bytes behind it are left alone', () => {
  for (const length of [0, 67, 74, 0xffff]) {
    const packet = Buffer.from(VECTORS.datagram)
    packet.writeUInt16BE(length, 10)
    assert.throws(() => decode(datagramPacket, packet), WireError, `${length}`)
  }
  const longer = decode(datagramPacket, Buffer.concat([VECTORS.datagram, bytes('00')]))
  assert.ok(longer.kind === 'group' && longer.data.length === 5)
})

test('what does not fit a datagram is not written', () => {
  const big = { kind: 'unique', ...HEAD, offset: 0, source: LAPTOP, destination: WORKGROUP } as const
  assert.throws(() => encode(datagramPacket, { ...big, data: Buffer.alloc(0x1_0000) }))
  assert.throws(() => encode(datagramPacket, { ...big, data: Buffer.alloc(1), offset: 0x1_0000 }), { code: 'USAGE' })
})

test('every error of RFC 1002 has its words', () => {
  assert.deepEqual([...DATAGRAM_ERRORS.keys()], [0x82, 0x83, 0x84])
})
