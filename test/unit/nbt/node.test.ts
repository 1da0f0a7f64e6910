import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pause } from '../../../src/base/time.ts'
import { encode } from '../../../src/base/wire.ts'
import {
  conflictDemand,
  overwriteDemand,
  queryRequest,
  registrationRequest,
  registrationResponse,
  releaseRequest,
  statusRequest,
} from '../../../src/nbt/name-messages.ts'
import { namePacket, type NbAddress, OPCODE, RCODE } from '../../../src/nbt/name-packets.ts'
import { ANY_NAME, MSBROWSE, parseName } from '../../../src/nbt/names.ts'
import { Nbns, node, Puppet, QUICK, Wire } from './wire.ts'

const [ONE, TWO, WINS] = ['10.0.0.1', '10.0.0.2', '10.0.0.3']
const PAYROLL = parseName('PAYROLL', 0x20)
const LAB = parseName('LAB', 0)
const at = (address: string, group = false): NbAddress => ({ group, nodeType: 'B', address })
const to = (address: string) => ({ address, port: 137 })
const turns = async (n: number): Promise<void> => {
  for (let i = 0; i < n; i++) await new Promise(resolve => setImmediate(resolve))
}

test('broadcast nodes: the first claim gets the name, the second is told who has it, and gets it once it is free', async () => {
  const wire = new Wire()
  const [one, two] = [await node(wire, ONE), await node(wire, TWO)]
  const held = await one.register(PAYROLL)
  assert.deepEqual([held.state, held.registration], ['active', { server: undefined, broadcast: true, ttl: 0 }])
  await assert.rejects(two.register(PAYROLL), { code: 'NAME_HELD', message: 'the name PAYROLL<20> is held by 10.0.0.1' })
  assert.deepEqual(two.view(), [])
  assert.deepEqual((await two.lookUp(PAYROLL)).found?.owners, [{ ...at(ONE), nodeType: 'B' }])
  assert.deepEqual(await held.release(), [{ where: '10.0.0.255', outcome: 'told' }])
  assert.equal((await two.register(PAYROLL)).state, 'active')
  await one.close()
  await two.close()
})

test('a group has many owners, and no unique name beside it, whichever came first', async () => {
  const wire = new Wire()
  const [one, two] = [await node(wire, ONE), await node(wire, TWO)]
  const group = await one.register(LAB, { group: true })
  assert.equal((await two.register(LAB, { group: true })).state, 'active')
  await two.close()
  const third = await node(wire, TWO)
  await assert.rejects(third.register(LAB), { code: 'NAME_HELD' })
  await group.release()
  const unique = await third.register(LAB)
  await assert.rejects(one.register(LAB, { group: true }), { code: 'NAME_HELD' })
  await unique.release()
  await one.close()
  await third.close()
})

test('of two nodes that claim a name at the same time, one gets it', async () => {
  const wire = new Wire()
  const [one, two] = [await node(wire, ONE), await node(wire, TWO)]
  const [first, second] = await Promise.allSettled([one.register(PAYROLL), two.register(PAYROLL)])
  assert.deepEqual([first.status, second.status], ['fulfilled', 'rejected'])
  await one.close()
  await two.close()
})

test('two owners after a parted wire: whoever asks finds both and tells the second; that one loses the name', async () => {
  const wire = new Wire()
  const [one, two, three] = [await node(wire, ONE), await node(wire, TWO), await node(wire, '10.0.0.4')]
  wire.loses = (from, peer) => [from.address, peer.address].toSorted().join() === `${ONE},${TWO}`
  const [first, second] = [await one.register(PAYROLL), await two.register(PAYROLL)]
  wire.loses = () => false
  const lost: string[] = []
  for (const held of [first, second]) held.onLost = error => lost.push(error.message)
  const { found } = await three.lookUp(PAYROLL)
  await turns(4)
  const states = [first.state, second.state]
  assert.deepEqual(states.toSorted(), ['active', 'conflict'])
  assert.equal(found?.owners[0]?.address, states[0] === 'active' ? ONE : TWO)
  assert.deepEqual(lost, ['PAYROLL<20> was taken away by 10.0.0.4'])
  assert.deepEqual((await three.lookUp(PAYROLL)).found?.owners.length, 1)
  // the loser gives its name back to nobody
  const loser = states[0] === 'conflict' ? first : second
  assert.deepEqual(await loser.release(), [])
  for (const each of [one, two, three]) await each.close()
})

