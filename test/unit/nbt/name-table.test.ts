import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type NameEntry, NameTable } from '../../../src/nbt/name-table.ts'
import { parseName } from '../../../src/nbt/names.ts'

const NAME = parseName('PAYROLL', 0x20)
const AT_SERVER = { server: '10.0.0.2', broadcast: false, ttl: 0 }

function active(table = new NameTable()): NameEntry {
  const entry = table.add(NAME, false)
  entry.activate(AT_SERVER)
  return entry
}

/** Whether the promise is settled by now. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  const not = Symbol('not')
  return (await Promise.race([promise, new Promise(resolve => setImmediate(resolve, not))])) !== not
}

test('a name goes from registering to active to releasing, and out of the table', async () => {
  const table = new NameTable()
  const entry = table.add(NAME, false)
  assert.deepEqual([entry.state, entry.isOwned, entry.isOpen], ['registering', false, false])
  assert.throws(() => entry.refer('too early'), { code: 'CLOSED', message: 'PAYROLL<20> takes no sessions: it is registering' })
  entry.activate(AT_SERVER)
  assert.deepEqual([entry.state, entry.isOwned, entry.isOpen], ['active', true, true])
  const deleted = entry.delete()
  assert.deepEqual([entry.state, entry.isOwned, entry.isOpen], ['releasing', false, false])
  assert.ok(await settled(deleted))
  assert.equal(table.find(NAME), entry)
  entry.free()
  await entry.gone
  assert.equal(table.find(NAME), undefined)
})

test('a name stands in the table once, and the error tells who holds it', () => {
  const table = new NameTable()
  const entry = active(table)
  assert.throws(() => table.add(NAME, false), { code: 'NAME_HELD', message: /PAYROLL<20>.*it is active/ })
  entry.refer('session from A')
  entry.refer('session from B')
  assert.throws(() => table.add(NAME, true), { code: 'NAME_HELD', message: /held by session from A, session from B$/ })
  assert.equal(table.add(parseName('PAYROLL', 0), false).state, 'registering')
})

test('deleted with sessions open it is marked, keeps being ours, takes no new one, and goes with the last', async () => {
  const entry = active()
  const [dropA, dropB] = [entry.refer('A'), entry.refer('B')]
  const deleted = entry.delete()
  assert.equal(await settled(deleted), false)
  assert.deepEqual([entry.state, entry.isOwned, entry.isOpen], ['releasing', true, false])
  assert.throws(() => entry.refer('C'), { code: 'CLOSED' })
  dropA()
  dropA() // dropping twice drops once
  assert.equal(await settled(deleted), false)
  dropB()
  assert.ok(await settled(deleted))
})

test('a datagram is counted and holds nothing', async () => {
  const table = new NameTable()
  const entry = active(table)
  for (let i = 0; i < 100; i++) assert.equal(table.datagram(NAME), entry)
  assert.equal(table.datagram(parseName('OTHER', 0)), undefined)
  assert.deepEqual(table.view(), [{ name: 'PAYROLL<20>', group: false, state: 'active', deleted: false, references: [], datagrams: 100 }])
  assert.ok(await settled(entry.delete()))
})

test('a name in conflict takes no sessions; those that are open keep it until they end', async () => {
  const entry = active()
  const drop = entry.refer('A')
  entry.lose()
  assert.deepEqual([entry.state, entry.isOwned, entry.isOpen], ['conflict', false, false])
  assert.throws(() => entry.refer('B'), /it is conflict/)
  const deleted = entry.delete()
  assert.equal(await settled(deleted), false)
  drop()
  assert.ok(await settled(deleted))
})

test('the view lists the holder and the reason of each reference', () => {
  const table = new NameTable()
  active(table).refer('session from CLIENT<00> at 10.0.0.7:1025')
  assert.deepEqual(table.view()[0]?.references, [{ holder: 'session from CLIENT<00> at 10.0.0.7:1025', reason: 'session' }])
})
