import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { NbtrunError } from '../../../src/base/errors.ts'
import { encode } from '../../../src/base/wire.ts'
import { callSession } from '../../../src/nbt/call.ts'
import { dial } from '../../../src/nbt/dial.ts'
import { type Answer, type IncomingSession, SessionListener } from '../../../src/nbt/listener.ts'
import { NameTable } from '../../../src/nbt/name-table.ts'
import { type NetbiosName, parseName, SMBSERVER } from '../../../src/nbt/names.ts'
import { sessionPacket } from '../../../src/nbt/session.ts'

const FILES = parseName('FILES', 0x20)
const ME = parseName('ME', 0)
const never = new AbortController().signal

interface Stage {
  readonly listener: SessionListener
  readonly table: NameTable
  readonly sessions: IncomingSession[]
  /** What the caller is told: `taken`, a refusal's code, or where to go. */
  readonly call: (called: NetbiosName, calling?: NetbiosName) => Promise<string>
}

async function stage(
  work: (stage: Stage) => Promise<void>,
  answer?: (sessions: IncomingSession[]) => Answer,
  names: readonly NetbiosName[] = [FILES],
): Promise<void> {
  const table = new NameTable()
  for (const name of names) table.add(name, false).activate({ server: undefined, broadcast: true, ttl: 0 })
  const listener = await SessionListener.open({ table, address: '127.0.0.1', port: 0, requestMs: 200 })
  const sessions: IncomingSession[] = []
  const sockets: Socket[] = []
  const call = async (called: NetbiosName, calling = ME): Promise<string> => {
    const socket = await dial('127.0.0.1', listener.port, never)
    sockets.push(socket)
    try {
      await callSession(socket, { called, calling }, 2000)
      return 'taken'
    } catch (thrown) {
      assert.ok(thrown instanceof NbtrunError)
      const { reason, retarget } = thrown.facts
      return typeof reason === 'number' ? reason.toString(16) : String(retarget ?? thrown.code)
    }
  }
  if (answer !== undefined) listener.listen(FILES, answer(sessions))
  try {
    await work({ listener, table, sessions, call })
  } finally {
    for (const socket of sockets) socket.destroy()
    await listener.close()
  }
}

const takes = (sessions: IncomingSession[]): Answer => ({ onSession: session => void sessions.push(session) })

test('each call gets the answer of RFC 1002', async () => {
  await stage(async ({ call }) => {
    assert.equal(await call(FILES), '80') // present, and nobody listens: as on a mere run
    assert.equal(await call(SMBSERVER), '80')
    assert.equal(await call(parseName('OTHER', 0x20)), '82')
  })
  await stage(async ({ call, sessions }) => {
    assert.equal(await call(FILES), 'taken')
    assert.equal(await call(SMBSERVER), 'taken')
    assert.equal(await call(parseName('FILES', 0)), '82')
    assert.deepEqual(
      sessions.map(({ called, calling }) => [called, calling]),
      [
        [FILES, ME],
        [FILES, ME],
      ],
    )
  }, takes)
  await stage(
    async ({ call }) => {
      assert.equal(await call(FILES, ME), 'taken')
      assert.equal(await call(FILES, parseName('STRANGER', 0)), '81')
    },
    sessions => ({ ...takes(sessions), from: [ME] }) as Answer,
  )
  await stage(
    async ({ call }) => {
      assert.deepEqual([await call(FILES), await call(FILES), await call(FILES)], ['taken', 'taken', '83'])
    },
    sessions => ({ ...takes(sessions), most: 2 }) as Answer,
  )
  await stage(
    async ({ call, table }) => {
      assert.equal(await call(FILES), '10.0.0.7:1139')
      assert.deepEqual(table.view()[0]?.references, [])
    },
    () => ({ retarget: { address: '10.0.0.7', port: 1139 } }),
  )
  await stage(async ({ call }) => assert.equal(await call(SMBSERVER), '82'), undefined, [parseName('ONLY', 0)])
})

test('a session holds its name with its caller’s name and place, a refused call does not', async () => {
  await stage(async ({ call, table, sessions }) => {
    await call(FILES)
    await call(parseName('OTHER', 0x20))
    const [session] = sessions
    assert.ok(session !== undefined)
    const { references } = table.view()[0] ?? assert.fail()
    assert.deepEqual(references, [{ holder: `session from ME<00> at 127.0.0.1:${session.from.port}`, reason: 'session' }])
    session.socket.destroy()
    await once(session.socket, 'close')
    assert.deepEqual(table.view()[0]?.references, [])
  }, takes)
})

test('what the caller sends behind its request belongs to the session', async () => {
  await stage(async ({ listener, call, sessions }) => {
    await call(FILES)
    const socket = connect(listener.port, '127.0.0.1')
    const request = encode(sessionPacket, { type: 'request', called: FILES, calling: ME })
    socket.write(Buffer.concat([request, Buffer.from('00000003616263', 'hex')]))
    while (sessions.length < 2) await new Promise(resolve => setImmediate(resolve))
    const incoming = sessions[1]?.socket.resume() ?? assert.fail()
    const [data] = (await once(incoming, 'data')) as [Buffer]
    assert.equal(data.toString('hex'), '00000003616263')
    socket.destroy()
  }, takes)
})

test('callers that say nothing, nonsense, or too much are cut off, and others are served meanwhile', async () => {
  await stage(async ({ listener, call }) => {
    const cutOff = async (bytes?: Buffer): Promise<void> => {
      const socket = connect(listener.port, '127.0.0.1')
      socket.on('error', () => {})
      if (bytes !== undefined) socket.write(bytes)
      socket.resume()
      await once(socket, 'close')
    }
    const began = performance.now()
    const all = [undefined, '474554202f', '8101ffff', '85000000', '00000001', '81000044', '82000000'].map(each =>
      cutOff(each === undefined ? each : Buffer.from(each, 'hex')),
    )
    assert.equal(await call(FILES), 'taken')
    await Promise.all(all)
    assert.ok(performance.now() - began < 20_000)
  }, takes)
})

test('a hundred silent callers do not lock out the next one for longer than their time', async () => {
  await stage(async ({ listener, call }) => {
    const silent = Array.from({ length: 100 }, () => connect(listener.port, '127.0.0.1').on('error', () => {}))
    await Promise.all(silent.map(socket => once(socket, 'connect')))
    await Promise.all(silent.map(socket => (socket.resume(), once(socket, 'close'))))
    assert.equal(await call(FILES), 'taken')
  }, takes)
})

test('only a registered name can listen, and listening ends by itself or with the name', async () => {
  await stage(async ({ listener, call, table }) => {
    assert.throws(() => listener.listen(parseName('OTHER', 0x20), { onSession: () => {} }), { code: 'USAGE' })
    const stop = listener.listen(FILES, { onSession: ({ socket }) => void socket.resume() })
    assert.equal(await call(FILES), 'taken')
    stop()
    assert.equal(await call(FILES), '80')
    void table.find(FILES)?.delete()
    assert.equal(await call(FILES), '82')
  })
})

test('close ends every session and frees the port; a taken port is told', async () => {
  const table = new NameTable()
  const first = await SessionListener.open({ table, address: '127.0.0.1', port: 0 })
  const { port } = first
  await assert.rejects(SessionListener.open({ table, address: '127.0.0.1', port }), { code: 'PORT_UNAVAILABLE', facts: { port, reason: 'EADDRINUSE' } })
  await first.close()
  await first.close()
  await (await SessionListener.open({ table, address: '127.0.0.1', port })).close()
})
