import assert from 'node:assert/strict'
import { once } from 'node:events'
import dns from 'node:dns/promises'
import { syncBuiltinESMExports } from 'node:module'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { hostname } from 'node:os'
import { afterEach, describe, test, type TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { NbtrunError } from '../../../src/base/errors.ts'
import { deferred, pause } from '../../../src/base/time.ts'
import { decode } from '../../../src/base/wire.ts'
import type { Found } from '../../../src/nbt/find.ts'
import { sessionPacket } from '../../../src/nbt/session.ts'
import { openTransport, type Transport, type TransportOptions } from '../../../src/smb/transport.ts'

const servers: Server[] = []
const sockets: Socket[] = []
const workers: Worker[] = []

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) await new Promise(done => server.close(done))
  for (const worker of workers.splice(0)) await worker.terminate()
  for (let i = 0; i < 20 && held().length > 0; i++) await turn() // handles close a few turns after their objects
  assert.deepEqual(held(), [])
})

function held(): readonly string[] {
  return process.getActiveResourcesInfo().filter(kind => ['Timeout', 'TCPSocketWrap', 'TCPServerWrap', 'TCPConnectWrap'].includes(kind))
}

/** A server on a port of its own; `play` gets each connection. */
async function serve(play: (socket: Socket, nth: number) => void, host = '127.0.0.1'): Promise<number> {
  let nth = 0
  const server = createServer({ allowHalfOpen: true }, socket => {
    sockets.push(socket)
    socket.on('error', () => {})
    play(socket, nth++)
  })
  servers.push(server)
  server.listen(0, host)
  await once(server, 'listening')
  return portOf(server)
}

function portOf(server: Server): number {
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return address.port
}

/** A port of 127.0.0.1 where nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const port = portOf(server)
  server.close()
  await once(server, 'close')
  return port
}

/** A port of 127.0.0.1 that answers no SYN: its listener is stuck and its queue full. */
async function silentPort(): Promise<{ readonly port: number; wake(): void }> {
  const stuck = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(
    `const { createServer } = require('node:net')
     const { parentPort, workerData } = require('node:worker_threads')
     const server = createServer()
     server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
       parentPort.postMessage(server.address().port)
       Atomics.wait(workerData, 0, 0)
     })`,
    { eval: true, workerData: stuck },
  )
  workers.push(worker)
  const [port] = (await once(worker, 'message')) as [number]
  for (let i = 0; i < 2; i++) {
    const filler = connect(port, '127.0.0.1')
    sockets.push(filler)
    await once(filler, 'connect')
  }
  return { port, wake: () => void Atomics.notify(stuck, 0) }
}

function open(options: Partial<TransportOptions>): ReturnType<typeof openTransport> {
  return openTransport({ host: '127.0.0.1', mode: 'auto', timeoutMs: 30_000, ...options })
}

/** The name service for the length of one test. */
function resolving(t: TestContext, answer: () => Promise<readonly { readonly address: string }[]>): void {
  const { mock } = t.mock.method(dns, 'lookup', answer)
  syncBuiltinESMExports()
  t.after(() => {
    mock.restore()
    syncBuiltinESMExports()
  })
}

/** Frames as text, and the one end; the test waits for what it needs. */
class Heard {
  readonly frames: string[] = []
  readonly ended: Promise<NbtrunError | undefined>
  #wake: () => void = () => {}

  constructor(transport: Transport) {
    let ends = 0
    this.ended = new Promise((resolve, reject) => {
      transport.start(
        frame => {
          this.frames.push(frame.toString())
          this.#wake()
        },
        error => (ends++ === 0 ? resolve(error) : reject(new Error('ended twice'))),
      )
    })
  }

