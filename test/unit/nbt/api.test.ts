import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { test } from 'node:test'
import { decode, encode } from '../../../src/base/wire.ts'
import { addressTowards, broadcastOf, interfaces, isOnWire, openUdp } from '../../../src/nbt/endpoint.ts'
import { call, hold, nodeStatus, query } from '../../../src/nbt/index.ts'
import { negativeQueryResponse, queryResponse, registrationResponse, releaseResponse, statusResponse } from '../../../src/nbt/name-messages.ts'
import { namePacket, OPCODE, RCODE } from '../../../src/nbt/name-packets.ts'
import { parseName } from '../../../src/nbt/names.ts'
import { QUICK } from './wire.ts'

const FILES = parseName('FILES', 0x20)
const LOOPBACK = { address: '127.0.0.1', netmask: '255.0.0.0', broadcast: '127.0.0.1' }

/** A name server on a UDP port of the loopback that writes down one name and knows FILES<20>. */
async function nameServer(): Promise<{ port: number; names: Map<string, string>; heard: number[]; close: () => Promise<void> }> {
  const endpoint = await openUdp({ address: '127.0.0.1', port: 0 })
  const names = new Map<string, string>([['FILES', '10.0.0.5']])
  const heard: number[] = []
  endpoint.receive((bytes, from) => {
    const { id, opcode, question, additional } = decode(namePacket, bytes)
    if (question === undefined) return
    heard.push(opcode)
    const { name } = question
    const owner =
      additional?.data.kind === 'addresses' ? additional.data.addresses[0]! : ({ group: false, nodeType: 'P', address: names.get(name.text) ?? '' } as const)
    const line = { name: FILES, group: false, nodeType: 'B', releasing: false, conflict: false, active: true, permanent: false } as const
    if (opcode === OPCODE.RELEASE) names.delete(name.text)
    const answer =
      question.type === 0x21
        ? statusResponse(id, name, [line], '00:00:00:00:00:00')
        : opcode === OPCODE.REGISTRATION
          ? (names.set(name.text, owner.address), registrationResponse(id, { name, owner, ttl: 300 }, RCODE.OK))
          : opcode === OPCODE.RELEASE
            ? releaseResponse(id, { name, owner }, RCODE.OK)
            : names.has(name.text)
              ? queryResponse(id, name, 300, [owner])
              : negativeQueryResponse(id, name, RCODE.NAME)
    void endpoint.send(encode(namePacket, answer), from)
  })
  return { port: endpoint.local.port, names, heard, close: () => endpoint.close() }
}

test('query and node status, each with a port of its own that is given back', async () => {
  const server = await nameServer()
  const options = { wins: ['127.0.0.1'], nodeType: 'P', ports: { name: server.port }, times: QUICK } as const
  const found = await query('files', options)
  assert.deepEqual([found.name, found.by, found.from, found.owners.map(({ address }) => address)], [FILES, 'wins', '127.0.0.1', ['10.0.0.5']])
  await assert.rejects(query('OTHER#1b', options), { code: 'HOST_NOT_FOUND', message: 'OTHER<1b> not found (wins 127.0.0.1: no such name)' })
  await assert.rejects(query('much-too-long-a-name', options), { code: 'USAGE' })
  assert.deepEqual(
    (await nodeStatus('127.0.0.1', options)).names.map(({ name }) => name),
    [FILES],
  )
  await server.close()
  await assert.rejects(nodeStatus('127.0.0.1', options), { code: 'TIMED_OUT', message: 'no node status from 127.0.0.1 within 600 ms' })
  // libuv forgets a socket in the turn after its close
  const open = (): boolean => process.getActiveResourcesInfo().includes('UDPWrap')
  for (let i = 0; i < 100 && open(); i++) await new Promise(resolve => setImmediate(resolve))
  assert.ok(!open())
})

test('a held name is given back at the name server with the close', async () => {
  const server = await nameServer()
  const options = { wins: ['127.0.0.1'], ports: { name: server.port, session: 0 }, times: QUICK, own: LOOPBACK } as const
  // the name server has the port that ours would need: nobody defends the name
  const held = await hold('PAYROLL#20', options)
  assert.deepEqual([held.isDefended, held.name.registration.server, server.names.get('PAYROLL')], [false, '127.0.0.1', '127.0.0.1'])
  assert.match(
    held.warning ?? '',
    /^nobody defends PAYROLL<20>: UDP port \d+ of 0\.0\.0\.0 cannot be bound \(EADDRINUSE\); it is registered at the name server alone$/,
  )
  await held.close()
  assert.equal(server.names.has('PAYROLL'), false)
  assert.deepEqual(server.heard, [OPCODE.REGISTRATION, OPCODE.RELEASE])
  // without a name server that is an error with its cure
  await assert.rejects(hold('PAYROLL#20', { ...options, wins: [] }), { code: 'PORT_UNAVAILABLE', hint: /end that one, or register at a WINS server/ })
  await server.close()
})

test('a signal that has aborted takes nothing', async () => {
  const signal = AbortSignal.abort(new Error('enough'))
  for (const work of [hold('X', { signal }), query('X', { signal }), nodeStatus('127.0.0.1', { signal }), call({ address: '127.0.0.1', signal })])
    await assert.rejects(work, /enough/)
})

test('call asks the node for its name where *SMBSERVER is refused', async () => {
  const names = await nameServer()
  const called: string[] = []
  const server = createServer(socket =>
    socket
      .on('error', () => {})
      .once('data', bytes => {
        called.push(bytes.toString('latin1', 5, 15))
        socket.end(Buffer.from(called.length === 1 ? '8300000182' : '82000000', 'hex'))
      }),
  ).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  const result = await call({ address: '127.0.0.1', ports: { name: names.port, session: address.port }, times: QUICK })
  assert.deepEqual([result.called, result.port, called], [FILES, address.port, ['CKFDENECFD', 'EGEJEMEFFD']])
  result.socket.destroy()
  server.close()
  await names.close()
})

test('addresses and their wires', async () => {
  assert.deepEqual(
    [broadcastOf('10.1.2.3', '255.255.255.0'), broadcastOf('10.1.2.3', '255.255.252.0'), broadcastOf('10.1.2.3', '255.255.255.255')],
    ['10.1.2.255', '10.1.3.255', '10.1.2.3'],
  )
  const own = { address: '10.1.2.3', netmask: '255.255.252.0', broadcast: '10.1.3.255' }
  assert.deepEqual([isOnWire(own, '10.1.0.9'), isOnWire(own, '10.1.4.9')], [true, false])
  assert.equal(await addressTowards('127.0.0.5'), '127.0.0.1')
  for (const { address, broadcast, netmask } of interfaces()) assert.equal(broadcastOf(address, netmask), broadcast)
})

test('a UDP port is ours alone', async () => {
  const one = await openUdp({ address: '127.0.0.1', port: 0 })
  const { port } = one.local
  await assert.rejects(openUdp({ address: '127.0.0.1', port }), { code: 'PORT_UNAVAILABLE', facts: { port, reason: 'EADDRINUSE' } })
  await one.close()
  await one.close()
  await assert.rejects(one.send(Buffer.alloc(1), { address: '127.0.0.1', port }), { code: 'CLOSED' })
  await (await openUdp({ address: '127.0.0.1', port })).close()
})
