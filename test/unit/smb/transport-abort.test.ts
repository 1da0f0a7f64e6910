// In a file of its own: what port 139 needs is loaded once in a process, and that is the moment.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { test } from 'node:test'
import { NbtrunError } from '../../../src/base/errors.ts'
import { openTransport } from '../../../src/smb/transport.ts'

test('cancelled between the connection to port 139 and the session request: nothing is left open', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const stop = new AbortController()
  const opening = openTransport({ host: '127.0.0.1', mode: 'nbt', port, timeoutMs: 30_000, signal: stop.signal })
  const [socket] = (await once(server, 'connection')) as [Socket]
  let said = 0
  const gone = once(
    socket.on('data', bytes => (said += bytes.length)).on('error', () => {}),
    'close',
  )
  setTimeout(() => stop.abort(new NbtrunError('CANCELLED', 'enough')), 1)
  await assert.rejects(opening, { code: 'CANCELLED' })
  const ended = await Promise.race([gone.then(() => true), new Promise(resolve => setTimeout(resolve, 20_000, false).unref())])
  assert.deepEqual([ended, said], [true, 0])
  server.close()
  await once(server, 'close')
})
