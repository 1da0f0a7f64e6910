import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import dns from 'node:dns/promises'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { NameExchange } from '../../../src/nbt/exchange.ts'
import { type FindingHow, hostFinder } from '../../../src/nbt/find.ts'
import type { ResolveAttempt } from '../../../src/nbt/resolve.ts'
import { Nbns, QUICK, Wire } from './wire.ts'

const folder = mkdtempSync(join(tmpdir(), 'nbtrun-find-'))
after(() => rmSync(folder, { recursive: true }))
const lmhosts = join(folder, 'lmhosts')
writeFileSync(lmhosts, '10.0.0.5 FILES\n')
const none = join(folder, 'none')

/** What DNS knows for the length of one test; returns what it was asked. */
function knowing(t: TestContext, known: Readonly<Record<string, string>>): string[] {
  const asked: string[] = []
  const { mock } = t.mock.method(dns, 'lookup', (host: string) => {
    asked.push(host)
    const address = known[host]
    return address === undefined ? Promise.reject(Object.assign(new Error('none'), { code: 'ENOTFOUND' })) : Promise.resolve([{ address }])
  })
  syncBuiltinESMExports()
  t.after(() => {
    mock.restore()
    syncBuiltinESMExports()
  })
  return asked
}

function asking(): FindingHow & { readonly said: string[] } {
  const said: string[] = []
  const trace = ({ source, outcome }: ResolveAttempt): void => void said.push(`${source}: ${outcome}`)
  return { timeoutMs: 30_000, signal: new AbortController().signal, trace, said }
}

test('LMHOSTS goes before DNS where it is there, DNS alone is asked where it is not', async t => {
  const asked = knowing(t, { files: '10.9.9.9', 'files.example.com': '10.9.9.8' })
  const one = asking()
  const { addresses, by } = await hostFinder({ lmhosts })('files', one)
  assert.deepEqual([addresses, by], [['10.0.0.5'], 'lmhosts'])
  assert.deepEqual([one.said, asked], [['lmhosts: found'], []])
  const two = asking()
  assert.deepEqual(await hostFinder({ lmhosts: none })('files', two), { addresses: ['10.9.9.9'], by: 'dns' })
  assert.deepEqual(two.said, ['dns: found'])
  // a dotted name is DNS's alone, whatever else is named
  const three = asking()
  assert.deepEqual(await hostFinder({ lmhosts, wins: ['10.0.0.3'], order: ['bcast', 'wins', 'lmhosts', 'dns'] })('files.example.com', three), {
    addresses: ['10.9.9.8'],
    by: 'dns',
  })
  assert.deepEqual(three.said, ['dns: found'])
})

test('name servers are asked when they are named, through a node of ours where there is one, and what they said is remembered', async t => {
  knowing(t, {})
  const wire = new Wire()
  const server = new Nbns(wire, '10.0.0.3')
  server.names.set('LEGACY#32.', { group: false, nodeType: 'P', address: '10.0.0.8' })
  const network = {
    exchange: new NameExchange(wire.plug('10.0.0.1', 137)),
    port: 137,
    broadcasts: ['10.0.0.255'],
    wins: ['10.0.0.3'],
    nodeType: 'H',
    times: QUICK,
    tellsConflicts: false,
  } as const
  const find = hostFinder({ lmhosts: none, wins: ['10.0.0.3'], network })
  const [one, two, three] = [asking(), asking(), asking()]
  assert.equal((await find('legacy', one)).by, 'wins')
  assert.deepEqual(one.said, ['dns: no such name', 'wins: found'])
  assert.equal((await find('legacy', two)).by, 'cache')
  await assert.rejects(find('nobody', three), { code: 'HOST_NOT_FOUND', message: 'server nobody not found (dns: no such name, wins: no such name)' })
  assert.equal(wire.packets.filter(({ packet }) => packet.broadcast).length, 0, 'nobody broadcasts unasked')
})

test('where no source may know the host, the error says so', async t => {
  const asked = knowing(t, { 'files.example.com': '10.9.9.8' })
  await assert.rejects(hostFinder({ lmhosts: none, wins: ['10.0.0.3'], order: ['wins'] })('files.example.com', asking()), {
    code: 'HOST_NOT_FOUND',
    message: 'server files.example.com not found (wins: passed over: not a NetBIOS name)',
  })
  assert.deepEqual(asked, [])
})

test('a host that DNS knows costs no more code than DNS', () => {
  const coverage = join(folder, 'coverage')
  const root = fileURLToPath(new URL('../../../', import.meta.url))
  const script = `const { hostFinder } = await import('./src/nbt/find.ts')
    await hostFinder({ lmhosts: ${JSON.stringify(none)} })('localhost', { timeoutMs: 30_000, signal: new AbortController().signal })`
  const { status, stderr } = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    cwd: root,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], NODE_V8_COVERAGE: coverage },
  })
  assert.equal(status, 0, stderr)
  const loaded = readdirSync(coverage).flatMap(name =>
    (JSON.parse(readFileSync(join(coverage, name), 'utf8')) as { result: { url: string }[] }).result.map(({ url }) => url.replace(/^.*\/src\//, '')),
  )
  assert.deepEqual(loaded.filter(file => file.startsWith('nbt/')).sort(), ['nbt/dial.ts', 'nbt/find.ts', 'nbt/name-order.ts'])
})
