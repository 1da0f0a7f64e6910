import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decode, encode, WireError } from '../../../src/base/wire.ts'
import {
  type Claim,
  conflictDemand,
  negativeQueryResponse,
  overwriteDemand,
  queryRequest,
  queryResponse,
  refreshRequest,
  registrationRequest,
  registrationResponse,
  releaseRequest,
  releaseResponse,
  statusRequest,
  statusResponse,
  waitAcknowledgement,
} from '../../../src/nbt/name-messages.ts'
import { flagsWord, namePacket, type NamePacket, type NbAddress, type NodeType, RCODE, RECORD, type StatusName } from '../../../src/nbt/name-packets.ts'
import { ANY_NAME, MSBROWSE, type NetbiosName, parseName } from '../../../src/nbt/names.ts'
import { codecContract } from '../contract.ts'
import { VECTORS } from './vectors.ts'

const name = (text: string, suffix: number, scope = ''): NetbiosName => ({ text, suffix, scope })
const at = (address: string, nodeType: NodeType = 'B', group = false): NbAddress => ({ group, nodeType, address })
const claim = (whose: NetbiosName, owner: NbAddress, ttl = 300_000): Claim => ({ name: whose, owner, ttl })
const line = (whose: NetbiosName, nodeType: NodeType, group = false): StatusName => ({
  name: whose,
  group,
  nodeType,
  releasing: false,
  conflict: false,
  active: true,
  permanent: false,
})
/** nmbd says in every answer that it could recurse. */
const ra = (p: NamePacket): NamePacket => ({ ...p, recursionAvailable: true })
const noRa = (p: NamePacket): NamePacket => ({ ...p, recursionAvailable: false })
const rd = (p: NamePacket): NamePacket => ({ ...p, recursionDesired: true })
const stats = (p: NamePacket, statistics: Buffer): NamePacket => {
  assert.ok(p.answer?.data.kind === 'status')
  return { ...p, answer: { ...p.answer, data: { ...p.answer.data, statistics } } }
}

const LABSRV = name('LABSRV', 0x20)
const NBTRUN = name('NBTRUN', 0)
const LAB = name('LAB', 0)
const FREE = name('FREE', 0x20)
const NOSUCH = name('NOSUCH', 0x20)
const XP = name('VMWINXP', 0x20)
const XYKON = name('XYKON-2', 0)
const [ONE, TWO] = ['10.99.0.1', '10.99.0.2'] as const
const ZERO_MAC = '00:00:00:00:00:00'
const NMBD_NAMES = [
  line(name('LABSRV', 0x00), 'H'),
  line(name('LABSRV', 0x03), 'H'),
  line(name('LABSRV', 0x20), 'H'),
  line(name('LAB', 0x00), 'H', true),
  line(name('LAB', 0x1e), 'H', true),
]
const whole = (id: number): NamePacket => registrationRequest(id, claim(NBTRUN, at(ONE, 'H')), false)
const nmbdTook = (id: number, owner: NbAddress, whose = NBTRUN): NamePacket => registrationResponse(id, claim(whose, owner), RCODE.OK)
const defended = (id: number, whose: NetbiosName): NamePacket => registrationResponse(id, claim(whose, at(TWO), 0), RCODE.ACTIVE)
const status = (id: number, whose: NetbiosName): NamePacket => noRa(statusResponse(id, whose, NMBD_NAMES, ZERO_MAC))

