import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NameExchange } from '../../../src/nbt/exchange.ts'
import {
  negativeQueryResponse,
  queryResponse,
  registrationResponse,
  releaseResponse,
  statusResponse,
  waitAcknowledgement,
} from '../../../src/nbt/name-messages.ts'
import { type NamePacket, type NbAddress, type NodeType, OPCODE, RCODE } from '../../../src/nbt/name-packets.ts'
import { parseName } from '../../../src/nbt/names.ts'
import { askStatus, lookUpName, type NameNetwork } from '../../../src/nbt/queries.ts'
import { refreshAt, registerName, releaseName } from '../../../src/nbt/registrations.ts'
import { Nbns, Puppet, QUICK, redirectResponse, Wire } from './wire.ts'

const ME = '10.0.0.1'
const SRV = parseName('SRV', 0x20)
const owner = (address: string, group = false): NbAddress => ({ group, nodeType: 'H', address })
const CLAIM = { name: SRV, owner: owner(ME), ttl: 300_000 }

function network(wire: Wire, options: Partial<NameNetwork> = {}): NameNetwork {
  const exchange = new NameExchange(wire.plug(ME, 137))
  return { exchange, port: 137, broadcasts: ['10.0.0.255'], wins: ['10.0.0.2', '10.0.0.3'], nodeType: 'P', times: QUICK, tellsConflicts: false, ...options }
}

test('a query goes to the name servers in order: past a silent one and past one that does not know', async () => {
  const wire = new Wire()
  const net = network(wire, { wins: ['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5'] })
  new Nbns(wire, '10.0.0.3')
  const knows = new Nbns(wire, '10.0.0.4')
  const unasked = new Nbns(wire, '10.0.0.5')
  knows.names.set('SRV#32.', owner('10.0.0.9'))
  const { found, attempts } = await lookUpName(net, SRV)
  assert.deepEqual(found, { name: SRV, group: false, owners: [owner('10.0.0.9')], ttl: 300_000, by: 'wins', from: '10.0.0.4' })
  assert.deepEqual(
    attempts.map(({ to, outcome }) => [to, outcome]),
    [
      ['10.0.0.2', 'no answer'],
      ['10.0.0.3', 'no such name'],
      ['10.0.0.4', 'found'],
    ],
  )
  assert.equal(wire.packets.filter(({ to }) => to === '10.0.0.2').length, 3)
  assert.equal(unasked.heard.length, 0)
})

test('a name server that names another one is believed: that one is asked next, nobody twice, and not without end', async () => {
  const wire = new Wire()
  const other = parseName('OTHER', 0x20)
  const net = network(wire, { wins: ['10.0.0.2', '10.0.0.3', '10.0.0.4'] })
  const leadsTo = (address: string, to: string): Nbns => {
    const server = new Nbns(wire, address)
    server.first = ({ id, question }, _, say) => (say(redirectResponse(id, question!.name, other, to)), true)
    return server
  }
  leadsTo('10.0.0.2', '10.0.0.4')
  const unasked = new Nbns(wire, '10.0.0.3')
  const last = leadsTo('10.0.0.4', '10.0.0.9')
  const knows = new Nbns(wire, '10.0.0.9')
  knows.names.set('SRV#32.', owner('10.0.0.7'))
  const { found, attempts } = await lookUpName(net, SRV)
  assert.deepEqual([found?.owners, found?.from, found?.by], [[owner('10.0.0.7')], '10.0.0.9', 'wins'])
  const told = (all: typeof attempts): string[] => all.map(({ to, outcome }) => `${to} ${outcome}`)
  assert.deepEqual(told(attempts), ['10.0.0.2 redirected to 10.0.0.4', '10.0.0.4 redirected to 10.0.0.9', '10.0.0.9 found'])
  assert.deepEqual([unasked.heard.length, last.heard.length], [0, 1])

  // in a circle, and to itself
  leadsTo('10.0.0.11', '10.0.0.12')
  leadsTo('10.0.0.12', '10.0.0.11')
  leadsTo('10.0.0.13', '10.0.0.13')
  const circle = await lookUpName({ ...net, wins: ['10.0.0.11', '10.0.0.13'] }, SRV)
  assert.deepEqual(told(circle.attempts), ['10.0.0.11 redirected to 10.0.0.12', '10.0.0.12 redirected to 10.0.0.11', '10.0.0.13 redirected to 10.0.0.13'])
  // one after the other without end
  for (let n = 20; n < 40; n++) leadsTo(`10.0.0.${n}`, `10.0.0.${n + 1}`)
  const endless = await lookUpName({ ...net, wins: ['10.0.0.20'] }, SRV)
  assert.deepEqual([endless.found, endless.attempts.length], [undefined, 5])
})

