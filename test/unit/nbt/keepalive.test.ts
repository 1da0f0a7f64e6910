import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { dial } from '../../../src/nbt/dial.ts'
import { type FrameKind } from '../../../src/nbt/frames.ts'
import { SocketStream } from '../../../src/nbt/stream.ts'

async function pair(kind: FrameKind, work: (stream: SocketStream, peer: Socket) => Promise<void>): Promise<void> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  const [[peer], socket] = await Promise.all([once(server, 'connection') as Promise<[Socket]>, dial('127.0.0.1', address.port, new AbortController().signal)])
  const stream = new SocketStream(socket, kind, '127.0.0.1', address.port)
  stream.start(
    () => {},
    () => {},
  )
  try {
    await work(
      stream,
      peer.on('error', () => {}),
    )
  } finally {
    stream.destroy()
    peer.destroy()
    server.close()
  }
}

const received = (peer: Socket): { text: string } => {
  const got = { text: '' }
  peer.on('data', (bytes: Buffer) => (got.text += bytes.toString('hex')))
  return got
}

test('an idle session on port 139 sends keepalives, and none after its end', async () => {
  await pair('nbt', async (stream, peer) => {
    const got = received(peer)
    stream.keepAlive(10)
    for (let i = 0; i < 500 && got.text.length < 24; i++) await new Promise(resolve => setTimeout(resolve, 5))
    assert.match(got.text, /^(85000000){3,}$/)
    peer.end()
    await stream.finish(1000)
    assert.ok(!process.getActiveResourcesInfo().includes('Timeout'))
  })
})

test('what is sent meanwhile puts the keepalive off, and never lies inside a frame', async () => {
  await pair('nbt', async (stream, peer) => {
    const got = received(peer)
    stream.keepAlive(1000)
    for (let i = 0; i < 30; i++) {
      stream.send([Buffer.from([i])])
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    while (got.text.length < 30 * 10) await new Promise(resolve => setImmediate(resolve))
    assert.match(got.text, /^(00000001..){30}$/)
  })
})

test('port 445 has no keepalives', async () => {
  await pair('tcp', async (stream, peer) => {
    const got = received(peer)
    stream.keepAlive(5)
    await new Promise(resolve => setTimeout(resolve, 50))
    stream.send([Buffer.from('aa', 'hex')])
    await once(peer, 'data')
    assert.equal(got.text, '00000001aa')
  })
})
