import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { after, test } from 'node:test'
import { decode, encode } from '../../../src/base/wire.ts'
import { dial } from '../../../src/nbt/dial.ts'
import { climb, type Called, type LadderOptions } from '../../../src/nbt/ladder.ts'
import type { NodeStatus } from '../../../src/nbt/queries.ts'
import { type NetbiosName, parseName, spellName } from '../../../src/nbt/names.ts'
import { sessionPacket, type SessionPacket } from '../../../src/nbt/session.ts'

const servers: Server[] = []
const sockets = new Set<Socket>()
after(() => {
  for (const socket of sockets) socket.destroy()
  for (const server of servers) server.close()
})

type Reply = SessionPacket | 'silent' | 'close' | 'reset'
const taken: Reply = { type: 'positive' }
const refused = (reason: number): Reply => ({ type: 'negative', reason })

/** A server on port 139 that answers each called name as told; the rest is refused with 0x82. Notes what was called. */
async function server(replies: Readonly<Record<string, Reply>>): Promise<{ port: number; called: string[] }> {
  const called: string[] = []
  const made = createServer(socket => {
    sockets.add(socket)
    socket
      .on('error', () => {})
      .once('data', bytes => {
        const request = decode(sessionPacket, bytes)
        const name = request.type === 'request' ? spellName(request.called) : request.type
        called.push(name)
        const reply = replies[name] ?? refused(0x82)
        if (reply === 'close') socket.end()
        else if (reply === 'reset') socket.resetAndDestroy()
        else if (reply !== 'silent') socket.write(encode(sessionPacket, reply))
      })
  })
  servers.push(made)
  made.listen(0, '127.0.0.1')
  await once(made, 'listening')
  const address = made.address()
  assert.ok(address !== null && typeof address === 'object')
  return { port: address.port, called }
}

const line = (name: NetbiosName, group = false, active = true) =>
  ({ name, group, nodeType: 'B', releasing: false, conflict: false, active, permanent: false }) as const
const statusOf = (...names: NodeStatus['names']): NodeStatus => ({ names, unitId: '00:00:00:00:00:00', truncated: false })
const FILES = statusOf(
  line(parseName('FILES', 0)),
  line(parseName('GROUP', 0x20), true),
  line(parseName('GONE', 0x20), false, false),
  line(parseName('FILES', 0x20)),
)

interface Outcome {
  readonly called?: string
  readonly error?: { readonly code: string; readonly message: string; readonly facts: Record<string, unknown> }
  readonly asked: number
  readonly ms: number
  readonly attempts?: Called['attempts']
}

async function call(port: number, options: Partial<LadderOptions> & { readonly node?: NodeStatus | 'filtered' | undefined }): Promise<Outcome> {
  let asked = 0
  const began = performance.now()
  const status = async (_: string, signal: AbortSignal): Promise<NodeStatus | undefined> => {
    asked++
    if (options.node !== 'filtered') return options.node
    await new Promise(resolve => {
      const timer = setTimeout(resolve, 100)
      signal.addEventListener('abort', () => (clearTimeout(timer), resolve(undefined)), { once: true })
    })
    return undefined
  }
  try {
    const { socket, called, attempts } = await climb({
      host: '127.0.0.1',
      address: '127.0.0.1',
      port,
      callingName: 'ME',
      timeoutMs: 30_000,
      status,
      ...options,
    })
    sockets.add(socket)
    return { called: spellName(called), asked, attempts, ms: performance.now() - began }
  } catch (thrown) {
    return { error: thrown as NonNullable<Outcome['error']>, asked, ms: performance.now() - began }
  }
}

test('by address: *SMBSERVER, and nobody is asked for a node status where it is taken', async () => {
  const { port, called } = await server({ '*SMBSERVER<20>': taken })
  const outcome = await call(port, { node: 'filtered' })
  assert.deepEqual([outcome.called, outcome.asked, called], ['*SMBSERVER<20>', 0, ['*SMBSERVER<20>']])
})

