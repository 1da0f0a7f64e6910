import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, isIPv4, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { pause } from '../../../src/base/time.ts'
import { dial } from '../../../src/nbt/dial.ts'

const LISTEN = `
  const server = require('net').createServer()
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => process.stdout.write(String(server.address().port)))`

/** A stopped process takes no connection from its queue. */
const skip = process.platform === 'win32'

let server: ChildProcess
let port: number
const fillers: Socket[] = []
before(async () => {
  server = spawn(process.execPath, ['-e', LISTEN], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [told] = await once(server.stdout!, 'data')
  port = Number(told)
})
after(() => {
  for (const filler of fillers) filler.destroy()
  server.kill('SIGKILL')
})

/** True when the server's kernel takes one more connection for it. */
async function takesOne(): Promise<boolean> {
  const filler = connect({ host: '127.0.0.1', port }).on('error', () => {})
  fillers.push(filler)
  await Promise.race([once(filler, 'connect'), pause(400)])
  return !filler.connecting
}

async function fill(): Promise<void> {
  server.kill('SIGSTOP')
  for (let left = 10; await takesOne(); left--) assert.ok(left > 0, 'a queue of one takes ten')
}

test('a server whose queue was full is reached soon after it has room, not when the kernel asks again', { skip }, async () => {
  await fill()
  const patience = AbortSignal.timeout(10_900) // the kernel itself asks after 7 and 15 s, since Linux 6.5 after 7 and 11 s
  const reached = dial('127.0.0.1', port, patience)
  const early = await Promise.race([reached.then(() => 'reached'), pause(7400)])
  assert.equal(early, undefined)
  server.kill('SIGCONT')
  fillers.push(await reached)
})

test('an abort between two attempts ends them', { skip }, async () => {
  await fill()
  const stop = new AbortController()
  const ended = assert.rejects(dial('127.0.0.1', port, stop.signal), /enough/)
  await pause(7500)
  stop.abort(new Error('enough'))
  await ended
})

for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1'])
  test(`${address} is dialled from a port that can be bound to once more`, { skip }, async t => {
    const host = isIPv4(address) ? '127.0.0.1' : '::'
    const servers = [0, 1].map(() => createServer(socket => socket.resume()).listen(0, host))
    t.after(() => servers.map(each => each.close()))
    const isListening = await Promise.all(servers.map(each => once(each, 'listening'))).catch(() => undefined)
    if (isListening === undefined) return t.skip('no IPv6 here')
    const [first, second] = servers.map(each => (each.address() as AddressInfo).port)
    const socket = await dial(address, first!, AbortSignal.timeout(5000))
    const again = connect({ host: address, port: second!, localAddress: address, localPort: socket.localPort! })
    t.after(() => [socket, again].map(each => each.destroy()))
    await once(again, 'connect')
    assert.deepEqual([socket.localAddress, again.localPort], [address, socket.localPort])
  })
