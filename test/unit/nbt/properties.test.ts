import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Codec, decode, encode, WireError } from '../../../src/base/wire.ts'
import { datagramPacket, type DatagramPacket, SOURCE_TYPES } from '../../../src/nbt/datagram-packets.ts'
import { namePacket, type NamePacket, type NameRecord, NODE_TYPES, type RecordData } from '../../../src/nbt/name-packets.ts'
import { compressedName, type NetbiosName, netbiosName, rawName } from '../../../src/nbt/names.ts'
import { sessionHeader, type SessionPacket, sessionPacket } from '../../../src/nbt/session.ts'
import { SESSION_REQUEST_XP } from '../../vectors/vectors.ts'
import { Random } from './random.ts'
import { VECTORS } from './vectors.ts'

const SEED = Number(process.env['NBT_SEED'] ?? 20_260_404)
const ROUNDS = 2000

function owner(r: Random): { group: boolean; nodeType: (typeof NODE_TYPES)[number] } {
  return { group: r.coin(), nodeType: r.pick(NODE_TYPES) }
}

function recordData(r: Random): RecordData {
  switch (r.below(5)) {
    case 0:
      return { kind: 'addresses', addresses: r.list(25, () => ({ ...owner(r), address: r.address() })) }
    case 1: {
      const line = (): { name: NetbiosName } & ReturnType<typeof owner> => ({ name: r.name(false), ...owner(r) })
      const names = r.list(255, () => ({ ...line(), releasing: r.coin(), conflict: r.coin(), active: r.coin(), permanent: r.coin() }))
      return {
        kind: 'status',
        names,
        unitId: r
          .bytes(6)
          .toString('hex')
          .replace(/..(?=.)/g, '$&:'),
        statistics: r.bytes(r.below(60)),
      }
    }
    case 2:
      return { kind: 'server', server: r.name() }
    case 3:
      return { kind: 'server address', address: r.address() }
    default:
      return { kind: 'other', type: r.pick([0x0a, 0x21f, 0xffff]), bytes: r.bytes(r.below(40)) }
  }
}

function aNamePacket(r: Random): NamePacket {
  const name = r.name()
  const maybe = (): NameRecord | undefined => (r.coin() ? { name: r.coin() ? name : r.name(), ttl: r.below(2 ** 32), data: recordData(r) } : undefined)
  return {
    id: r.below(0x1_0000),
    response: r.coin(),
    opcode: r.pick([0, 5, 6, 8, 9, 15]),
    authoritative: r.coin(),
    truncated: r.coin(),
    recursionDesired: r.coin(),
    recursionAvailable: r.coin(),
    broadcast: r.coin(),
    rcode: r.below(16),
    question: r.coin() ? { name, type: r.below(0x1_0000) } : undefined,
    answer: maybe(),
    authority: maybe(),
    additional: maybe(),
  }
}

function aDatagram(r: Random): DatagramPacket {
  const head = { more: r.coin(), first: r.coin(), sourceType: r.pick(SOURCE_TYPES), id: r.below(0x1_0000), address: r.address(), port: r.below(0x1_0000) }
  switch (r.below(3)) {
    case 0:
      return { kind: 'error', ...head, code: r.below(256) }
    case 1:
      return { kind: r.pick(['query', 'positive response', 'negative response']), ...head, destination: r.name() }
    default: {
      const names = { source: r.name(), destination: r.name() }
      return { kind: r.pick(['unique', 'group', 'broadcast']), ...head, offset: r.below(0x1_0000), ...names, data: r.bytes(r.below(600)) }
    }
  }
}

function aSessionPacket(r: Random): SessionPacket {
  switch (r.below(5)) {
    case 0:
      return { type: 'request', called: r.name(), calling: r.name() }
    case 1:
      return { type: 'negative', reason: r.below(256) }
    case 2:
      return { type: 'retarget', address: r.address(), port: r.below(0x1_0000) }
    default:
      return { type: r.pick(['positive', 'keepalive']) }
  }
}

const made = <T>(codec: Codec<T>, make: (r: Random) => T, seeds: readonly Buffer[]) => ({ codec: codec as Codec<unknown>, make, seeds })
const FAMILIES = [
  made(netbiosName, r => r.name(), [VECTORS['live 22 asked'].subarray(12)]),
  made(compressedName, r => r.name(), [VECTORS['live 22 asked'].subarray(12), Buffer.from('c000', 'hex')]),
  made(rawName, r => r.name(false), [Buffer.from('LABSRV         \x20', 'latin1')]),
  made(namePacket, aNamePacket, Object.values(VECTORS).slice(0, -1)),
  made(datagramPacket, aDatagram, [VECTORS.datagram]),
  made(sessionPacket, aSessionPacket, [SESSION_REQUEST_XP, Buffer.from('840000060a000007008b', 'hex')]),
  made(sessionHeader, r => ({ type: r.below(256), length: r.below(0x2_0000) }), [Buffer.from('0001ffff', 'hex')]),
]

for (const { codec, make, seeds } of FAMILIES) {
  test(`${codec.name}: ${ROUNDS} values come back from the wire as they were (${make.name || 'made'}, seed ${SEED})`, () => {
    const r = new Random(SEED)
    for (let n = 0; n < ROUNDS; n++) {
      const value = make(r)
      assert.deepEqual(decode(codec, encode(codec, value)), value, `round ${n}`)
    }
  })

  test(`${codec.name}: ${ROUNDS} mutated and ${ROUNDS} random packets decode or are refused (seed ${SEED})`, () => {
    const r = new Random(SEED)
    let refused = 0
    const feed = (bytes: Buffer): void => {
      try {
        decode(codec, bytes)
      } catch (thrown) {
        if (!(thrown instanceof WireError)) assert.fail(`${bytes.toString('hex')}: ${String(thrown)}`)
        refused++
      }
    }
    for (let n = 0; n < ROUNDS; n++) {
      feed(r.mutate(r.coin() ? encode(codec, make(r)) : (seeds[r.below(seeds.length)] ?? assert.fail())))
      feed(r.bytes(r.below(120)))
    }
    if (codec !== (rawName as Codec<unknown>)) assert.ok(refused > ROUNDS / 10, `${refused} refused`)
  })
}

test('a chain of pointers as long as a datagram costs no time', () => {
  const chain = Buffer.alloc(0x3ffe)
  chain.writeUInt16BE(0xc000, 0)
  for (let at = 2; at < chain.length; at += 2) chain.writeUInt16BE(0xc000 | (at - 2), at)
  const packet = Buffer.concat([Buffer.from('000185000001000100010001', 'hex'), chain.subarray(12)])
  const began = process.cpuUsage()
  assert.throws(() => decode(namePacket, packet), WireError)
  assert.ok(process.cpuUsage(began).user < 200_000) // µs of this process, however busy the machine is
})