test('by address: *SMBSERVER refused, the <20> name of the node status taken on a new connection', async () => {
  const { port, called } = await server({ 'FILES<20>': taken })
  const outcome = await call(port, { node: FILES })
  assert.deepEqual([outcome.called, called], ['FILES<20>', ['*SMBSERVER<20>', 'FILES<20>']])
  assert.deepEqual(
    outcome.attempts?.map(({ what, name, outcome: o, reason }) => [what, name, o, reason]),
    [
      ['call', '*SMBSERVER<20>', 'refused: 0x82 (called name not present)', 0x82],
      ['node status', 'FILES<20>', 'answered', undefined],
      ['call', 'FILES<20>', 'taken', undefined],
    ],
  )
})

test('by address, as NT 4.0 SP5: the node status alone', async () => {
  const { port, called } = await server({ '*SMBSERVER<20>': taken, 'FILES<20>': taken })
  assert.equal((await call(port, { byAddress: 'status', node: FILES })).called, 'FILES<20>')
  assert.deepEqual(called, ['FILES<20>'])
  const filtered = await call(port, { byAddress: 'status', node: 'filtered' })
  assert.match(filtered.error?.message ?? '', /^127\.0\.0\.1: node status: no answer within [\d.]+ m?s$/)
  assert.equal(filtered.error?.code, 'CALLED_NAME_REFUSED')
})

test('all refused and the node status filtered: one line names both, with the code', async () => {
  const { port } = await server({})
  const { error, ms } = await call(port, { node: 'filtered' })
  assert.match(
    error?.message ?? '',
    /^127\.0\.0\.1: called name \*SMBSERVER<20> refused: 0x82 \(called name not present\), node status: no answer within [\d.]+ m?s$/,
  )
  assert.deepEqual([error?.code, error?.facts['reason']], ['CALLED_NAME_REFUSED', 0x82])
  assert.ok(ms < 20_000)
})

test('by name: the host part, *SMBSERVER, the node status, each in the trace', async () => {
  for (const [host, replies, want] of [
    ['files', { 'FILES<20>': taken }, ['FILES<20>']],
    ['files.example.com', { 'FILES<20>': taken }, ['FILES<20>']],
    ['alias.example.com', { '*SMBSERVER<20>': taken }, ['ALIAS<20>', '*SMBSERVER<20>']],
    ['alias.example.com', { 'FILES<20>': taken }, ['ALIAS<20>', '*SMBSERVER<20>', 'FILES<20>']],
    ['a-name-longer-than-netbios-has.example.com', { 'FILES<20>': taken }, ['*SMBSERVER<20>', 'FILES<20>']],
  ] as const) {
    const { port, called } = await server(replies)
    assert.equal((await call(port, { host, node: FILES })).called, want.at(-1), host)
    assert.deepEqual(called, want)
  }
})

test('a name that was refused is not called again because the node status gives it', async () => {
  const { port, called } = await server({})
  const { error } = await call(port, { host: 'files', node: FILES })
  assert.deepEqual(called, ['FILES<20>', '*SMBSERVER<20>'])
  assert.match(error?.message ?? '', /called name FILES<20> refused.*called name \*SMBSERVER<20> refused.*node status: answered FILES<20>$/)
})

test('a called name that is given is the only one', async () => {
  const { port, called } = await server({ '*SMBSERVER<20>': taken })
  const { error, asked } = await call(port, { host: 'files', calledName: 'OTHER#1f', node: FILES })
  assert.deepEqual([called, asked], [['OTHER<1f>'], 0])
  assert.equal(error?.message, '127.0.0.1: called name OTHER<1f> refused: 0x82 (called name not present)')
})

