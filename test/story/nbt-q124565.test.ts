import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { within } from '../../src/base/time.ts'
import { callSession } from '../../src/nbt/call.ts'
import { dial } from '../../src/nbt/dial.ts'
import { type NameEntry, NameTable } from '../../src/nbt/name-table.ts'
import { type NetbiosName, parseName } from '../../src/nbt/names.ts'
import { EndNode } from '../../src/nbt/node.ts'
import { Nbns, node, ownAt, QUICK, Wire } from '../unit/nbt/wire.ts'

// Q124565: a program registers its name, gets datagrams, ends, and cannot run again because the datagrams still count as users of the name.

const PAYROLL = parseName('PAYROLL', 0x20)
const [WINS, ME] = ['10.0.0.3', '10.0.0.1']
const never = new AbortController().signal

/** The fault of the article: a datagram that comes for a name counts like a session. */
class CountsDatagrams extends NameTable {
  override datagram(name: NetbiosName): NameEntry | undefined {
    const entry = super.datagram(name)
    entry?.refer('datagram')
    return entry
  }
}

/** The program, twice and more: register, datagrams before any session, a session where told, delete. */
async function life(table: NameTable, { wins, session }: { wins: boolean; session: boolean }): Promise<void> {
  const wire = new Wire()
  const server = new Nbns(wire, WINS)
  const me = await EndNode.open({
    own: ownAt(ME),
    times: { ...QUICK, broadcastMs: 1 },
    endpoints: { name: wire.plug(ME, 137), datagram: wire.plug(ME, 138) },
    wins: wins ? [WINS] : [],
    ports: { session: 0 },
    datagrams: true,
    sessions: true,
    table,
  })
  const sender = await node(wire, '10.0.0.2', { datagrams: true, wins: [WINS], nodeType: wins ? 'P' : 'B' })
  try {
    for (let round = 0; round < 20; round++) {
      const held = await me.register(PAYROLL) // at the first try
      const got: string[] = []
      const deaf = me.datagrams!.listen(PAYROLL, ({ data }) => got.push(data.toString()))
      for (const text of ['one', 'two']) await sender.datagrams!.send(parseName('OTHER', 0), PAYROLL, Buffer.from(text))
      while (got.length < 2) await new Promise(resolve => setImmediate(resolve))
      assert.deepEqual(got, ['one', 'two'])
      deaf()
      const end = session ? await openSession(me) : undefined
      const released = held.release()
      if (end !== undefined) {
        // marked: still ours, still at the name server, and in nobody's way that it will be
        assert.deepEqual([me.view()[0]?.deleted, me.view()[0]?.references.length, server.names.size], [true, 1, wins ? 1 : 0], `round ${round}`)
        await assert.rejects(me.register(PAYROLL), { code: 'NAME_HELD', message: /held by session from ME<00> at 127\.0\.0\.1:/ })
        end()
      }
      const outcome = await within(5000, () => released, 'giving the name back')
      assert.deepEqual(
        outcome.map(each => each.outcome),
        wins ? ['released'] : ['told'],
      )
      assert.deepEqual([me.view(), server.names.size], [[], 0], `round ${round}`)
    }
  } finally {
    await within(20_000, () => me.close(), 'closing the node') // it ends whatever the table believes
    await sender.close()
  }
}

async function openSession(me: EndNode): Promise<() => void> {
  const taken = new Promise<void>(resolve => me.sessions!.listen(PAYROLL, { onSession: ({ socket }) => (socket.resume(), resolve()) }))
  const socket = await dial('127.0.0.1', me.sessions!.port, never)
  await callSession(socket, { called: PAYROLL, calling: parseName('ME', 0) }, 20_000)
  await taken
  return () => socket.destroy()
}

for (const wins of [true, false])
  for (const session of [false, true]) {
    test(`20 times: register, datagrams, ${session ? 'a session, delete, its end' : 'delete'}, register, ${wins ? 'at a name server' : 'by broadcast'}`, async () => {
      await life(new NameTable(), { wins, session })
    })
  }

test('a table that counts datagrams fails this very story, as the article tells', { timeout: 120_000 }, async () => {
  await assert.rejects(life(new CountsDatagrams(), { wins: true, session: false }), { code: 'TIMED_OUT', message: 'giving the name back took longer than 5 s' })
})

test('deleted and registered again without waiting in between: the second waits for the first', async () => {
  const wire = new Wire()
  const server = new Nbns(wire, WINS)
  const me = await node(wire, ME, { wins: [WINS] })
  for (let i = 0; i < 20; i++) {
    const held = await me.register(PAYROLL)
    const [, again] = await Promise.all([held.release(), me.register(PAYROLL)])
    assert.deepEqual([again.state, server.names.size], ['active', 1])
    await again.release()
  }
  await me.close()
})

test('a session that breaks off gives its reference back as one that ends', async () => {
  const wire = new Wire()
  const me = await EndNode.open({
    own: ownAt(ME),
    times: { ...QUICK, broadcastMs: 1 },
    endpoints: { name: wire.plug(ME, 137) },
    ports: { session: 0 },
    sessions: true,
  })
  const held = await me.register(PAYROLL)
  const taken = new Promise<void>(resolve => me.sessions!.listen(PAYROLL, { onSession: ({ socket }) => (socket.resume(), resolve()) }))
  const socket = await dial('127.0.0.1', me.sessions!.port, never)
  await callSession(socket, { called: PAYROLL, calling: parseName('ME', 0) }, 20_000)
  await taken
  const released = held.release()
  socket.resetAndDestroy()
  await once(socket, 'close')
  await within(20_000, () => released)
  assert.deepEqual(me.view(), [])
  await me.close()
})