test('what is no proper redirect leads nowhere', async () => {
  const wire = new Wire()
  const other = parseName('OTHER', 0x20)
  const server = new Nbns(wire, '10.0.0.2')
  const bad = new Nbns(wire, '10.0.0.9')
  const net = network(wire, { wins: ['10.0.0.2'], times: { ...QUICK, unicastMs: 50 } })
  for (const [to, changed] of [
    ['10.0.0.255', (p: NamePacket) => ({ ...p, authority: { ...p.authority!, name: other } })],
    ['10.0.0.9', (p: NamePacket) => ({ ...p, additional: { ...p.additional!, name: SRV } })],
    ['10.0.0.9', (p: NamePacket) => ({ ...p, authority: undefined })],
    ['0.0.0.0', (p: NamePacket) => p],
    ['255.255.255.255', (p: NamePacket) => p],
    ['239.1.1.1', (p: NamePacket) => p],
  ] as const) {
    server.first = ({ id }, _, say) => (say(changed(redirectResponse(id, SRV, other, to))), true)
    const { attempts } = await lookUpName(net, SRV)
    assert.deepEqual(
      attempts.map(({ outcome }) => outcome),
      ['no answer'],
    )
  }
  assert.equal(bad.heard.length, 0)
})

test('each type of node asks whom RFC 1001 says, in its order', async () => {
  for (const [nodeType, ways] of [
    ['B', ['broadcast']],
    ['P', ['wins', 'wins']],
    ['M', ['broadcast', 'wins', 'wins']],
    ['H', ['wins', 'wins', 'broadcast']],
  ] as const satisfies readonly (readonly [NodeType, readonly string[]])[]) {
    const net = network(new Wire(), { nodeType })
    const { found, attempts } = await lookUpName(net, SRV)
    assert.equal(found, undefined)
    assert.deepEqual(
      attempts.map(({ way }) => way),
      ways,
      nodeType,
    )
  }
})

test('RA and RD of an answer do not matter', async () => {
  for (const recursionAvailable of [true, false])
    for (const recursionDesired of [true, false]) {
      const wire = new Wire()
      const server = new Nbns(wire, '10.0.0.2')
      server.first = ({ id, opcode }, _, say) => {
        const packet = opcode === OPCODE.QUERY ? queryResponse(id, SRV, 5, [owner('10.0.0.9')]) : registrationResponse(id, CLAIM, RCODE.OK)
        say({ ...packet, recursionAvailable, recursionDesired })
        return true
      }
      const net = network(wire)
      assert.equal((await lookUpName(net, SRV)).found?.owners[0]?.address, '10.0.0.9')
      assert.equal((await registerName(net, [CLAIM])).ttl, 300_000)
    }
})

test('a forged, a misdirected and an unasked answer are ignored and counted, and the true one is taken', async () => {
  const wire = new Wire()
  const net = network(wire)
  const [forger, server] = [new Puppet(wire, '10.0.0.66'), new Nbns(wire, '10.0.0.2')]
  const lowPort = new Puppet(wire, '10.0.0.2', () => {}, 1024)
  const me = { address: ME, port: 137 }
  server.first = ({ id }, _, say) => {
    forger.say(queryResponse(id, SRV, 0, [owner('6.6.6.6')]), me) // another address
    lowPort.say(queryResponse(id, SRV, 0, [owner('6.6.6.6')]), me) // another port
    say(queryResponse(id, parseName('OTHER', 0x20), 0, [owner('6.6.6.6')])) // another name
    say(queryResponse((id + 1) & 0xffff, SRV, 0, [owner('6.6.6.6')])) // another id
    void forger.endpoint.send(Buffer.from('nonsense'), me)
    setImmediate(() => say(queryResponse(id, SRV, 7, [owner('10.0.0.9')])))
    return true
  }
  const { found } = await lookUpName(net, SRV)
  assert.deepEqual(found?.owners, [owner('10.0.0.9')])
  assert.deepEqual(net.exchange.ignored, { malformed: 1, unasked: 1, forged: 3, repeated: 0, unentitled: 0 })
})