test('a node answers queries and node status for its own names alone', async () => {
  const wire = new Wire()
  const one = await node(wire, ONE)
  const asker = new Puppet(wire, TWO)
  await one.register(PAYROLL)
  await one.register(LAB, { group: true })
  await one.register(MSBROWSE, { group: true })
  const ask = async (packet: Parameters<typeof encode<Parameters<typeof namePacket.put>[1]>>[1], where = ONE) => {
    asker.heard.length = 0
    asker.say(packet, to(where))
    await turns(4)
    return asker.heard.filter(({ packet: { response } }) => response).map(({ packet: { rcode, answer } }) => ({ rcode, data: answer?.data }))
  }
  assert.deepEqual(await ask(queryRequest(7, PAYROLL, false)), [{ rcode: 0, data: { kind: 'addresses', addresses: [at(ONE)] } }])
  assert.deepEqual(await ask(queryRequest(7, LAB, true), '10.0.0.255'), [{ rcode: 0, data: { kind: 'addresses', addresses: [at(ONE, true)] } }])
  assert.equal((await ask(queryRequest(7, parseName('OTHER', 0), false)))[0]?.rcode, RCODE.NAME)
  assert.deepEqual(await ask(queryRequest(7, parseName('OTHER', 0), true), '10.0.0.255'), [])
  for (const name of [ANY_NAME, PAYROLL]) {
    const [status] = await ask(statusRequest(7, name))
    assert.ok(status?.data?.kind === 'status')
    assert.deepEqual(
      status.data.names.map(line => [line.name, line.group, line.active]),
      [
        [PAYROLL, false, true],
        [LAB, true, true],
        [MSBROWSE, true, true],
      ],
    )
  }
  assert.deepEqual(await ask(statusRequest(7, parseName('OTHER', 0))), [])
  assert.equal((await ask({ ...statusRequest(7, ANY_NAME), broadcast: true })).length, 1) // as nbtscan asks
  assert.deepEqual(await ask({ ...queryRequest(7, PAYROLL, false), opcode: 11 }), [])
  assert.deepEqual(await ask({ ...queryRequest(7, PAYROLL, false), question: undefined }), [])
  await one.close()
})

test('a node status too long for one packet says so', async () => {
  const wire = new Wire()
  const one = await node(wire, ONE, { times: { ...QUICK, broadcastMs: 1 } })
  await Promise.all(Array.from({ length: 40 }, (_, i) => one.register(parseName(`N${i}`, 0))))
  const two = await node(wire, TWO)
  const status = await two.status(ONE)
  assert.deepEqual([status?.names.length, status?.truncated], [26, true])
  assert.ok(wire.sent.every(({ bytes }) => bytes.length <= 576))
  await one.close()
  await two.close()
})

test('demands count from those who may make them alone', async () => {
  const wire = new Wire()
  const server = new Nbns(wire, WINS)
  const one = await node(wire, ONE, { wins: [WINS] })
  const [neighbour, stranger] = [new Puppet(wire, TWO), new Puppet(wire, '10.9.9.9')]
  const other = new Puppet(wire, TWO, () => {}, 1024)
  const atServer = await one.register(PAYROLL)
  assert.equal(atServer.registration.server, WINS)
  const byBroadcast = await (async () => {
    const two = await node(wire, '10.0.0.5')
    return { node: two, held: await two.register(LAB) }
  })()
  // who did not write the name down
  for (const puppet of [neighbour, stranger]) {
    puppet.say(conflictDemand(1, PAYROLL, at(ONE)), to(ONE))
    puppet.say(releaseRequest(1, { name: PAYROLL, owner: at(ONE) }, false), to(ONE))
  }
  // what nobody may do: from another wire, from another port, to a group
  stranger.say(conflictDemand(1, LAB, at('10.0.0.5')), to('10.0.0.5'))
  other.say(conflictDemand(1, LAB, at('10.0.0.5')), to('10.0.0.5'))
  neighbour.say(releaseRequest(1, { name: LAB, owner: at('10.0.0.5') }, false), to('10.0.0.5'))
  neighbour.say(releaseRequest(1, { name: LAB, owner: at('10.0.0.5') }, true), to('10.0.0.255'))
  neighbour.say(overwriteDemand(1, { name: LAB, owner: at(TWO), ttl: 0 }, true), to('10.0.0.255'))
  await turns(4)
  assert.deepEqual([atServer.state, byBroadcast.held.state], ['active', 'active'])
  assert.equal(one.network.exchange.ignored.unentitled, 4)
  assert.equal(byBroadcast.node.network.exchange.ignored.unentitled, 4)
  // who may
  server.puppet.say(releaseRequest(1, { name: PAYROLL, owner: at(ONE) }, false), to(ONE))
  neighbour.say(conflictDemand(1, LAB, at('10.0.0.5')), to('10.0.0.5'))
  await turns(4)
  assert.deepEqual([atServer.state, byBroadcast.held.state], ['conflict', 'conflict'])
  await one.close()
  await byBroadcast.node.close()
})

