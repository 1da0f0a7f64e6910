import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encode } from '../../../src/base/wire.ts'
import { datagramPacket } from '../../../src/nbt/datagram-packets.ts'
import { type DatagramError, fragments, type IncomingDatagram } from '../../../src/nbt/datagrams.ts'
import { ALL_NODES, type NetbiosName, parseName } from '../../../src/nbt/names.ts'
import { type DataDatagram, Reassembly } from '../../../src/nbt/reassembly.ts'
import { Random } from './random.ts'
import { node, Wire } from './wire.ts'

const [ONE, TWO] = ['10.0.0.1', '10.0.0.2']
const [BOX, ME, LAB] = [parseName('BOX', 0), parseName('ME', 0), parseName('LAB', 0x1d)]

async function two(work: (wire: Wire, one: Awaited<ReturnType<typeof node>>, other: Awaited<ReturnType<typeof node>>) => Promise<void>): Promise<void> {
  const wire = new Wire()
  const [one, other] = [await node(wire, ONE, { datagrams: true }), await node(wire, TWO, { datagrams: true })]
  await work(wire, one, other)
  await one.close()
  await other.close()
}

async function until(done: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !done(); i++) await new Promise(resolve => setImmediate(resolve))
  assert.ok(done())
}

function collect(to: Awaited<ReturnType<typeof node>>, name: NetbiosName): IncomingDatagram[] {
  const got: IncomingDatagram[] = []
  to.datagrams!.listen(name, datagram => got.push(datagram))
  return got
}

test('direct unique, direct group and broadcast reach the listeners of the name, and no others', async () => {
  await two(async (wire, one, other) => {
    await other.register(BOX)
    await other.register(LAB, { group: true })
    const [box, lab, all] = [collect(other, BOX), collect(other, LAB), collect(other, ALL_NODES)]
    await one.datagrams!.send(ME, BOX, Buffer.from('unique'))
    await one.datagrams!.send(ME, LAB, Buffer.from('group'))
    await one.datagrams!.broadcast(ME, Buffer.from('everybody'))
    await until(() => all.length === 1)
    const seen = (list: IncomingDatagram[]) => list.map(({ kind, source, data, from }) => [kind, source, data.toString(), from])
    const from = { address: ONE, port: 138 }
    assert.deepEqual(
      [seen(box), seen(lab), seen(all)],
      [[['unique', ME, 'unique', from]], [['group', ME, 'group', from]], [['broadcast', ME, 'everybody', from]]],
    )
    assert.deepEqual(
      wire.sent.filter(({ to }) => to.port === 138).map(({ to }) => to.address),
      [TWO, '10.0.0.255', '10.0.0.255'],
    )
  })
})

test('a listener on a unique name hears what comes for it by group datagram, as announcements to <1d> do', async () => {
  await two(async (wire, _, other) => {
    await other.register(LAB)
    const got = collect(other, LAB)
    const head = { more: false, first: true, sourceType: 'B', id: 1, address: '10.0.0.9', port: 138, offset: 0 } as const
    const sender = wire.plug('10.0.0.9', 138)
    await sender.send(encode(datagramPacket, { kind: 'group', ...head, source: ME, destination: LAB, data: Buffer.from('announce') }), {
      address: TWO,
      port: 138,
    })
    await until(() => got.length === 1)
  })
})

test('long datagrams go in fragments of 576 bytes with their IP headers and come out whole', async () => {
  await two(async (wire, one, other) => {
    await other.register(BOX)
    const got = collect(other, BOX)
    for (const length of [0, 1, 466, 467, 932, 933, 5000, 0xffff]) {
      const data = new Random(length).bytes(length)
      wire.sent.length = 0
      await one.datagrams!.send(ME, BOX, data)
      await until(() => got.length === 1)
      assert.ok(got.pop()?.data.equals(data), `${length}`)
      const packets = wire.sent.filter(({ to }) => to.port === 138)
      assert.equal(packets.length, Math.max(1, Math.ceil(length / 466)), `${length}`)
      assert.ok(packets.every(({ bytes }) => bytes.length <= 548))
    }
    await assert.rejects(one.datagrams!.send(ME, BOX, Buffer.alloc(0x1_0000)), { code: 'USAGE' })
  })
})

