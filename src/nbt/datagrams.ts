import { NbtrunError } from '../base/errors.ts'
import { now } from '../base/time.ts'
import { decode, encode, WireError } from '../base/wire.ts'
import { DATAGRAM_ERRORS, datagramPacket, type DatagramPacket } from './datagram-packets.ts'
import { type Endpoint, type Interface, type Peer, wiresOf } from './endpoint.ts'
import type { NameTable } from './name-table.ts'
import { ALL_NODES, nameKey, type NetbiosName, netbiosName, spellName } from './names.ts'
import { lookUpName, type NameNetwork, spellAttempts } from './queries.ts'
import { type DataDatagram, Reassembly } from './reassembly.ts'

/** The largest IP packet that nodes must take, 576 bytes, without the headers of IP and UDP. RFC 1002 section 4.4. */
const LONGEST_PACKET = 576 - 20 - 8
const HEADER = 14
/** The offset of a fragment has 16 bits. */
const LONGEST_DATA = 0xffff

export interface IncomingDatagram {
  readonly source: NetbiosName
  readonly destination: NetbiosName
  readonly kind: 'unique' | 'group' | 'broadcast'
  readonly data: Buffer
  readonly from: Peer
}

/** That one of our datagrams found nobody. */
export interface DatagramError {
  readonly id: number
  readonly code: number
  readonly meaning: string
  readonly from: Peer
}

export interface DatagramOptions {
  readonly endpoint: Endpoint
  /** The port of datagrams everywhere: 138. */
  readonly port: number
  readonly owns: readonly [Interface, ...Interface[]]
  readonly network: NameNetwork
  readonly table: NameTable
}

type Listener = (datagram: IncomingDatagram) => void

/** The datagram service of a node: UDP 138. RFC 1002 section 5.3. Its owner closes it. */
export class DatagramService {
  /** What came in for nobody here, or was no datagram. */
  readonly ignored = { malformed: 0, undelivered: 0 }
  /** Told of each datagram of ours that came back. */
  onError: (error: DatagramError) => void = () => {}
  readonly #options: DatagramOptions
  readonly #listeners = new Map<string, Set<Listener>>()
  readonly #reassembly = new Reassembly(now)
  #id: number