test('every refusal but "no room" leads to the next name', async () => {
  for (const reason of [0x80, 0x81, 0x82, 0x8f, 0x42]) {
    const { port } = await server({ '*SMBSERVER<20>': refused(reason), 'FILES<20>': taken })
    assert.equal((await call(port, { node: FILES })).called, 'FILES<20>', reason.toString(16))
  }
  const { port, called } = await server({ '*SMBSERVER<20>': refused(0x83), 'FILES<20>': taken })
  const { error } = await call(port, { node: FILES })
  assert.deepEqual([error?.facts['reason'], called], [0x83, ['*SMBSERVER<20>']])
})

test('a server that hangs up, resets, or is silent under one name is asked under the next', async () => {
  for (const [reply, least] of [
    ['close', 0],
    ['reset', 0],
    ['silent', 2400],
  ] as const) {
    const { port } = await server({ '*SMBSERVER<20>': reply, 'FILES<20>': taken })
    const { called, ms } = await call(port, { node: FILES })
    assert.equal(called, 'FILES<20>', reply)
    assert.ok(ms >= least && ms < 20_000, `${reply}: ${ms}`)
  }
})

test('a retarget is followed with the same name, once', async () => {
  const there = await server({ '*SMBSERVER<20>': taken })
  const retarget = (port: number): Reply => ({ type: 'retarget', address: '127.0.0.1', port })
  const here = await server({ '*SMBSERVER<20>': retarget(there.port) })
  const outcome = await call(here.port, { node: 'filtered' })
  assert.deepEqual([outcome.called, there.called, outcome.asked], ['*SMBSERVER<20>', ['*SMBSERVER<20>'], 0])
  assert.equal(outcome.attempts?.[0]?.outcome, `retargeted to 127.0.0.1:${there.port}`)

  const round = await server({})
  const circle = await server({ '*SMBSERVER<20>': retarget(round.port), 'FILES<20>': retarget(round.port) })
  const { error } = await call(circle.port, { node: FILES })
  assert.deepEqual(circle.called, ['*SMBSERVER<20>', 'FILES<20>'])
  assert.deepEqual(round.called, ['*SMBSERVER<20>'])
  assert.equal(error?.code, 'CALLED_NAME_REFUSED')

  const closed = await server({})
  servers.pop()?.close()
  const deadEnd = await server({ '*SMBSERVER<20>': retarget(closed.port), 'FILES<20>': taken })
  assert.equal((await call(deadEnd.port, { node: FILES })).called, 'FILES<20>')
})

test('a connection that is there is used for the first call', async () => {
  const { port, called } = await server({ '*SMBSERVER<20>': taken })
  const socket = await dial('127.0.0.1', port, new AbortController().signal)
  const outcome = await call(1, { socket, node: 'filtered' })
  assert.deepEqual([outcome.called, called], ['*SMBSERVER<20>', ['*SMBSERVER<20>']])
  const unused = await dial('127.0.0.1', port, new AbortController().signal)
  await call(port, { socket: unused, byAddress: 'status', node: undefined })
  assert.ok(unused.destroyed)
})

test('a closed port, a peer that speaks something else, and no time end it with their own error', async () => {
  const closed = await server({})
  const [made] = servers.splice(-1)
  made?.close()
  assert.equal((await call(closed.port, { node: FILES })).error?.code, 'CONNECT_FAILED')
  const web = await server({ '*SMBSERVER<20>': { type: 'request', called: parseName('X', 0), calling: parseName('Y', 0) } })
  assert.equal((await call(web.port, { node: FILES })).error?.code, 'WIRE')
  const silent = await server({ '*SMBSERVER<20>': 'silent' })
  const { error, ms } = await call(silent.port, { node: 'filtered', timeoutMs: 200 })
  assert.equal(error?.code, 'TIMED_OUT')
  assert.ok(ms < 10_000)
  const stop = new AbortController()
  const reason = new Error('enough')
  setTimeout(() => stop.abort(reason), 50)
  assert.equal((await call(silent.port, { node: 'filtered', signal: stop.signal })).error, reason)
})