/** Every packet of the catalogue as the value it decodes to, and, the marked ones apart, encodes from. */
const VALUES: Readonly<Record<string, NamePacket>> = {
  'full-query 1': queryRequest(0x82c7, XYKON, true),
  'full-query 2': { ...queryResponse(0x82c7, XYKON, 3572, [at('10.0.1.6')]), recursionDesired: false },
  'full-query 3': statusRequest(0x82c6, XYKON),
  'full-query 4': statusResponse(0x82c6, XYKON, [line(XYKON, 'B')], ZERO_MAC),
  'nbstat-response-winxp 1': statusResponse(
    0x5afd,
    XP,
    [
      line(name('VMWINXP', 0), 'B'),
      line(XP, 'B'),
      line(name('WORKGROUP', 0), 'B', true),
      line(name('WORKGROUP', 0x1e), 'B', true),
      line(name('WORKGROUP', 0x1d), 'B'),
      line(MSBROWSE, 'B', true),
    ],
    '00:0c:29:0d:06:56',
  ),
  'nbstat-winxp 1': statusRequest(0x8052, XYKON),
  'positive-response-winxp 1': queryResponse(0xd58e, XP, 300_000, [at('192.168.207.128', 'H')]),
  'query-winxp 1': queryRequest(0x8d9a, name('TEST', 0x20), false),
  'register-negative-response-winxp 1': registrationResponse(0x8a18, claim(name('VMWINXP', 0x20, 'example.com'), at('192.168.1.7'), 0), RCODE.ACTIVE),
  'register-winxp 1': registrationRequest(0x8d8f, claim(name('VMWINXP', 0), at('192.168.207.128', 'H')), false),
  'node status WIN': statusResponse(
    0xf973,
    name('WIN-VB75FK4K1S0', 0),
    [line(name('WIN-VB75FK4K1S0', 0), 'B'), line(name('WIN-VB75FK4K1S0', 0x20), 'B'), line(name('WORKGROUP', 0), 'B', true)],
    '00:15:5d:01:23:08',
  ),
  'query response WIN': queryResponse(0xf974, name('WIN-VB75FK4K1S0', 0), 300_000, [at('10.0.1.1')]),
  'query FRED': queryRequest(0x2a, name('FRED', 0x20), true),
  'register FRED': registrationRequest(7, claim(name('FRED', 0x20), at('10.0.0.9')), true),
  'live 1 asked': queryRequest(0x1001, LABSRV, false),
  'live 1 answer 1': ra(queryResponse(0x1001, LABSRV, 0x3f477, [at(ONE, 'H'), at(TWO, 'H')])),
  'live 2 asked': queryRequest(0x1002, NOSUCH, false),
  'live 2 answer 1': ra(negativeQueryResponse(0x1002, NOSUCH, RCODE.NAME)),
  'live 3 asked': { ...queryRequest(0x1003, LABSRV, false), recursionDesired: false },
  'live 3 answer 1': ra(queryResponse(0x1003, LABSRV, 0x3f47a, [at(ONE, 'H'), at(TWO, 'H')])),
  'live 4 asked': statusRequest(0x1004, LABSRV),
  'live 4 answer 1': status(0x1004, LABSRV),
  'live 5 asked': statusRequest(0x1005, ANY_NAME),
  'live 5 answer 1': status(0x1005, ANY_NAME),
  'live 6 asked': statusRequest(0x1006, NOSUCH),
  'live 7 asked': whole(0x1007),
  'live 7 answer 1': nmbdTook(0x1007, at(ONE, 'H')),
  'live 8 asked': queryRequest(0x1008, NBTRUN, false),
  'live 8 answer 1': ra(queryResponse(0x1008, NBTRUN, 0x493df, [at(ONE, 'H')])),
  'live 9 asked': whole(0x1009),
  'live 9 answer 1': nmbdTook(0x1009, at(ONE, 'H')),
  'live 10 asked': rd(refreshRequest(0x100a, claim(NBTRUN, at(ONE, 'H')))),
  'live 10 answer 1': nmbdTook(0x100a, at(ONE, 'H')),
  'live 11 asked': { ...whole(0x100b), opcode: 9 },
  'live 11 answer 1': nmbdTook(0x100b, at(ONE, 'H')),
  'live 12 asked': refreshRequest(0x100c, claim(NBTRUN, at(ONE, 'H'))),
  'live 12 answer 1': nmbdTook(0x100c, at(ONE, 'H')),
  'live 13 asked': registrationRequest(0x100d, claim(NBTRUN, at(TWO, 'H')), false),
  'live 13 answer 1': wackOfNmbd(),
  'live 13 answer 2': nmbdTook(0x100d, at(TWO, 'H')),
  'live 14 asked': registrationRequest(0x100e, claim(LAB, at(ONE, 'H', true)), false),
  'live 14 answer 1': nmbdTook(0x100e, at(ONE, 'H', true), LAB),
  'live 15 asked': registrationRequest(0x100f, claim(LAB, at(TWO, 'H')), false),
  'live 15 answer 1': registrationResponse(0x100f, claim(LAB, at(TWO, 'H'), 0), RCODE.REFUSED),
  'live 16 asked': releaseRequest(0x1010, { name: NBTRUN, owner: at(TWO, 'H') }, false),
  'live 16 answer 1': releaseResponse(0x1010, { name: NBTRUN, owner: at(TWO, 'H') }, RCODE.OK),
  'live 17 asked': releaseRequest(0x1011, { name: NBTRUN, owner: at(ONE, 'H') }, false),
  'live 17 answer 1': releaseResponse(0x1011, { name: NBTRUN, owner: at(ONE, 'H') }, RCODE.NAME),
  'live 18 asked': queryRequest(0x1012, NBTRUN, false),
  'live 18 answer 1': ra(negativeQueryResponse(0x1012, NBTRUN, RCODE.NAME)),
  'live 19 asked': releaseRequest(0x1013, { name: NBTRUN, owner: at(ONE, 'H') }, false),
  'live 19 answer 1': releaseResponse(0x1013, { name: NBTRUN, owner: at(ONE, 'H') }, RCODE.NAME),
  'live 20 asked': { ...registrationRequest(0x1014, claim(name('MULTI', 0), at(ONE, 'H')), false), opcode: 15 },
  'live 20 answer 1': nmbdTook(0x1014, at(ONE, 'H'), name('MULTI', 0)),
  'live 21 asked': { ...releaseRequest(0x1015, { name: NBTRUN, owner: at(ONE, 'H') }, false), opcode: 11, recursionDesired: true },
  'live 22 asked': queryRequest(0x1016, name('LABSRV', 0x20, 'NETBIOS.COM'), false),
  'live 22 answer 1': ra(queryResponse(0x1016, name('LABSRV', 0x20, 'NETBIOS.COM'), 0x3f457, [at(ONE, 'H'), at(TWO, 'H')])),
  'live b1 asked': queryRequest(0x1001, LABSRV, true),
  'live b1 answer 1': ra(queryResponse(0x1001, LABSRV, 0x3f480, [at(TWO, 'H')])),
  'live b1 answer 2': ra(queryResponse(0x1001, LABSRV, 0x3f480, [at(TWO, 'H')])),
  'live b1 answer 3': ra(queryResponse(0x1001, LABSRV, 0x3f480, [at(TWO, 'H')])),
  'live b2 asked': queryRequest(0x1002, NOSUCH, true),
  'live b3 asked': registrationRequest(0x1003, claim(LABSRV, at(TWO)), true),
  'live b3 answer 1': defended(0x1003, LABSRV),
  'live b3 answer 2': defended(0x1003, LABSRV),
  'live b3 answer 3': defended(0x1003, LABSRV),
  'live b4 asked': registrationRequest(0x1004, claim(FREE, at(TWO)), true),
  'live b5 asked': releaseRequest(0x1005, { name: FREE, owner: at(TWO) }, true),
  'live b6 asked': registrationRequest(0x1006, claim(LAB, at(TWO, 'B', true)), true),
  'live b7 asked': registrationRequest(0x1007, claim(LAB, at(TWO)), true),
  'live b7 answer 1': defended(0x1007, LAB),
  'live b7 answer 2': defended(0x1007, LAB),
  'live b7 answer 3': defended(0x1007, LAB),
  'live b8 asked': { ...nmbdAsked(), question: { name: LABSRV, type: RECORD.NB }, answer: undefined },
}