test('a wait acknowledgement stops the sending, is believed once and within bounds', async () => {
  const wire = new Wire()
  const net = network(wire)
  const server = new Nbns(wire, '10.0.0.2')
  server.first = (packet, _, say) => {
    say(waitAcknowledgement(packet, SRV, 3600))
    say(waitAcknowledgement(packet, SRV, 3600))
    setTimeout(() => say(registrationResponse(packet.id, CLAIM, RCODE.OK)), 900) // after all tries would have been over
    return true
  }
  assert.equal((await registerName(net, [CLAIM])).server, '10.0.0.2')
  assert.equal(server.heard.length, 1)
  assert.equal(net.exchange.ignored.repeated, 1)

  server.first = (packet, _, say) => {
    say(waitAcknowledgement(packet, SRV, 3600))
    return true
  }
  const began = performance.now()
  await assert.rejects(registerName({ ...net, wins: ['10.0.0.2'] }, [CLAIM]), { code: 'TIMED_OUT' })
  assert.ok(performance.now() - began < 3600_000 / 1000)
  assert.equal(server.heard.length, 2)
})

test('a registration that the name server refuses names the owner', async () => {
  const wire = new Wire()
  const net = network(wire)
  const server = new Nbns(wire, '10.0.0.2')
  server.names.set('SRV#32.', owner('10.0.0.9'))
  await assert.rejects(registerName(net, [CLAIM]), {
    code: 'NAME_HELD',
    message: 'the name SRV<20> is held by 10.0.0.9',
    facts: { name: 'SRV<20>', by: '10.0.0.9', rcode: RCODE.ACTIVE },
  })
  for (const rcode of [RCODE.REFUSED, RCODE.CONFLICT]) {
    server.first = ({ id, opcode }, _, say) => {
      if (opcode === OPCODE.REGISTRATION) say(registrationResponse(id, CLAIM, rcode))
      return opcode === OPCODE.REGISTRATION
    }
    await assert.rejects(registerName(net, [CLAIM]), { code: 'NAME_HELD' }, `${rcode}`)
  }
  for (const rcode of [RCODE.FORMAT, RCODE.SERVER, RCODE.UNSUPPORTED]) {
    server.first = ({ id }, _, say) => {
      say(registrationResponse(id, CLAIM, rcode))
      return true
    }
    await assert.rejects(registerName({ ...net, wins: ['10.0.0.2'] }, [CLAIM]), { code: 'SERVER_REFUSED' }, `${rcode}`)
  }
})

test('a name server that leaves the challenge to us: the owner is asked, and overwritten when it no longer has the name', async () => {
  for (const alive of [true, false]) {
    const wire = new Wire()
    const net = network(wire, { wins: ['10.0.0.2'] })
    const server = new Nbns(wire, '10.0.0.2')
    new Puppet(wire, '10.0.0.9', ({ id }, _, say) => say(alive ? queryResponse(id, SRV, 0, [owner('10.0.0.9')]) : negativeQueryResponse(id, SRV, RCODE.NAME)))
    server.first = ({ id, recursionDesired }, _, say) => {
      const challenge = { ...registrationResponse(id, { ...CLAIM, owner: owner('10.0.0.9') }, RCODE.OK), recursionAvailable: false }
      say(recursionDesired ? challenge : registrationResponse(id, CLAIM, RCODE.OK))
      return true
    }
    if (alive) await assert.rejects(registerName(net, [CLAIM]), { code: 'NAME_HELD', facts: { name: 'SRV<20>', by: '10.0.0.9' } })
    else assert.deepEqual(await registerName(net, [CLAIM]), { server: '10.0.0.2', broadcast: false, ttl: 300_000 })
    assert.deepEqual(
      server.heard.map(packet => packet.recursionDesired),
      alive ? [true] : [true, false],
    )
  }
})

