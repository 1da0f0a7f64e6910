// A name server that sends whoever asks it to another one, on real sockets.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode, encode } from '../../src/base/wire.ts'
import { type Endpoint, openUdp } from '../../src/nbt/endpoint.ts'
import { NameExchange } from '../../src/nbt/exchange.ts'
import { queryResponse } from '../../src/nbt/name-messages.ts'
import { namePacket, type NamePacket } from '../../src/nbt/name-packets.ts'
import { parseName } from '../../src/nbt/names.ts'
import { lookUpName } from '../../src/nbt/queries.ts'
import { RFC_TIMES } from '../../src/nbt/times.ts'
import { redirectResponse } from '../unit/nbt/wire.ts'

const SRV = parseName('SRV', 0x20)
const OTHER = parseName('OTHER', 0x20)

test('the other one is asked, and its answer counts', { timeout: 60_000 }, async () => {
  const open: Endpoint[] = []
  const peer = async (address: string, port: number, answer: (packet: NamePacket) => NamePacket): Promise<Endpoint> => {
    const endpoint = await openUdp({ address, port })
    open.push(endpoint)
    endpoint.receive((bytes, from) => void endpoint.send(encode(namePacket, answer(decode(namePacket, bytes))), from))
    return endpoint
  }
  try {
    const { local } = await peer('127.0.0.2', 0, ({ id }) => redirectResponse(id, SRV, OTHER, '127.0.0.3'))
    await peer('127.0.0.3', local.port, ({ id }) => queryResponse(id, SRV, 300, [{ group: false, nodeType: 'H', address: '10.0.0.7' }]))
    const exchange = new NameExchange(await openUdp({ address: '127.0.0.1', port: 0 }))
    open.push(exchange.endpoint)
    const network = { exchange, port: local.port, broadcasts: [], wins: ['127.0.0.2'], nodeType: 'P', times: RFC_TIMES, tellsConflicts: false } as const
    const { found, attempts } = await lookUpName(network, SRV)
    assert.deepEqual([found?.owners.map(({ address }) => address), found?.from], [['10.0.0.7'], '127.0.0.3'])
    assert.deepEqual(
      attempts.map(({ to, outcome }) => `${to} ${outcome}`),
      ['127.0.0.2 redirected to 127.0.0.3', '127.0.0.3 found'],
    )
  } finally {
    for (const endpoint of open) await endpoint.close()
  }
})