test('a claim that a node defends is echoed as it came', async () => {
  const wire = new Wire()
  const one = await node(wire, ONE)
  await one.register(PAYROLL)
  const two = new Puppet(wire, TWO)
  two.say(registrationRequest(0x77, { name: PAYROLL, owner: at(TWO), ttl: 9 }, true), to('10.0.0.255'))
  await turns(4)
  const [defence] = two.heard.filter(({ packet }) => packet.response)
  assert.deepEqual([defence?.packet.id, defence?.packet.rcode, defence?.packet.answer?.data], [0x77, RCODE.ACTIVE, { kind: 'addresses', addresses: [at(TWO)] }])
  await one.close()
})

test('a P node neither sends nor answers broadcasts', async () => {
  const wire = new Wire()
  new Nbns(wire, WINS)
  const one = await node(wire, ONE, { wins: [WINS], nodeType: 'P' })
  await one.register(PAYROLL)
  const two = new Puppet(wire, TWO)
  two.say(queryRequest(7, PAYROLL, true), to('10.0.0.255'))
  await turns(4)
  assert.deepEqual(two.heard, [])
  await one.close()
  assert.deepEqual(
    wire.packets.filter(sent => sent.from === ONE && sent.to === '10.0.0.255'),
    [],
  )
})

test('a name is refreshed before its life at the name server ends, again and again; a life of 0 needs none', async () => {
  const wire = new Wire()
  const server = new Nbns(wire, WINS)
  server.ttl = 4
  const one = await node(wire, ONE, { wins: [WINS] })
  const held = await one.register(PAYROLL)
  const began = performance.now()
  while (held.refreshed < 2 && performance.now() - began < 60_000) await pause(10)
  assert.equal(held.refreshed, 2)
  assert.ok(performance.now() - began < 8000)
  await held.release()
  server.ttl = 0
  const endless = await one.register(LAB)
  const heard = server.heard.length
  await pause(300)
  assert.deepEqual([server.heard.length, endless.refreshed], [heard, 0])
  await one.close()
  assert.ok(!process.getActiveResourcesInfo().includes('Timeout'))
})

test('a life of 136 years does not make a timer that fires at once', async () => {
  const wire = new Wire()
  const server = new Nbns(wire, WINS)
  server.ttl = 0xffff_ffff
  const one = await node(wire, ONE, { wins: [WINS] })
  const held = await one.register(PAYROLL)
  await pause(300)
  assert.equal(held.refreshed, 0)
  assert.equal(server.heard.filter(({ opcode }) => opcode === OPCODE.REFRESH).length, 0)
  await one.close()
})

test('a name server that gives the name to another takes it from us; one that is silent is asked again', async () => {
  const wire = new Wire()
  const server = new Nbns(wire, WINS)
  server.ttl = 1
  const one = await node(wire, ONE, { wins: [WINS], times: { ...QUICK, unicastMs: 5 } })
  const held = await one.register(PAYROLL)
  let refreshes = 0
  server.first = ({ opcode }) => opcode === OPCODE.REFRESH && ++refreshes <= 3
  const lost = new Promise<Error>(resolve => (held.onLost = resolve))
  const began = performance.now()
  while (refreshes < 4 && performance.now() - began < 60_000) await pause(10)
  assert.deepEqual([refreshes, held.state], [4, 'active'])
  server.first = () => false
  server.names.set('PAYROLL#32.', at('10.0.0.9'))
  assert.match((await lost).message, /the name server 10\.0\.0\.3 gave it to another host/)
  assert.equal(held.state, 'conflict')
  await one.close()
  assert.equal(server.names.get('PAYROLL#32.')?.address, '10.0.0.9')
})

test('a registration that is given up half-way leaves nothing at the name server', async () => {
  const wire = new Wire()
  const server = new Nbns(wire, WINS)
  const one = await node(wire, ONE, { wins: [WINS] })
  const stop = new AbortController()
  server.first = (packet, _, say) => {
    if (packet.opcode !== OPCODE.REGISTRATION) return false
    server.names.set('PAYROLL#32.', at(ONE)) // written down, the answer lost
    stop.abort(new Error('enough'))
    void say
    return true
  }
  await assert.rejects(one.register(PAYROLL, { signal: stop.signal }), /enough/)
  await turns(4)
  assert.equal(server.names.size, 0)
  assert.deepEqual(one.view(), [])
  await one.close()
})