function wackOfNmbd(): NamePacket {
  const wack = waitAcknowledgement(registrationRequest(0x100d, claim(NBTRUN, at(TWO, 'H')), false), NBTRUN, 60)
  assert.ok(wack.answer?.data.kind === 'other')
  return { ...wack, answer: { ...wack.answer, data: { ...wack.answer.data, type: RECORD.NULL } } }
}

function nmbdAsked(): NamePacket {
  return conflictDemand(0x1008, LABSRV, at(ONE))
}

/** Bytes that Windows sent behind the end of a packet. */
const BEHIND: Readonly<Record<string, number>> = { 'nbstat-response-winxp 1': 18 }

const entries = Object.entries(VALUES).map(([title, value]) => {
  const recorded: Buffer = VECTORS[title as keyof typeof VECTORS]
  const bytes = recorded.subarray(0, recorded.length - (BEHIND[title] ?? 0))
  return [title, { bytes, packet: withStatistics(value, bytes) }] as const
})

describe('the catalogue of name service packets', () => {
  test('has a value for each', () => {
    assert.deepEqual(
      Object.keys(VALUES),
      Object.keys(VECTORS).filter(title => title !== 'datagram'),
    )
  })
  for (const [title, value] of entries) {
    test(`${title} encodes, decodes, and is refused at every truncation`, () => {
      assert.equal(encode(namePacket, value.packet, 1).toString('hex'), value.bytes.toString('hex'))
      assert.deepEqual(decode(namePacket, value.bytes), value.packet)
      for (let length = 0; length < value.bytes.length; length++) {
        assert.throws(() => decode(namePacket, value.bytes.subarray(0, length)), WireError, `${length} bytes`)
      }
    })
  }
})

// one of each shape
for (const title of ['live 1 answer 1', 'live 2 answer 1', 'nbstat-response-winxp 1', 'live 13 asked', 'live 13 answer 1', 'live 22 asked']) {
  const value = entries.find(([each]) => each === title)?.[1]
  assert.ok(value !== undefined)
  codecContract(namePacket, value.bytes, value.packet, { name: title })
}

