// A NetBIOS node on a host of the lab, told what to do line by line: {"id":1,"do":"register","name":"PAYROLL#20"} on stdin, the answer on stdout.
import { createInterface } from 'node:readline'
import { asError } from '../../src/base/errors.ts'
import { EndNode, type HeldName, interfaces, type NodeOptions, parseName, spellName } from '../../src/nbt/index.ts'
import { conflictDemand } from '../../src/nbt/name-messages.ts'
import { refreshAt, releaseName } from '../../src/nbt/registrations.ts'

interface Order {
  readonly id: number
  readonly do: string
  readonly name: string
  readonly group?: boolean
  readonly text?: string
}

const node = await EndNode.open({ ...(JSON.parse(process.argv[2] ?? '{}') as NodeOptions), own: interfaces()[0] })
const held = new Map<string, HeldName>()
const heard: Record<string, string[]> = {}

const DO: Readonly<Record<string, (order: Order) => unknown>> = {
  register: async ({ name, group = false }) => {
    const it = await node.register(parseName(name, 0x20), { group })
    held.set(name, it)
    return it.registration
  },
  release: ({ name }) => held.get(name)?.release(),
  refresh: ({ name }) => {
    const { server } = held.get(name)?.registration ?? {}
    return refreshAt(node.network, server ?? '', claim(name))
  },
  // what its owner alone may ask for
  'release another’s': ({ name, text = '' }) => releaseName(node.network, [claim(name)], { server: text, broadcast: false, ttl: 0 }),
  conflict: ({ name, text = '' }) =>
    node.network.exchange.tell(conflictDemand(1, parseName(name, 0x20), { group: false, nodeType: 'B' }), { address: text, port: node.network.port }),
  state: ({ name }) => held.get(name)?.state,
  view: () => node.view(),
  ignored: () => node.network.exchange.ignored,
  lookUp: async ({ name }) => (await node.lookUp(parseName(name, 0x20))).found?.owners.map(({ address }) => address) ?? [],
  status: async ({ text = '' }) => (await node.status(text))?.names.map(({ name }) => spellName(name)) ?? [],
  // sessions and datagrams for a name are noted
  listen: ({ name }) => {
    const log = (heard[name] = [] as string[])
    node.sessions?.listen(parseName(name, 0x20), {
      onSession: ({ socket, calling, from }) => {
        log.push(`session from ${spellName(calling)} at ${from.address}`)
        socket.once('data', (data: Buffer) => (log.push(data.toString('latin1', 4, 8)), socket.end()))
      },
    })
    node.datagrams?.listen(parseName(name, 0x20), ({ source, kind, data }) => log.push(`${kind} from ${spellName(source)}: ${data.toString('latin1')}`))
  },
  heard: ({ name }) => heard[name] ?? [],
  send: ({ name, text = '' }) => node.datagrams?.send(parseName('SENDER', 0), parseName(name, 0x20), Buffer.from(text)),
  close: () => node.close().then(() => process.exit(0)),
}

function claim(name: string) {
  const { nodeType } = node.network
  return { name: parseName(name, 0x20), owner: { group: false, nodeType, address: node.owns[0].address }, ttl: 300_000 }
}

const say = (what: object): void => void process.stdout.write(`${JSON.stringify(what)}\n`)
say({ ready: node.owns[0].address })
createInterface({ input: process.stdin })
  .on('line', line => {
    const order = JSON.parse(line) as Order
    Promise.resolve()
      .then(() => DO[order.do]?.(order))
      .then(
        result => say({ id: order.id, result }),
        (thrown: unknown) => {
          const { code, message, facts } = asError(thrown)
          say({ id: order.id, error: { code, message, facts } })
        },
      )
  })
  .on('close', () => process.exit(0))