test('by broadcast: three requests and a demand, nothing in between', async () => {
  const wire = new Wire()
  const net = network(wire, { nodeType: 'B', wins: [] })
  assert.deepEqual(await registerName(net, [CLAIM]), { server: undefined, broadcast: true, ttl: 0 })
  assert.deepEqual(
    wire.packets.map(({ to, packet }) => [to, packet.opcode, packet.recursionDesired, packet.broadcast]),
    [...Array.from({ length: 3 }, () => ['10.0.0.255', OPCODE.REGISTRATION, true, true]), ['10.0.0.255', OPCODE.REGISTRATION, false, true]],
  )
  assert.equal(new Set(wire.packets.slice(0, 3).map(({ packet }) => packet.id)).size, 1)
})

test('M needs both, H is content with its name server, and goes by broadcast where none answers', async () => {
  const wire = new Wire()
  const net = network(wire, { wins: ['10.0.0.2'] })
  assert.deepEqual(await registerName({ ...net, nodeType: 'H' }, [CLAIM]), { server: undefined, broadcast: true, ttl: 0 })
  await assert.rejects(registerName({ ...net, nodeType: 'M' }, [CLAIM]), { code: 'TIMED_OUT' })
  const server = new Nbns(wire, '10.0.0.2')
  assert.deepEqual(await registerName({ ...net, nodeType: 'M' }, [CLAIM]), { server: '10.0.0.2', broadcast: true, ttl: 300_000 })
  assert.deepEqual(await registerName({ ...net, nodeType: 'H' }, [CLAIM]), { server: '10.0.0.2', broadcast: false, ttl: 300_000 })
  server.names.set('SRV#32.', owner('10.0.0.9'))
  await assert.rejects(registerName({ ...net, nodeType: 'H' }, [CLAIM]), { code: 'NAME_HELD' })
  for (const nodeType of ['P', 'H'] as const) await assert.rejects(registerName({ ...net, nodeType, wins: [], broadcasts: [] }, [CLAIM]), { code: 'USAGE' })
})

test('a refresh may be answered as a registration', async () => {
  const wire = new Wire()
  const net = network(wire)
  const server = new Nbns(wire, '10.0.0.2')
  server.ttl = 77
  assert.equal(await refreshAt(net, '10.0.0.2', CLAIM), 77)
  assert.equal(server.heard[0]?.opcode, OPCODE.REFRESH)
  server.names.set('SRV#32.', owner('10.0.0.9'))
  await assert.rejects(refreshAt(net, '10.0.0.2', CLAIM), { code: 'NAME_HELD' })
})

test('a name is released here, there and everywhere; not registered is as good', async () => {
  const wire = new Wire()
  const net = network(wire)
  const server = new Nbns(wire, '10.0.0.2')
  const at = { server: '10.0.0.2', broadcast: true, ttl: 0 }
  server.names.set('SRV#32.', owner(ME))
  const told = { where: '10.0.0.255', outcome: 'told' }
  assert.deepEqual(await releaseName(net, [CLAIM], at), [{ where: '10.0.0.2', outcome: 'released' }, told])
  assert.deepEqual(await releaseName(net, [CLAIM], at), [{ where: '10.0.0.2', outcome: 'not registered' }, told])
  server.first = ({ id }, _, say) => {
    say(releaseResponse(id, CLAIM, RCODE.ACTIVE))
    return true
  }
  assert.deepEqual(await releaseName(net, [CLAIM], at), [{ where: '10.0.0.2', outcome: 'failed: name is owned by another node' }, told])
  const stop = new AbortController()
  server.first = () => {
    stop.abort(new Error('enough'))
    return true
  }
  const [cut] = await releaseName(net, [CLAIM], at, stop.signal)
  assert.equal(cut?.outcome, 'failed: enough')
})

