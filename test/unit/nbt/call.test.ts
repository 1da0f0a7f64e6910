import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { decode, WireError } from '../../../src/base/wire.ts'
import { callSession } from '../../../src/nbt/call.ts'
import { dial } from '../../../src/nbt/dial.ts'
import { parseName } from '../../../src/nbt/names.ts'
import { sessionPacket } from '../../../src/nbt/session.ts'

const NAMES = { called: parseName('SRV', 0x20), calling: parseName('ME', 0) }
const never = new AbortController().signal

/** A server that lets `play` answer the one connection, and a client connected to it; all gone at the end. */
async function onWire(play: (socket: Socket, request: Buffer) => void, work: (socket: Socket) => Promise<void>): Promise<void> {
  const peers: Socket[] = []
  const server = createServer(socket => {
    peers.push(socket)
    socket.on('error', () => {}).once('data', request => play(socket, request))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  const socket = await dial('127.0.0.1', address.port, never)
  try {
    await work(socket)
  } finally {
    socket.destroy()
    for (const peer of peers) peer.destroy()
    server.close()
    await once(server, 'close')
  }
}

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')

test('a taken call resolves, and what came behind the answer is still to be read', async () => {
  let asked: unknown
  await onWire(
    (peer, request) => {
      asked = decode(sessionPacket, request)
      peer.write(bytes('820000000000000161'))
    },
    async socket => {
      await callSession(socket, NAMES, 5000)
      const [rest] = (await once(socket.resume(), 'data')) as [Buffer]
      assert.equal(rest.toString('hex'), '0000000161')
      for (const event of ['readable', 'end', 'close']) assert.ok(socket.listenerCount(event) <= 1, event) // 'end' has Node's own
    },
  )
  assert.deepEqual(asked, { type: 'request', ...NAMES })
})

test('keepalives before the answer are passed over, and the answer may come byte by byte', async () => {
  await onWire(
    peer => {
      const answer = bytes('850000008500000082000000')
      const next = (at: number): void => {
        if (at < answer.length) peer.write(answer.subarray(at, at + 1), () => setImmediate(next, at + 1))
      }
      next(0)
    },
    socket => callSession(socket, NAMES, 5000),
  )
})

test('each refusal names the called name, the code and its meaning', async () => {
  for (const [code, meaning] of [
    [0x80, 'not listening on called name'],
    [0x81, 'not listening for calling name'],
    [0x82, 'called name not present'],
    [0x83, 'called name present, but insufficient resources'],
    [0x8f, 'unspecified error'],
    [0x42, 'a reason RFC 1002 does not know'],
  ] as const) {
    await onWire(
      peer => peer.end(Buffer.from([0x83, 0, 0, 1, code])),
      socket =>
        assert.rejects(callSession(socket, NAMES, 5000), {
          code: 'CALLED_NAME_REFUSED',
          message: `called name SRV<20> refused: 0x${code.toString(16)} (${meaning})`,
          facts: { called: 'SRV<20>', reason: code },
        }),
    )
  }
})

test('a retarget is told as a fact', async () => {
  await onWire(
    peer => peer.end(bytes('840000060a000007008b')),
    socket =>
      assert.rejects(callSession(socket, NAMES, 5000), {
        code: 'CALLED_NAME_REFUSED',
        message: 'called name SRV<20> refused: 0x84 (it is served at 10.0.0.7:139)',
        facts: { called: 'SRV<20>', retarget: '10.0.0.7:139' },
      }),
  )
})

test('anything else is no answer', async () => {
  for (const answer of ['48545450', '0000000161', '8101ffff', '8200000100', '86000000', '81000006000000000000']) {
    await onWire(
      peer => peer.end(bytes(answer)),
      socket => assert.rejects(callSession(socket, NAMES, 5000), WireError, answer),
    )
  }
})

test('a server that closes or resets is told apart from a silent one', async () => {
  await onWire(
    peer => peer.end(),
    socket => assert.rejects(callSession(socket, NAMES, 5000), { code: 'CONNECTION_LOST', message: /closed by the server/ }),
  )
  await onWire(
    peer => peer.end(bytes('8200')),
    socket => assert.rejects(callSession(socket, NAMES, 5000), { code: 'CONNECTION_LOST' }),
  )
  await onWire(
    peer => peer.resetAndDestroy(),
    socket => assert.rejects(callSession(socket, NAMES, 5000), { code: 'CONNECTION_LOST', message: /ECONNRESET/ }),
  )
  await onWire(
    () => {},
    async socket => {
      await assert.rejects(callSession(socket, NAMES, 30), { code: 'TIMED_OUT', message: 'the session request to SRV<20> took longer than 30 ms' })
      assert.equal(socket.listenerCount('readable'), 0)
      assert.ok(!process.getActiveResourcesInfo().includes('Timeout'))
    },
  )
})

test('keepalives without end do not hold the deadline off', async () => {
  await onWire(
    peer => {
      const more = (): void => void (peer.destroyed || peer.write(bytes('85000000'), () => setImmediate(more)))
      more()
    },
    socket => assert.rejects(callSession(socket, NAMES, 50), { code: 'TIMED_OUT' }),
  )
})

test("the caller's signal ends the wait with its own reason", async () => {
  const controller = new AbortController()
  const reason = new Error('enough')
  await onWire(
    () => controller.abort(reason),
    socket => assert.rejects(callSession(socket, NAMES, 5000, controller.signal), reason),
  )
})
