import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { encode } from '../../src/base/wire.ts'
import { callSession } from '../../src/nbt/call.ts'
import { dial } from '../../src/nbt/dial.ts'
import { openUdp } from '../../src/nbt/endpoint.ts'
import { conflictDemand, queryRequest, releaseRequest, statusRequest } from '../../src/nbt/name-messages.ts'
import { namePacket } from '../../src/nbt/name-packets.ts'
import { ANY_NAME, parseName } from '../../src/nbt/names.ts'
import { EndNode } from '../../src/nbt/node.ts'
import { sessionPacket } from '../../src/nbt/session.ts'
import { nodeStatus } from '../../src/nbt/index.ts'
import { Random } from '../unit/nbt/random.ts'
import { VECTORS } from '../unit/nbt/vectors.ts'

const SEED = Number(process.env['NBT_SEED'] ?? 20_260_404)
const PAYROLL = parseName('PAYROLL', 0x20)
const never = new AbortController().signal

/** A free UDP port, given back at once. */
async function freePort(): Promise<number> {
  const endpoint = await openUdp({ address: '127.0.0.1', port: 0 })
  await endpoint.close()
  return endpoint.local.port
}

test(`10,000 random and mutated packets against an end node: it still answers, holds its name, and has not grown (seed ${SEED})`, {
  timeout: 120_000,
}, async () => {
  const ports = { name: await freePort(), datagram: await freePort(), session: 0 }
  const own = { address: '127.0.0.1', netmask: '255.255.255.0', broadcast: '127.0.0.1' }
  const quick = { broadcastTries: 1, broadcastMs: 5, statusMs: 500 }
  const node = await EndNode.open({ own, bindOwn: false, ports, times: quick, datagrams: true, sessions: true })
  const attacker = await openUdp({ address: '127.0.0.1', port: 0 })
  const sessionPort = node.sessions!.port
  try {
    const held = await node.register(PAYROLL)
    node.sessions!.listen(PAYROLL, { onSession: ({ socket }) => void socket.resume() })
    const owner = { group: false, nodeType: 'B', address: own.address } as const
    const seeds = [
      ...Object.values(VECTORS),
      ...[
        conflictDemand(1, PAYROLL, owner),
        releaseRequest(1, { name: PAYROLL, owner }, false),
        queryRequest(1, PAYROLL, false),
        statusRequest(1, ANY_NAME),
      ].map(packet => encode(namePacket, packet)),
    ]
    const request = encode(sessionPacket, { type: 'request', called: PAYROLL, calling: parseName('ME', 0) })
    const r = new Random(SEED)
    const sockets: ReturnType<typeof connect>[] = []
    const flood = async (count: number): Promise<void> => {
      for (let n = 0; n < count; n++) {
        const bytes = r.coin() ? r.mutate(seeds[r.below(seeds.length)]!) : r.bytes(r.below(700))
        const port = r.below(3) === 0 ? ports.datagram : ports.name
        await attacker.send(bytes, { address: '127.0.0.1', port })
        if (n % 50 !== 0) continue
        const socket = connect(sessionPort, '127.0.0.1').on('error', () => {})
        sockets.push(socket)
        socket.end(r.mutate(request))
        // the node's turn: what the kernel cannot queue would be lost
        await new Promise(resolve => setImmediate(resolve))
      }
      for (const socket of sockets.splice(0)) socket.destroy()
    }
    await flood(2000)
    const before = process.memoryUsage().heapUsed
    await flood(8000)
    const grown = process.memoryUsage().heapUsed - before
    const { ignored } = node.network.exchange
    assert.ok(ignored.malformed + ignored.unasked + ignored.unentitled > 1000, JSON.stringify(ignored))
    assert.ok(grown < 32e6, `${grown} bytes`)
    assert.equal(held.state, 'active')
    assert.deepEqual(
      node.view().map(({ name, state }) => [name, state]),
      [['PAYROLL<20>', 'active']],
    )
    const status = await nodeStatus('127.0.0.1', { ports, times: { statusMs: 20_000 } })
    assert.deepEqual(
      status.names.map(({ name }) => name),
      [PAYROLL],
    )
    const socket = await dial('127.0.0.1', sessionPort, never)
    await callSession(socket, { called: PAYROLL, calling: parseName('ME', 0) }, 20_000)
    socket.destroy()
  } finally {
    await attacker.close()
    await node.close()
  }
})