  constructor(options: DatagramOptions) {
    this.#options = options
    this.#id = options.network.exchange.newId()
    options.endpoint.receive((bytes, from) => this.#receive(bytes, from))
  }

  /** Datagrams for a name of ours go to the listener, those to everybody under the name `*`. Returns the way back. */
  listen(name: NetbiosName, listener: Listener): () => void {
    const key = nameKey(name)
    const listeners = this.#listeners.get(key) ?? new Set()
    this.#listeners.set(key, listeners.add(listener))
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0) this.#listeners.delete(key)
    }
  }

  /**
   * Sends to the owner of a name, or to everybody who is in the group. Resolves to the datagram's id once it is under way; that nobody is there may be told
   * later, to `onError`. Rejects with HOST_NOT_FOUND, USAGE, or the signal's reason.
   */
  async send(source: NetbiosName, destination: NetbiosName, data: Buffer, signal?: AbortSignal): Promise<number> {
    const { network, owns, port } = this.#options
    const here = this.#options.table.find(destination)
    // a group is reached on its wire; a unique name where it is
    const { found, attempts } = here?.isOpen === true ? { found: undefined, attempts: [] } : await lookUpName(network, destination, signal)
    if (here?.isOpen !== true && found === undefined) throw new NbtrunError('HOST_NOT_FOUND', spellAttempts(destination, attempts))
    const group = here?.group ?? found?.group ?? false
    const owners = found?.owners.map(({ address }) => address) ?? [owns[0].address]
    // a P node knows its group from the name server alone, and sends to each: RFC 1001 section 17.1.1 leaves that to a distribution server, which nobody has
    const to = !group ? owners.slice(0, 1) : network.nodeType === 'P' ? owners : wiresOf(owns)
    return this.#transmit(group ? 'group' : 'unique', source, destination, data, to, port)
  }

  /** Sends to every node on the wire. */
  broadcast(source: NetbiosName, data: Buffer): Promise<number> {
    const { owns, port } = this.#options
    return this.#transmit('broadcast', source, { ...ALL_NODES, scope: source.scope }, data, wiresOf(owns), port)
  }

  close(): Promise<void> {
    this.#listeners.clear()
    return this.#options.endpoint.close()
  }

  async #transmit(
    kind: DataDatagram['kind'],
    source: NetbiosName,
    destination: NetbiosName,
    data: Buffer,
    to: readonly string[],
    port: number,
  ): Promise<number> {
    const id = (this.#id = (this.#id + 1) & 0xffff)
    const packets = fragments({ ...this.#head(id), kind, offset: 0, source, destination, data }).map(packet => encode(datagramPacket, packet))
    for (const address of to) for (const bytes of packets) await this.#options.endpoint.send(bytes, { address, port })
    return id
  }

  #head(id: number): Omit<Extract<DatagramPacket, { readonly kind: 'error' }>, 'kind' | 'code'> {
    const { endpoint, owns, network } = this.#options
    const sourceType = network.nodeType === 'H' ? 'M' : network.nodeType
    return { more: false, first: true, sourceType, id, address: owns[0].address, port: endpoint.local.port }
  }

  #receive(bytes: Buffer, from: Peer): void {
    let packet: DatagramPacket
    try {
      packet = decode(datagramPacket, bytes)
    } catch (thrown) {
      if (!(thrown instanceof WireError)) throw thrown
      this.ignored.malformed++
      return
    }
    if (packet.kind === 'error') {
      const { id, code } = packet
      return this.onError({ id, code, meaning: DATAGRAM_ERRORS.get(code) ?? `code 0x${code.toString(16)}`, from })
    }
    if (!('data' in packet)) return // we are no distribution server
    this.#deliver(packet, from)
  }

  #deliver(packet: DataDatagram, from: Peer): void {
    const { owns, endpoint, table } = this.#options
    if (packet.kind === 'broadcast') {
      if (owns.some(own => own.address === from.address) && from.port === endpoint.local.port) return // our own
      const whole = this.#reassembly.add(packet, from)
      if (whole !== undefined) this.#hand(nameKey({ ...ALL_NODES, scope: packet.destination.scope }), whole, from)
      return
    }
    if (table.find(packet.destination)?.isOpen !== true) {
      this.ignored.undelivered++
      // only what was meant for us alone is answered: RFC 1002 section 5.3.3
      if (packet.kind === 'unique' && packet.first) {
        const error: DatagramPacket = { ...this.#head(packet.id), kind: 'error', code: 0x82 }
        void endpoint.send(encode(datagramPacket, error), from).catch(() => {})
      }
      return
    }
    const whole = this.#reassembly.add(packet, from)
    if (whole === undefined) return
    table.datagram(packet.destination)
    this.#hand(nameKey(packet.destination), whole, from)
  }

  #hand(key: string, { kind, source, destination, data }: DataDatagram, from: Peer): void {
    const listeners = this.#listeners.get(key)
    if (listeners === undefined) this.ignored.undelivered++
    else for (const listener of listeners) listener({ kind, source, destination, data, from })
  }
}

/** Cut so that each fits the smallest packet that everybody must take. RFC 1002 section 5.3.1. */
export function fragments(whole: DataDatagram): readonly DataDatagram[] {
  const { data, source, destination } = whole
  if (data.length > LONGEST_DATA) throw new NbtrunError('USAGE', `datagram of ${data.length} bytes to ${spellName(destination)}: ${LONGEST_DATA} are possible`)
  const room = LONGEST_PACKET - HEADER - encode(netbiosName, source).length - encode(netbiosName, destination).length
  const packets: DataDatagram[] = []
  for (let offset = 0; offset === 0 || offset < data.length; offset += room) {
    const part = data.subarray(offset, offset + room)
    packets.push({ ...whole, offset, first: offset === 0, more: offset + part.length < data.length, data: part })
  }
  return packets
}