test('a datagram for a name that is not there comes back as an error, one for a group or everybody does not', async () => {
  await two(async (wire, one, other) => {
    const held = await other.register(BOX)
    const errors: DatagramError[] = []
    one.datagrams!.onError = error => errors.push(error)
    const lookedUp = await one.lookUp(BOX)
    assert.ok(lookedUp.found !== undefined)
    await held.release()
    const head = { more: false, first: true, sourceType: 'B', address: ONE, port: 138, offset: 0, source: ME, data: Buffer.alloc(1) } as const
    const endpoint = { address: TWO, port: 138 }
    const send = (packet: Pick<DataDatagram, 'kind' | 'destination' | 'id'>): void =>
      wire.carry({ address: ONE, port: 138 }, endpoint, encode(datagramPacket, { ...head, ...packet }))
    send({ kind: 'group', destination: LAB, id: 5 })
    send({ kind: 'unique', destination: BOX, id: 6 })
    await until(() => errors.length === 1)
    assert.deepEqual(errors, [{ id: 6, code: 0x82, meaning: 'destination name not present', from: endpoint }])
    assert.equal(other.datagrams!.ignored.undelivered, 2)
    await assert.rejects(one.datagrams!.send(ME, BOX, Buffer.alloc(1)), {
      code: 'HOST_NOT_FOUND',
      message: /BOX<00> not found \(broadcast 10\.0\.0\.255: no answer\)/,
    })
  })
})

test('nonsense on the port is counted and changes nothing', async () => {
  await two(async (wire, one, other) => {
    await other.register(BOX)
    const got = collect(other, BOX)
    for (const bytes of [Buffer.alloc(0), Buffer.from('hello'), Buffer.alloc(2000, 0x11)])
      wire.carry({ address: ONE, port: 138 }, { address: TWO, port: 138 }, bytes)
    await one.datagrams!.send(ME, BOX, Buffer.from('still'))
    await until(() => got.length === 1)
    assert.equal(other.datagrams!.ignored.malformed, 3)
  })
})

const WHOLE: DataDatagram = {
  kind: 'unique',
  more: false,
  first: true,
  sourceType: 'B',
  id: 9,
  address: ONE,
  port: 138,
  offset: 0,
  source: ME,
  destination: BOX,
  data: new Random(1).bytes(2000),
}
const FROM = { address: ONE, port: 138 }

test('fragments may come in any order and twice', () => {
  const parts = fragments(WHOLE)
  assert.equal(parts.length, 5)
  const random = new Random(7)
  for (let round = 0; round < 200; round++) {
    const reassembly = new Reassembly(() => 0)
    const order = [...parts, ...parts].map(part => ({ part, at: random.below(1000) })).toSorted((a, b) => a.at - b.at)
    const whole = order.map(({ part }) => reassembly.add(part, FROM)).filter(each => each !== undefined)
    assert.ok(whole.length >= 1)
    assert.deepEqual(whole[0], WHOLE)
  }
})

test('fragments of two senders do not mix, a lost one is forgotten after two seconds, and nobody can make us keep many', () => {
  let time = 0
  const reassembly = new Reassembly(() => time)
  const [first, ...rest] = fragments(WHOLE)
  assert.ok(first !== undefined)
  assert.equal(reassembly.add(first, FROM), undefined)
  for (const part of rest) assert.equal(reassembly.add(part, { ...FROM, address: TWO }), undefined)
  assert.equal(reassembly.size, 2)
  time = 2001
  for (const part of rest) assert.equal(reassembly.add(part, FROM), undefined, 'the first one is forgotten')
  assert.equal(reassembly.size, 1)
  for (let id = 0; id < 5000; id++) reassembly.add({ ...first, id }, FROM)
  assert.ok(reassembly.size <= 32)
  const tiny = new Reassembly(() => 0)
  for (let offset = 0; offset < 5000; offset++) tiny.add({ ...first, offset, data: Buffer.alloc(1) }, FROM)
  for (const offset of [0xffff, 0x8000]) assert.equal(tiny.add({ ...first, offset, more: false, data: Buffer.alloc(0x8001) }, FROM), undefined)
  assert.equal(tiny.size, 1)
})