test('a broadcast answered once per interface counts once; the owners of a group are gathered', async () => {
  const wire = new Wire()
  const net = network(wire, { nodeType: 'B' })
  for (const address of ['10.0.0.7', '10.0.0.8'])
    new Puppet(wire, address, ({ id, question }, _, say) => {
      const group = question?.name.text === 'LAB'
      if (!group && address === '10.0.0.8') return
      for (let i = 0; i < 3; i++) say(queryResponse(id, group ? parseName('LAB', 0) : SRV, 60, [owner(address, group)]))
    })
  assert.deepEqual((await lookUpName(net, SRV)).found?.owners, [owner('10.0.0.7')])
  const { found } = await lookUpName(net, parseName('LAB', 0))
  assert.deepEqual([found?.group, found?.owners], [true, [owner('10.0.0.7', true), owner('10.0.0.8', true)]])
  assert.equal(wire.packets.filter(({ packet }) => packet.rcode === RCODE.CONFLICT).length, 0)
  assert.equal(net.exchange.ignored.forged + net.exchange.ignored.unasked, 0)
})

test('a second owner of a unique name is told of the conflict by nodes, and left alone by mere lookers', async () => {
  for (const tellsConflicts of [true, false]) {
    const wire = new Wire()
    const net = network(wire, { nodeType: 'B', tellsConflicts, times: { ...QUICK, conflictMs: 60_000 } })
    const late = new Puppet(wire, '10.0.0.8')
    let second = (): void => {}
    new Puppet(wire, '10.0.0.7', ({ id, broadcast }, from, say) => {
      if (!broadcast) return
      say(queryResponse(id, SRV, 60, [owner('10.0.0.7')]))
      second = () => late.say(queryResponse(id, SRV, 60, [owner('10.0.0.8')]), from)
    })
    assert.deepEqual((await lookUpName(net, SRV)).found?.owners, [owner('10.0.0.7')])
    second()
    for (let turn = 0; turn < 10; turn++) await new Promise(resolve => setImmediate(resolve))
    const demands = late.heard.filter(({ packet }) => packet.response && packet.rcode === RCODE.CONFLICT)
    assert.equal(demands.length, tellsConflicts ? 1 : 0)
    await net.exchange.close()
  }
})

test('a node status is taken under whatever name the node gives itself', async () => {
  const wire = new Wire()
  const net = network(wire)
  const names = [{ name: SRV, group: false, nodeType: 'B', releasing: false, conflict: false, active: true, permanent: false }] as const
  new Puppet(wire, '10.0.0.9', ({ id }, _, say) => say(statusResponse(id, SRV, names, '00:0c:29:0d:06:56')))
  assert.deepEqual(await askStatus(net, '10.0.0.9'), { names: [...names], unitId: '00:0c:29:0d:06:56', truncated: false })
  assert.equal(await askStatus(net, '10.0.0.99'), undefined)
})

test('the signal and the close end every wait with their own reason, and no timer is left', async () => {
  const net = network(new Wire(), { times: { ...QUICK, unicastMs: 60_000, broadcastMs: 60_000 } })
  const reason = new Error('enough')
  for (const nodeType of ['P', 'B'] as const) {
    const stop = new AbortController()
    const asking = lookUpName({ ...net, nodeType }, SRV, stop.signal)
    stop.abort(reason)
    await assert.rejects(asking, reason)
    await assert.rejects(lookUpName({ ...net, nodeType }, SRV, stop.signal), reason)
  }
  const waiting = [registerName(net, [CLAIM]), lookUpName(net, SRV), refreshAt(net, '10.0.0.2', CLAIM)]
  await net.exchange.close()
  for (const each of waiting) await assert.rejects(each, { code: 'CLOSED' })
  await assert.rejects(refreshAt(net, '10.0.0.2', CLAIM), { code: 'CLOSED' })
  assert.ok(!process.getActiveResourcesInfo().includes('Timeout'))
})
