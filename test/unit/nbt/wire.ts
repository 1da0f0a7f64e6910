import { decode, encode } from '../../../src/base/wire.ts'
import type { Endpoint, Interface, Peer, Receiver } from '../../../src/nbt/endpoint.ts'
import { registrationResponse, negativeQueryResponse, queryResponse, releaseResponse } from '../../../src/nbt/name-messages.ts'
import { namePacket, type NamePacket, type NbAddress, OPCODE, RCODE } from '../../../src/nbt/name-packets.ts'
import { nameKey, type NetbiosName } from '../../../src/nbt/names.ts'
import { EndNode, type NodeOptions } from '../../../src/nbt/node.ts'
import type { NameTimes } from '../../../src/nbt/times.ts'

/** A broadcast domain in memory: 10.0.0.0/24. Packets arrive in order, in a later turn of the event loop. */
export class Wire {
  readonly sent: { readonly from: Peer; readonly to: Peer; readonly bytes: Buffer }[] = []
  /** Packets for which it is true get lost. */
  loses: (from: Peer, to: Peer) => boolean = () => false
  readonly #ports = new Map<string, Port>()

  plug(address: string, port: number): Endpoint {
    const key = `${address}:${port}`
    if (this.#ports.has(key)) throw new Error(`${key} is in use`)
    const made = new Port({ address, port }, this, () => this.#ports.delete(key))
    this.#ports.set(key, made)
    return made
  }

  carry(from: Peer, to: Peer, bytes: Buffer): void {
    this.sent.push({ from, to, bytes: Buffer.from(bytes) })
    const receivers = to.address === BROADCAST ? [...this.#ports.values()].filter(each => each.local.port === to.port) : []
    const one = this.#ports.get(`${to.address}:${to.port}`)
    for (const receiver of one === undefined ? receivers : [one]) {
      if (!this.loses(from, receiver.local)) setImmediate(() => receiver.take(Buffer.from(bytes), from))
    }
  }

  /** The name service packets so far, decoded. */
  get packets(): { readonly from: string; readonly to: string; readonly packet: NamePacket }[] {
    return this.sent
      .filter(({ to, from }) => to.port === 137 || from.port === 137)
      .map(({ from, to, bytes }) => ({ from: from.address, to: to.address, packet: decode(namePacket, bytes) }))
  }
}

const BROADCAST = '10.0.0.255'
export const ownAt = (address: string): Interface => ({ address, netmask: '255.255.255.0', broadcast: BROADCAST })

class Port implements Endpoint {
  readonly local: Peer
  readonly #wire: Wire
  readonly #unplug: () => void
  #receiver: Receiver | undefined

  constructor(local: Peer, wire: Wire, unplug: () => void) {
    this.local = local
    this.#wire = wire
    this.#unplug = unplug
  }

  send(bytes: Buffer, to: Peer): Promise<void> {
    this.#wire.carry(this.local, to, bytes)
    return Promise.resolve()
  }

  receive(receiver: Receiver | undefined): void {
    this.#receiver = receiver
  }

  take(bytes: Buffer, from: Peer): void {
    this.#receiver?.(bytes, from)
  }

  close(): Promise<void> {
    this.#receiver = undefined
    this.#unplug()
    return Promise.resolve()
  }
}

/** RFC 1002's times, ten times faster and more: what is asked again while the answer is on its way is counted, so a busy machine needs some. */
export const QUICK: NameTimes = {
  broadcastTries: 3,
  broadcastMs: 50,
  unicastTries: 3,
  unicastMs: 250,
  wackLeastMs: 60,
  wackMostMs: 3000,
  conflictMs: 60,
  statusTries: 3,
  statusMs: 200,
}

export function node(wire: Wire, address: string, options: NodeOptions = {}): Promise<EndNode> {
  const endpoints = { name: wire.plug(address, 137), ...(options.datagrams === true ? { datagram: wire.plug(address, 138) } : {}) }
  return EndNode.open({ own: ownAt(address), times: QUICK, endpoints, ...options })
}

/** REDIRECT NAME QUERY RESPONSE: the name server called `server` has that address. RFC 1002 section 4.2.15. */
export function redirectResponse(id: number, name: NetbiosName, server: NetbiosName, address: string): NamePacket {
  return {
    ...queryResponse(id, name, 0, []),
    authoritative: false,
    answer: undefined,
    authority: { name, ttl: 0, data: { kind: 'server', server } },
    additional: { name: server, ttl: 0, data: { kind: 'server address', address } },
  }
}

/** A node that does what the test says, and hears everything. */
export class Puppet {
  readonly heard: { readonly packet: NamePacket; readonly from: Peer }[] = []
  readonly endpoint: Endpoint

  constructor(
    wire: Wire,
    address: string,
    answer: (packet: NamePacket, from: Peer, say: (packet: NamePacket, to?: Peer) => void) => void = () => {},
    port = 137,
  ) {
    this.endpoint = wire.plug(address, port)
    this.endpoint.receive((bytes, from) => {
      if (from.address === address) return
      const packet = decode(namePacket, bytes)
      this.heard.push({ packet, from })
      answer(packet, from, (response, to = from) => this.say(response, to))
    })
  }

  say(packet: NamePacket, to: Peer): void {
    void this.endpoint.send(encode(namePacket, packet), to)
  }
}

/** A name server as nmbd is one: knows what was registered with it, challenges nobody. */
export class Nbns {
  readonly names = new Map<string, NbAddress>()
  readonly heard: NamePacket[] = []
  /** Answers in its place: true when it did. */
  first: (packet: NamePacket, from: Peer, say: (packet: NamePacket) => void) => boolean = () => false
  ttl = 300_000
  readonly puppet: Puppet

  constructor(wire: Wire, address: string) {
    this.puppet = new Puppet(wire, address, (packet, from, say) => {
      if (packet.response || packet.broadcast) return
      this.heard.push(packet)
      if (!this.first(packet, from, say)) this.#serve(packet, say)
    })
  }

  #serve(packet: NamePacket, say: (packet: NamePacket) => void): void {
    const { id, question, additional } = packet
    if (question === undefined) return
    const key = nameKey(question.name)
    const there = this.names.get(key)
    const claim = additional?.data.kind === 'addresses' ? additional.data.addresses[0] : undefined
    const name = question.name
    switch (packet.opcode) {
      case OPCODE.QUERY:
        return say(there === undefined ? negativeQueryResponse(id, name, RCODE.NAME) : queryResponse(id, name, this.ttl, [there]))
      case OPCODE.REGISTRATION:
      case OPCODE.REFRESH:
      case OPCODE.REFRESH_9: {
        if (claim === undefined) return
        const rcode = there !== undefined && there.address !== claim.address ? RCODE.ACTIVE : RCODE.OK
        if (rcode === RCODE.OK) this.names.set(key, claim)
        return say(registrationResponse(id, { name, owner: claim, ttl: this.ttl }, rcode))
      }
      case OPCODE.RELEASE: {
        if (claim === undefined) return
        const known = there?.address === claim.address
        if (known) this.names.delete(key)
        return say(releaseResponse(id, { name, owner: claim }, known ? RCODE.OK : RCODE.NAME))
      }
      default:
        return
    }
  }
}