  async count(n: number): Promise<string[]> {
    while (this.frames.length < n) await new Promise<void>(resolve => (this.#wake = resolve))
    return this.frames
  }
}

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')

function framed(text: string): Buffer {
  const header = Buffer.alloc(4)
  header.writeUInt32BE(text.length)
  return Buffer.concat([header, Buffer.from(text)])
}

describe('frames', () => {
  test('what is sent arrives as one frame with its header, whatever the parts', async () => {
    const { promise, resolve } = deferred<string>()
    const port = await serve(peer => {
      const chunks: Buffer[] = []
      peer.on('data', chunk => chunks.push(chunk))
      peer.on('end', () => {
        resolve(Buffer.concat(chunks).toString('latin1'))
        peer.end()
      })
    })
    const transport = await open({ port })
    const heard = new Heard(transport)
    transport.send([Buffer.from('a'), Buffer.alloc(0), Buffer.from('bc')])
    transport.send([])
    await transport.finish(5000)
    assert.equal(await promise, '\0\0\0\x03abc\0\0\0\0')
    assert.equal(await heard.ended, undefined)
    assert.equal(transport.backlog, 0)
  })

  test('a message too long for the port is refused before a byte is sent', async () => {
    const port = await serve(peer => peer.on('data', () => assert.fail('nothing may arrive')).on('end', () => peer.end()))
    const transport = await open({ port })
    assert.throws(() => transport.send([Buffer.alloc(0x100_0000)]), { code: 'USAGE' })
    await transport.finish(5000)
  })

  test('frames come in order however slowly, keepalives between them', async () => {
    const port = await serve(peer => {
      const stream = Buffer.concat([bytes('85000000'), framed('one'), bytes('8500000085000000'), framed('two'), framed('three')])
      const next = (at: number): void => {
        if (at < stream.length) peer.write(stream.subarray(at, at + 1), () => setImmediate(next, at + 1))
        else peer.end()
      }
      next(0)
    })
    const transport = await open({ port })
    const heard = new Heard(transport)
    assert.equal(await heard.ended, undefined)
    assert.deepEqual(heard.frames, ['one', 'two', 'three'])
    await transport.finish(1000)
  })

  test('a keepalive is sent on 139 alone; what comes counts as heard, keepalives do not', async () => {
    for (const [mode, want] of [
      ['nbt', '85000000'],
      ['tcp', ''],
    ] as const) {
      const got: Buffer[] = []
      const peers: Socket[] = []
      const port = await serve(peer => {
        peers.push(peer)
        peer.on('data', chunk => {
          if (mode === 'nbt' && got.length === 0 && chunk[0] === 0x81) peer.write(bytes('82000000'))
          else got.push(chunk)
        })
        peer.on('end', () => peer.end())
      })
      const transport = await open({ port, mode })
      const heard = new Heard(transport)
      const from = transport.heardAt
      transport.keepAlive()
      peers[0]?.write(bytes('85000000'))
      await new Promise(resolve => setTimeout(resolve, 20))
      assert.equal(transport.heardAt, from)
      peers[0]?.write(framed('some words').subarray(0, 8))
      while (transport.heardAt === from) await turn()
      assert.deepEqual(heard.frames, [])
      peers[0]?.write(framed('some words').subarray(8))
      await heard.count(1)
      await transport.finish(1000)
      assert.equal(Buffer.concat(got).toString('hex'), want)
    }
  })

  test('bytes that came before start are delivered', async () => {
    const port = await serve(peer => peer.end(framed('early')))
    const transport = await open({ port })
    await turn()
    await turn()
    const heard = new Heard(transport)
    assert.deepEqual(await heard.count(1), ['early'])
    assert.equal(await heard.ended, undefined)
  })

  test('a message of 16 MB goes both ways on 445', async () => {
    const big = Buffer.alloc(0xff_ffff, 0x5a)
    const port = await serve(peer => peer.pipe(peer))
    const transport = await open({ port })
    const { promise, resolve } = deferred<Buffer>()
    transport.start(resolve, () => {})
    transport.send([big])
    assert.ok(transport.backlog > 0)
    assert.ok((await promise).equals(big))
    assert.equal(transport.backlog, 0)
    await transport.finish(5000)
  })

  test('unknown types and lengths beyond the limit end the connection with WIRE', async () => {
    for (const header of ['01000000', '81000044', '85000001', 'ff534d42']) {
      const port = await serve(peer => peer.write(Buffer.concat([framed('fine'), bytes(header), framed('never')])))
      const transport = await open({ port })
      const heard = new Heard(transport)
      assert.equal((await heard.ended)?.code, 'WIRE', header)
      assert.deepEqual(heard.frames, ['fine'])
      assert.throws(() => transport.send([]), { code: 'CLOSED' })
    }
  })

  test('an error thrown by the receiver ends the connection with it, and no frame follows', async () => {
    const port = await serve(peer => peer.write(Buffer.concat([framed('bad'), framed('never')])))
    const transport = await open({ port })
    const frames: string[] = []
    const error = await new Promise<NbtrunError | undefined>(resolve =>
      transport.start(frame => {
        frames.push(String(frame))
        throw new NbtrunError('WIRE', 'not SMB')
      }, resolve),
    )
    assert.equal(error?.message, 'not SMB')
    assert.deepEqual(frames, ['bad'])
  })
})

describe('the end', () => {
  test('finish sends FIN, delivers what still comes, and resolves with the FIN of the server', async () => {
    const port = await serve(peer => peer.on('data', () => {}).on('end', () => peer.end(framed('last words'))))
    const transport = await open({ port })
    const heard = new Heard(transport)
    transport.send([Buffer.from('x')])
    await transport.finish(5000)
    assert.deepEqual(heard.frames, ['last words'])
    assert.equal(await heard.ended, undefined)
    assert.throws(() => transport.send([]), { code: 'CLOSED' })
    await transport.finish(5000)
    transport.destroy()
  })

  test('the server sees an orderly end, no reset, although it sent what nobody read', async () => {
    const { promise, resolve } = deferred<string>()
    const port = await serve(peer => {
      peer.write(Buffer.concat([framed('unread'), framed('x'.repeat(100_000))]))
      peer.resume().on('end', () => peer.end())
      peer.on('error', error => resolve(error.message)).on('close', () => resolve('closed'))
    })
    const transport = await open({ port })
    await transport.finish(5000)
    assert.equal(await promise, 'closed')
  })

  test('a server that does not close is left after the limit', async () => {
    const port = await serve(peer => peer.resume())
    const transport = await open({ port })
    const heard = new Heard(transport)
    await transport.finish(30)
    const error = await heard.ended
    assert.equal(error?.code, 'TIMED_OUT')
    assert.equal(error?.message, `connection to 127.0.0.1 port ${port}: the server did not close it within 30 ms`)
  })

  test('the FIN of the server is an end without an error, in the middle of a message one with', async () => {
    for (const [last, code] of [
      ['', undefined],
      ['85000000', undefined],
      ['0000', 'CONNECTION_LOST'],
      ['0000000561', 'CONNECTION_LOST'],
    ] as const) {
      const port = await serve(peer => peer.resume().end(bytes(last)))
      const transport = await open({ port })
      assert.equal((await new Heard(transport).ended)?.code, code)
      await transport.finish(1000)
    }
  })

  test('a reset is CONNECTION_LOST with its name', async () => {
    const port = await serve(peer => peer.on('data', () => peer.resetAndDestroy()))
    const transport = await open({ port })
    const heard = new Heard(transport)
    transport.send([Buffer.from('x')])
    const error = await heard.ended
    assert.equal(error?.code, 'CONNECTION_LOST')
    assert.match(error?.message ?? '', /^connection to 127\.0\.0\.1 port \d+ lost: (ECONNRESET|EPIPE)$/)
    await transport.finish(1000)
  })

  test('a connection that was reset before start says so at start', async () => {
    const { promise, resolve } = deferred<Socket>()
    const port = await serve(resolve)
    const transport = await open({ port })
    const peer = await promise
    peer.resetAndDestroy()
    await transport.finish(1000)
    assert.equal((await new Heard(transport).ended)?.code, 'CONNECTION_LOST')
  })

  test('destroy ends at once with CLOSED, and no frame follows', async () => {
    const port = await serve(peer => peer.write(framed('unseen')))
    const transport = await open({ port })
    const heard = new Heard(transport)
    transport.destroy()
    transport.destroy()
    assert.equal((await heard.ended)?.code, 'CLOSED')
    assert.deepEqual(heard.frames, [])
  })
})

describe('opening', () => {
  test('445 is taken alone when it answers in time', async () => {
    const nbt = await serve(() => assert.fail('139 was tried'))
    const tcp = await serve(peer => peer.resume().on('end', () => peer.end()))
    const transport = await open({ ports: { tcp, nbt } })
    assert.deepEqual([transport.kind, transport.port, transport.address, transport.foundBy], ['tcp', tcp, '127.0.0.1', 'address'])
    await transport.finish(1000)
  })

  test('139 is taken when 445 refuses, under *SMBSERVER for an address', async t => {
    const requests: unknown[] = []
    const nbt = await serve(answering(requests, () => '82000000'))
    const tcp = await closedPort()
    t.mock.timers.enable({ apis: ['setTimeout'] }) // a refusal is not waited out: no time passes
    const transport = await open({ ports: { tcp, nbt } })
    t.mock.timers.reset()
    assert.deepEqual([transport.kind, transport.port], ['nbt', nbt])
    const own = (hostname().split('.')[0] ?? '').toUpperCase().slice(0, 15)
    assert.deepEqual(requests, [{ type: 'request', called: { text: '*SMBSERVER', suffix: 0x20, scope: '' }, calling: { text: own, suffix: 0, scope: '' } }])
    await transport.finish(1000)
  })

  test('139 is taken when 445 is silent for 300 ms', async () => {
    const nbt = await serve(answering([], () => '82000000'))
    const began = performance.now()
    const transport = await open({ ports: { tcp: (await silentPort()).port, nbt } })
    assert.equal(transport.kind, 'nbt')
    assert.ok(performance.now() - began >= 290)
    await transport.finish(1000)
  })

  test('445 that has answered is taken, however late this process looks', async () => {
    let calls = 0
    const tcp = await serve(() => {})
    const nbt = await serve(() => calls++)
    // the second one keeps the process from looking at its sockets until the head start is over
    const find = (): Promise<Found> =>
      new Promise(resolve => {
        setImmediate(() => resolve({ addresses: ['127.0.0.1'], by: 'dns' }))
        setImmediate(() => {
          for (const until = performance.now() + 600; performance.now() < until; );
        })
      })
    const transport = await open({ host: 'busy', ports: { tcp, nbt }, find })
    await pause(100)
    assert.deepEqual([transport.kind, calls], ['tcp', 0])
    transport.destroy()
  })

  test('445 is still taken when it is late and 139 refuses', async () => {
    const listener = await silentPort()
    const opening = open({ ports: { tcp: listener.port, nbt: await closedPort() } })
    setTimeout(() => listener.wake(), 350)
    const transport = await opening
    assert.equal(transport.kind, 'tcp')
    transport.destroy()
  })

  test('445 is taken when it comes while 139 keeps its caller waiting, or after 139 hung up', async () => {
    for (const play of [(peer: Socket) => peer.resume(), (peer: Socket) => peer.once('data', () => peer.resetAndDestroy())]) {
      const ended = deferred<void>()
      const nbt = await serve(peer =>
        play(peer)
          .on('close', ended.resolve)
          .on('end', () => peer.end()),
      )
      const listener = await silentPort()
      const opening = open({ ports: { tcp: listener.port, nbt, name: 9 } })
      setTimeout(() => listener.wake(), 700)
      const transport = await opening
      assert.equal(transport.kind, 'tcp')
      await ended.promise // nothing is left on 139
      transport.destroy()
    }
  })

  test('445 that is silent is not waited for when 139 refuses the name', async () => {
    const nbt = await serve(answering([], () => '8300000182'))
    const opening = open({ ports: { tcp: (await silentPort()).port, nbt }, calledName: 'other', timeoutMs: 60_000 })
    const over = new AbortController()
    const ended = assert.rejects(opening, { code: 'CALLED_NAME_REFUSED' }).finally(() => over.abort())
    await pause(20_000, over.signal)
    assert.ok(over.signal.aborted, 'it waits')
    await ended
  })

  test('both ports failing is one line that names each attempt', async () => {
    const [tcp, nbt] = [await closedPort(), await closedPort()]
    await assert.rejects(open({ ports: { tcp, nbt } }), {
      code: 'CONNECT_FAILED',
      message: `cannot connect to 127.0.0.1 (${tcp}: refused, ${nbt}: refused)`,
      hint: `check that it is on, that it shares files, and that no firewall closes port ${tcp} or ${nbt}`,
    })
    const { port: silent } = await silentPort()
    await assert.rejects(open({ ports: { tcp, nbt: silent }, timeoutMs: 1500 }), {
      code: 'CONNECT_FAILED',
      message: new RegExp(`^cannot connect to 127\\.0\\.0\\.1 \\(${tcp}: refused, ${silent}: no answer within [\\d.]+ m?s\\)$`),
    })
    await assert.rejects(open({ ports: { tcp: silent, nbt }, timeoutMs: 2500 }), {
      code: 'CONNECT_FAILED',
      message: new RegExp(`\\(${silent}: no answer within [\\d.]+ m?s, ${nbt}: refused\\)$`),
    })
  })

  test('a mode tries its own port only, and a port given decides', async () => {
    const [tcp, nbt] = [await closedPort(), await serve(answering([], () => '82000000'))]
    await assert.rejects(open({ mode: 'tcp', ports: { tcp, nbt } }), { code: 'CONNECT_FAILED', message: `cannot connect to 127.0.0.1 (${tcp}: refused)` })
    const byMode = await open({ mode: 'nbt', ports: { tcp, nbt } })
    const byPort = await open({ mode: 'nbt', port: nbt })
    assert.deepEqual([byMode.kind, byPort.kind], ['nbt', 'nbt'])
    await byMode.finish(1000)
    await byPort.finish(1000)
  })

  test('a name is called by its first label, then as *SMBSERVER on a new connection', async () => {
    const requests: Called[] = []
    const port = await serve(
      answering(requests, nth => (nth === 0 ? '8300000182' : '82000000')),
      'localhost',
    )
    const transport = await open({ host: 'localhost', mode: 'nbt', port, scope: 'corp' })
    assert.deepEqual(
      requests.map(({ called }) => [called.text, called.suffix, called.scope]),
      [
        ['LOCALHOST', 0x20, 'CORP'],
        ['*SMBSERVER', 0x20, 'CORP'],
      ],
    )
    assert.equal(transport.foundBy, 'dns')
    await transport.finish(1000)
  })

  test('names given are used as they are, and a refusal is told with all that was tried', async () => {
    const requests: Called[] = []
    const port = await serve(answering(requests, () => '8300000182'))
    await assert.rejects(open({ mode: 'nbt', port, calledName: 'files#1f', callingName: 'me' }), {
      code: 'CALLED_NAME_REFUSED',
      message: '127.0.0.1: called name FILES<1f> refused: 0x82 (called name not present)',
      facts: { called: 'FILES<1f>', reason: 0x82 },
    })
    assert.deepEqual(
      requests.map(({ called, calling }) => [called.text, called.suffix, calling.text, calling.suffix]),
      [['FILES', 0x1f, 'ME', 0]],
    )

    const both = await serve(
      answering([], () => '8300000180'),
      'localhost',
    )
    await assert.rejects(open({ host: 'localhost', mode: 'nbt', port: both, timeoutMs: 3000 }), {
      message:
        /: called name LOCALHOST<20> refused: 0x80 \(.*\), called name \*SMBSERVER<20> refused: 0x80 \(not listening on called name\), node status: no answer within [\d.]+ m?s$/,
    })
    const full = await serve(
      answering([], () => '8300000183'),
      'localhost',
    )
    await assert.rejects(open({ host: 'localhost', mode: 'nbt', port: full }), { facts: { called: 'LOCALHOST<20>', reason: 0x83 } })
    await assert.rejects(open({ mode: 'nbt', port, calledName: 'sixteen-letters-' }), { code: 'USAGE' })
  })

  test('on 139 silence, nonsense and an early end are told as what they are', async () => {
    const plays: readonly (readonly [(peer: Socket) => void, RegExp])[] = [
      [peer => peer.resume(), /no answer within [\d.]+ m?s\)$/],
      [peer => peer.once('data', () => peer.end('HTTP/1.1 400')), /NBT session header: flags are/],
      [peer => peer.once('data', () => peer.end()), /no answer to the session request: closed by the server, node status: no answer within [\d.]+ m?s\)$/],
    ]
    for (const [play, message] of plays) {
      const port = await serve(play)
      await assert.rejects(open({ mode: 'nbt', port, timeoutMs: 1500 }), { code: 'CONNECT_FAILED', message })
    }
  })

  test('an unknown host is HOST_NOT_FOUND, with a cure', async () => {
    const host = 'a..b' // no name: the resolver says so itself and asks nobody
    await assert.rejects(open({ host }), (error: unknown) => {
      assert.ok(error instanceof NbtrunError)
      assert.equal(error.code, 'HOST_NOT_FOUND')
      assert.equal(error.line, 'server a..b not found: no such name; check the spelling, or name the server by its IP address')
      return true
    })
  })

  test('each address of a name is tried in turn, and a failure names the address', async t => {
    resolving(t, () => Promise.resolve([{ address: '127.0.0.2' }, { address: '127.0.0.1' }, { address: '127.0.0.2' }]))
    const port = await serve(peer => peer.resume().on('end', () => peer.end()))
    const transport = await open({ host: 'srv.example', mode: 'tcp', port })
    assert.deepEqual([transport.address, transport.foundBy], ['127.0.0.1', 'dns'])
    await transport.finish(1000)
    const closed = await closedPort()
    await assert.rejects(open({ host: 'srv.example', mode: 'tcp', port: closed }), {
      message: `cannot connect to srv.example (127.0.0.2 port ${closed}: refused, 127.0.0.1 port ${closed}: refused)`,
    })
  })

  test('a silent address leaves the next one its share of the time', async t => {
    resolving(t, () => Promise.resolve([{ address: '127.0.0.1' }, { address: '127.0.0.3' }]))
    const { port } = await silentPort()
    const server = createServer(peer => peer.resume()).listen(port, '127.0.0.3')
    servers.push(server)
    await once(server, 'listening')
    const transport = await open({ host: 'srv.example', mode: 'tcp', port, timeoutMs: 4000 })
    assert.equal(transport.address, '127.0.0.3')
    await transport.finish(1000)
  })

  test('the time limit covers the name service', async t => {
    resolving(t, () => new Promise(() => {}))
    await assert.rejects(open({ host: 'srv.example', timeoutMs: 30 }), {
      code: 'HOST_NOT_FOUND',
      message: 'server srv.example not found: no answer from DNS within 30 ms',
    })
  })

  test('the signal ends it with its reason, whatever it waits for', async () => {
    const { port: silent } = await silentPort()
    const mute = await serve(peer => peer.resume())
    const reason = new NbtrunError('CANCELLED', 'Ctrl-C')
    for (const options of [
      { mode: 'tcp', port: silent },
      { ports: { tcp: silent, nbt: silent } },
      { mode: 'nbt', port: mute },
      { host: 'localhost' },
    ] as const) {
      const controller = new AbortController()
      const opening = open({ ...options, signal: controller.signal })
      await turn()
      controller.abort(reason)
      await assert.rejects(opening, reason)
      await assert.rejects(open({ ...options, signal: controller.signal }), reason)
    }
  })
})

interface Called {
  readonly called: { readonly text: string; readonly suffix: number; readonly scope: string }
  readonly calling: { readonly text: string; readonly suffix: number }
}

/** Notes each session request and sends the answer for it; a refusal closes, as RFC 1002 has it. */
function answering(requests: unknown[], answer: (nth: number) => string): (peer: Socket, nth: number) => void {
  return (peer, nth) => {
    peer.once('data', request => {
      requests.push(decode(sessionPacket, request))
      const reply = bytes(answer(nth))
      if (reply[0] === 0x82) peer.write(reply)
      else peer.end(reply)
    })
    peer.on('end', () => peer.end())
  }
}