/** The counters of a node status are kept as they came. */
function withStatistics(value: NamePacket, bytes: Buffer): NamePacket {
  return value.answer?.data.kind === 'status' ? stats(value, Buffer.from(bytes.subarray(-40))) : value
}

test('each flags word is the specification’s', () => {
  const words = {
    '0110': queryRequest(1, LAB, true),
    '0100': queryRequest(1, LAB, false),
    '0000': statusRequest(1, LAB),
    '2910': registrationRequest(1, claim(LAB, at(ONE)), true),
    '2900': registrationRequest(1, claim(LAB, at(ONE)), false),
    '2810': overwriteDemand(1, claim(LAB, at(ONE)), true),
    '4000': refreshRequest(1, claim(LAB, at(ONE))),
    '3010': releaseRequest(1, claim(LAB, at(ONE)), true),
    '3000': releaseRequest(1, claim(LAB, at(ONE)), false),
    bc00: waitAcknowledgement(queryRequest(1, LAB, false), LAB, 60),
    '8500': queryResponse(1, LAB, 0, []),
    '8503': negativeQueryResponse(1, LAB, RCODE.NAME),
    '8400': statusResponse(1, LAB, [], ZERO_MAC),
    ad80: registrationResponse(1, claim(LAB, at(ONE)), RCODE.OK),
    ad86: registrationResponse(1, claim(LAB, at(ONE)), RCODE.ACTIVE),
    ad87: conflictDemand(1, LAB, at(ONE)),
    b400: releaseResponse(1, claim(LAB, at(ONE)), RCODE.OK),
  }
  for (const [word, packet] of Object.entries(words)) assert.equal(flagsWord(packet).toString(16).padStart(4, '0'), word)
})

test('bytes behind a packet are left alone', () => {
  const [, { packet }] = entries.find(([title]) => title === 'nbstat-response-winxp 1') ?? assert.fail()
  assert.deepEqual(decode(namePacket, VECTORS['nbstat-response-winxp 1']), packet)
})

test('a wait acknowledgement is read under both types that are in use, and repeats the flags of the request', () => {
  const request = registrationRequest(9, claim(LAB, at(ONE)), false)
  const ours = waitAcknowledgement(request, LAB, 12)
  const bytes = encode(namePacket, ours)
  assert.deepEqual(decode(namePacket, bytes), ours)
  assert.equal(bytes.subarray(-2).toString('hex'), '2900')
  assert.equal(VECTORS['live 13 answer 1'].subarray(-2).toString('hex'), '2900')
})

test('a redirect carries the name and the address of another name server', () => {
  const packet: NamePacket = {
    ...queryResponse(3, LAB, 0, []),
    answer: undefined,
    authority: { name: LAB, ttl: 60, data: { kind: 'server', server: name('WINS', 0x20) } },
    additional: { name: name('WINS', 0x20), ttl: 60, data: { kind: 'server address', address: '10.0.0.3' } },
  }
  assert.deepEqual(decode(namePacket, encode(namePacket, packet)), packet)
})

test('what no packet of the RFC has is refused', () => {
  const bytes = VECTORS['live 1 answer 1']
  for (const [field, offset] of [
    ['QDCOUNT', 4],
    ['ANCOUNT', 6],
    ['NSCOUNT', 8],
    ['ARCOUNT', 10],
  ] as const) {
    const many = Buffer.from(bytes)
    many.writeUInt16BE(2, offset)
    assert.throws(() => decode(namePacket, many), new RegExp(`${field} is 2`))
  }
  const odd = Buffer.from(bytes)
  odd.writeUInt16BE(11, 12 + 34 + 8) // RDLENGTH of one address and most of another
  assert.throws(() => decode(namePacket, odd), WireError)
  const otherClass = Buffer.from(bytes)
  otherClass.writeUInt16BE(3, 12 + 34 + 2)
  assert.throws(() => decode(namePacket, otherClass), /RR_CLASS/)
})

test('addresses that are none are not written', () => {
  for (const bad of ['10.0.0', '10.0.0.256', 'fe80::1', '']) {
    assert.throws(() => encode(namePacket, queryResponse(1, LAB, 0, [at(bad)])), { code: 'USAGE' }, bad)
  }
})

test('__MSBROWSE__ may be written without its control characters', () => {
  assert.deepEqual(parseName('__msbrowse__#01', 0), MSBROWSE)
  assert.deepEqual(parseName('__MSBROWSE__#01', 0), MSBROWSE)
})