test('close gives every name back, and a closed node registers nothing', async () => {
  const wire = new Wire()
  const server = new Nbns(wire, WINS)
  const one = await node(wire, ONE, { wins: [WINS] })
  await Promise.all(['A', 'B', 'C'].map(text => one.register(parseName(text, 0))))
  assert.equal(server.names.size, 3)
  const late = assert.rejects(one.register(parseName('D', 0)), { code: 'CLOSED' })
  await Promise.all([one.close(), one.close()])
  await late
  assert.equal(server.names.size, 0)
  await assert.rejects(one.register(PAYROLL), { code: 'CLOSED' })
})

test('a host with several addresses registers, answers for, refreshes and gives back each; one that the name server does not take is left out', async () => {
  const wire = new Wire()
  const server = new Nbns(wire, WINS)
  server.ttl = 1
  const more = ['10.0.0.11', '10.1.0.11', '10.0.0.66'].map(address => ({ address, netmask: '255.255.255.0', broadcast: address.replace(/\d+$/, '255') }))
  const known: string[] = []
  const heard = (opcode: number): string[] =>
    server.heard.flatMap(({ opcode: each, additional }) =>
      each === opcode && additional?.data.kind === 'addresses' ? additional.data.addresses[0]!.address : [],
    )
  server.first = ({ id, opcode, question, additional }, _, say) => {
    const owner = additional?.data.kind === 'addresses' ? additional.data.addresses[0] : undefined
    if (opcode === OPCODE.QUERY || owner === undefined || question === undefined) return false
    const refused = owner.address === '10.0.0.66'
    if (opcode === OPCODE.MULTIHOMED && !refused) known.push(owner.address)
    say(registrationResponse(id, { name: question.name, owner, ttl: server.ttl }, refused ? RCODE.ACTIVE : RCODE.OK))
    return true
  }
  const me = await node(wire, ONE, { wins: [WINS], others: more })
  const held = await me.register(PAYROLL)
  const taken = [ONE, '10.0.0.11', '10.1.0.11']
  assert.deepEqual([known, held.addresses, heard(OPCODE.MULTIHOMED)], [taken, taken, [...taken, '10.0.0.66']])
  // whoever asks gets all of them, first the one on its own wire
  const other = new Puppet(wire, '10.1.0.7')
  other.say(queryRequest(7, PAYROLL, false), to(ONE))
  await turns(4)
  const data = other.heard[0]?.packet.answer?.data
  assert.deepEqual(data?.kind === 'addresses' ? data.addresses.map(({ address }) => address) : [], ['10.1.0.11', ONE, '10.0.0.11', '10.0.0.66'])
  while (held.refreshed === 0) await pause(20)
  assert.deepEqual(heard(OPCODE.REFRESH).slice(0, 3), taken)
  assert.deepEqual(
    (await held.release()).map(({ outcome }) => outcome),
    taken.map(() => 'released'),
  )
  assert.deepEqual(heard(OPCODE.RELEASE), taken)
  await me.close()
})

test('a host on several wires claims a name on each with the address there, and an objection on any of them counts', async () => {
  const wire = new Wire()
  const there = { address: '10.1.0.1', netmask: '255.255.255.0', broadcast: '10.1.0.255' }
  const me = await node(wire, ONE, { others: [there] })
  const held = await me.register(PAYROLL)
  const claims = wire.packets.flatMap(({ to: where, packet: { additional } }) =>
    additional?.data.kind === 'addresses' ? `${where}: ${additional.data.addresses[0]!.address}` : [],
  )
  assert.deepEqual([...new Set(claims)].sort(), ['10.0.0.255: 10.0.0.1', '10.1.0.255: 10.1.0.1'])
  assert.deepEqual(
    (await held.release()).map(({ where, outcome }) => `${where}: ${outcome}`),
    ['10.0.0.255: told', '10.1.0.255: told'],
  )
  new Puppet(wire, '10.1.0.255', ({ id, question, response, opcode }, _, say) => {
    if (!response && opcode === OPCODE.REGISTRATION && question !== undefined)
      say(registrationResponse(id, { name: question.name, owner: at('10.1.0.9'), ttl: 0 }, RCODE.ACTIVE))
  })
  await assert.rejects(me.register(PAYROLL), { code: 'NAME_HELD' })
  assert.deepEqual(me.view(), [])
  await me.close()
})
