import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NameCache } from '../../../src/nbt/name-cache.ts'
import { NameExchange } from '../../../src/nbt/exchange.ts'
import { parseName } from '../../../src/nbt/names.ts'
import type { NameNetwork } from '../../../src/nbt/queries.ts'
import { parseNameOrder } from '../../../src/nbt/name-order.ts'
import { type ResolveAttempt, resolveHost, type ResolveOptions } from '../../../src/nbt/resolve.ts'
import { Nbns, node, QUICK, Wire } from './wire.ts'

const WINS = '10.0.0.3'

function stage(files: Readonly<Record<string, string>> = {}, dns: Readonly<Record<string, readonly string[]>> = {}) {
  const wire = new Wire()
  const asked: string[] = []
  const network: NameNetwork = {
    exchange: new NameExchange(wire.plug('10.0.0.1', 137)),
    port: 137,
    broadcasts: ['10.0.0.255'],
    wins: [WINS],
    nodeType: 'H',
    times: QUICK,
    tellsConflicts: false,
  }
  const options: ResolveOptions = {
    lmhosts: 'lmhosts',
    network,
    timeoutMs: 30_000,
    readText: path => {
      const text = files[path]
      return text === undefined ? Promise.reject(Object.assign(new Error('none'), { code: 'ENOENT' })) : Promise.resolve(text)
    },
    dns: host => {
      asked.push(host)
      const found = dns[host]
      return found === undefined ? Promise.reject(Object.assign(new Error('none'), { code: 'ENOTFOUND' })) : Promise.resolve(found)
    },
  }
  return { wire, asked, options, server: new Nbns(wire, WINS) }
}

const brief = ({ addresses, by }: { addresses: readonly string[]; by: string }) => [by, ...addresses]

test('an address is itself, and nobody is asked', async () => {
  const { asked, options, wire } = stage()
  for (const host of ['10.0.0.9', 'fe80::1']) assert.deepEqual(brief(await resolveHost(host, options)), ['address', host])
  assert.deepEqual([asked, wire.sent], [[], []])
})

test('the sources are asked in order, and each is told', async () => {
  const { options, server } = stage({ lmhosts: '10.0.0.5 one\n' }, { two: ['10.0.0.6', '10.0.0.7', '10.0.0.6'] })
  server.names.set('THREE#32.', { group: false, nodeType: 'P', address: '10.0.0.8' })
  assert.deepEqual(brief(await resolveHost('one', options)), ['lmhosts', '10.0.0.5'])
  assert.deepEqual(brief(await resolveHost('two', options)), ['dns', '10.0.0.6', '10.0.0.7'])
  const traced: ResolveAttempt[] = []
  const three = await resolveHost('three', { ...options, trace: attempt => traced.push(attempt) })
  assert.deepEqual(brief(three), ['wins', '10.0.0.8'])
  assert.deepEqual(
    three.attempts.map(({ host, source, outcome }) => [host, source, outcome]),
    [
      ['three', 'lmhosts', 'no such name'],
      ['three', 'dns', 'no such name'],
      ['three', 'wins', 'found'],
    ],
  )
  assert.deepEqual(traced, three.attempts)
  await assert.rejects(resolveHost('four', options), {
    code: 'HOST_NOT_FOUND',
    message: 'server four not found (lmhosts: no such name, dns: no such name, wins: no such name)',
  })
  assert.deepEqual(brief(await resolveHost('one', { ...options, order: ['wins', 'lmhosts'] })), ['lmhosts', '10.0.0.5'])
})

test('#PRE goes before everything, wherever lmhosts stands in the order', async () => {
  const { options, asked } = stage({ lmhosts: '10.0.0.5 one #PRE\n10.0.0.6 two\n' }, { one: ['10.9.9.9'], two: ['10.9.9.8'] })
  assert.deepEqual(brief(await resolveHost('one', { ...options, order: ['dns', 'lmhosts'] })), ['lmhosts', '10.0.0.5'])
  assert.deepEqual(asked, [])
  assert.deepEqual(brief(await resolveHost('two', { ...options, order: ['dns', 'lmhosts'] })), ['dns', '10.9.9.8'])
  assert.deepEqual(brief(await resolveHost('one', { ...options, order: ['dns'] })), ['dns', '10.9.9.9'])
})

test('a broadcast is asked when named alone, and never for a dotted name', async () => {
  const { options, wire, server } = stage()
  const owner = await node(wire, '10.0.0.4')
  await owner.register(parseName('FILES', 0x20))
  const broadcasts = () => wire.packets.filter(({ from, to }) => from === '10.0.0.1' && to === '10.0.0.255').length
  await assert.rejects(resolveHost('files', options), { code: 'HOST_NOT_FOUND' })
  assert.equal(broadcasts(), 0)
  const order = ['dns', 'wins', 'bcast'] as const
  assert.deepEqual(brief(await resolveHost('files', { ...options, order })), ['bcast', '10.0.0.4'])
  assert.equal(broadcasts(), 1)
  const heard = server.heard.length
  await assert.rejects(resolveHost('files.example.com', { ...options, order }), { message: /bcast: passed over: not a NetBIOS name/ })
  assert.deepEqual([broadcasts(), server.heard.length], [1, heard])
  await owner.close()
})

test('a silent source has its time and no more', async () => {
  const { options } = stage()
  const began = performance.now()
  await assert.rejects(resolveHost('x', { ...options, timeoutMs: 50, dns: () => new Promise(() => {}) }), {
    message: /dns: asking dns for x took longer than 50 ms/,
  })
  assert.ok(performance.now() - began < 10_000)
  const stop = new AbortController()
  const asking = resolveHost('x', { ...options, signal: stop.signal, dns: () => new Promise(() => {}) })
  stop.abort(new Error('enough'))
  await assert.rejects(asking, /enough/)
})

test('what a name server said is remembered, as long as it said and ten minutes at most', async () => {
  const { options, server } = stage()
  let time = 0
  const cache = new NameCache(() => time)
  server.ttl = 60
  server.names.set('FILES#32.', { group: false, nodeType: 'P', address: '10.0.0.8' })
  const ask = async () => (await resolveHost('files', { ...options, cache })).by
  assert.deepEqual([await ask(), await ask()], ['wins', 'cache'])
  time = 60_001
  server.ttl = 0
  assert.deepEqual([await ask(), await ask()], ['wins', 'cache'])
  time += 600_001
  assert.equal(await ask(), 'wins')
  cache.delete(parseName('FILES', 0x20))
  assert.equal(await ask(), 'wins')
  for (let i = 0; i < 1000; i++) cache.put(parseName(`N${i}`, 0), ['10.0.0.1'], 0)
  assert.equal(cache.get(parseName('N0', 0)), undefined)
  assert.deepEqual(cache.get(parseName('N999', 0)), ['10.0.0.1'])
})

test('an order of names is written as words, each once', () => {
  assert.deepEqual(parseNameOrder('lmhosts,host,WINS,bcast'), ['lmhosts', 'dns', 'wins', 'bcast'])
  for (const bad of ['', 'dns,dns', 'dns,host', 'nis', 'dns,']) assert.throws(() => parseNameOrder(bad), { code: 'USAGE' }, bad)
})
