import { NbtrunError } from '../base/errors.ts'
import { DatagramService } from './datagrams.ts'
import { addressTowards, type Endpoint, type Interface, interfaces, openUdp, wiresOf } from './endpoint.ts'
import { NameExchange } from './exchange.ts'
import { HeldName } from './held-name.ts'
import { SessionListener } from './listener.ts'
import { DEFAULT_TTL, releaseRequest } from './name-messages.ts'
import type { NodeType } from './name-packets.ts'
import { type NameEntry, NameTable, type NameView } from './name-table.ts'
import { type NetbiosName, spellName } from './names.ts'
import { type NbtPorts, PORTS } from './ports.ts'
import { askStatus, lookUpName, type NameLookup, type NameNetwork, type NodeStatus } from './queries.ts'
import { registerMore, registerName, type WireClaim } from './registrations.ts'
import { respond } from './responder.ts'
import { type NameTimes, RFC_TIMES } from './times.ts'

export interface NodeOptions {
  /** Name servers, the first one first. */
  readonly wins?: readonly string[] | undefined
  /** H with name servers, B without, unless told. */
  readonly nodeType?: NodeType | undefined
  /** The address under which this node is found. Unless told all of this machine's, first the kernel's choice towards the name server. */
  readonly own?: Interface | undefined
  /** Further addresses of it. */
  readonly others?: readonly Interface[] | undefined
  /** Bind to `own` alone instead of to every address of this machine. */
  readonly bindOwn?: boolean | undefined
  readonly ports?: Partial<NbtPorts> | undefined
  readonly times?: Partial<NameTimes> | undefined
  /** Seconds that a name server is asked to keep a name. */
  readonly ttl?: number | undefined
  /** Which services, beside the name service, are wanted; each rejects with PORT_UNAVAILABLE when it cannot be had, unless it is for `if free`. */
  readonly datagrams?: boolean | undefined
  readonly sessions?: boolean | 'if free' | undefined
  /** UDP ports of the caller's making, instead of sockets. */
  readonly endpoints?: { readonly name: Endpoint; readonly datagram?: Endpoint | undefined } | undefined
  /** The name service's socket, bound by somebody else: its descriptor. */
  readonly nameSocket?: number | undefined
  /** Where the own name service port is another one than the others', `0` for any: names are claimed from it at name servers only, and nobody defends them. */
  readonly undefended?: boolean | undefined
  readonly table?: NameTable | undefined
}

/** Whether a name is one host's or many hosts'. */
export interface RegisterOptions {
  readonly group?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** A NetBIOS end node: finds, holds and defends names, takes sessions and datagrams. RFC 1001 section 10. Its owner closes it. */
export class EndNode {
  readonly table: NameTable
  readonly network: NameNetwork
  /** Under which this node is found, the first one first. */
  readonly owns: readonly [Interface, ...Interface[]]
  readonly sessions: SessionListener | undefined
  readonly datagrams: DatagramService | undefined
  /** Whether others can ask this node for its names. */
  readonly isDefended: boolean
  readonly #ttl: number
  readonly #held = new Set<HeldName>()
  readonly #claiming = new Map<Promise<HeldName>, AbortController>()
  #closed: Promise<void> | undefined

  private constructor(parts: Pick<EndNode, 'table' | 'network' | 'owns' | 'sessions' | 'datagrams' | 'isDefended'>, ttl: number) {
    this.table = parts.table
    this.network = parts.network
    this.owns = parts.owns
    this.sessions = parts.sessions
    this.datagrams = parts.datagrams
    this.isDefended = parts.isDefended
    this.#ttl = ttl
    const node = { network: this.network, table: this.table, owns: this.owns, onLost: (entry: NameEntry, by: string) => this.#lose(entry, by) }
    this.network.exchange.onDemand = (packet, from) => respond(node, packet, from)
  }

  /** Rejects with PORT_UNAVAILABLE or CONNECT_FAILED (no way to the name server); nothing is left bound then. */
  static async open(options: NodeOptions = {}): Promise<EndNode> {
    const { wins = [], undefended = false, endpoints } = options
    const ports = { ...PORTS, ...options.ports }
    const owns = await ownInterfaces(options)
    const [own] = owns
    const nodeType = undefended ? 'P' : (options.nodeType ?? (wins.length > 0 ? 'H' : 'B'))
    const at = options.bindOwn === true ? { address: own.address, broadcast: own.broadcast } : {}
    const undo: (() => Promise<void>)[] = []
    try {
      const exchange = new NameExchange(
        endpoints?.name ?? (await openUdp(undefended ? { port: 0 } : { ...at, port: ports.name, descriptor: options.nameSocket })),
      )
      undo.push(() => exchange.close())
      const table = options.table ?? new NameTable()
      const times = { ...RFC_TIMES, ...options.times }
      const network = { exchange, port: ports.name, broadcasts: nodeType === 'P' ? [] : wiresOf(owns), wins, nodeType, times, tellsConflicts: true }
      let datagrams: DatagramService | undefined
      if (options.datagrams === true) {
        const endpoint = endpoints?.datagram ?? (await openUdp({ ...at, port: ports.datagram }))
        undo.push(() => endpoint.close())
        datagrams = new DatagramService({ endpoint, port: ports.datagram, owns, network, table })
      }
      const listen = { table, address: options.bindOwn === true ? own.address : undefined, port: ports.session }
      const sessions = (options.sessions ?? false) === false ? undefined : await SessionListener.open(listen).catch(unlessFree(options.sessions))
      return new EndNode({ table, network, owns, sessions, datagrams, isDefended: !undefended }, options.ttl ?? DEFAULT_TTL)
    } catch (thrown) {
      for (const each of undo.reverse()) await each()
      throw thrown
    }
  }

  /**
   * Claims a name; it is ours, refreshed and defended until it is released. A name of ours that is just being given back is waited for. Rejects with NAME_HELD,
   * TIMED_OUT (no name server answers), SERVER_REFUSED, CLOSED or the signal's reason.
   */
  async register(name: NetbiosName, { group = false, signal }: RegisterOptions = {}): Promise<HeldName> {
    if (this.#closed !== undefined) throw new NbtrunError('CLOSED', 'the node is closed')
    const there = this.table.find(name)
    if (there?.state === 'releasing' && there.references.length === 0) await there.gone
    signal?.throwIfAborted()
    const entry = this.table.add(name, group)
    const stop = new AbortController()
    const work = this.#claim(entry, stop, signal)
    this.#claiming.set(work, stop)
    return work.finally(() => this.#claiming.delete(work))
  }

  async #claim(entry: NameEntry, stop: AbortController, signal: AbortSignal | undefined): Promise<HeldName> {
    const { name, group } = entry
    const { nodeType } = this.network
    const claimOf = ({ address, broadcast }: Interface): WireClaim => ({ name, owner: { group, nodeType, address }, ttl: this.#ttl, broadcast })
    const [first, ...rest] = this.owns
    const claim = claimOf(first)
    const more = rest.map(claimOf)
    const follow = (): void => stop.abort(signal?.reason)
    signal?.addEventListener('abort', follow, { once: true })
    try {
      const registration = await registerName(this.network, [claim, ...more], stop.signal)
      stop.signal.throwIfAborted()
      entry.activate(registration) // the name server asks us before it adds an address
      const { server } = registration
      const added = server === undefined ? more : await registerMore(this.network, server, more, stop.signal)
      const held = new HeldName({ entry, claims: [claim, ...added], network: this.network, registration, onGone: () => this.#held.delete(held) })
      this.#held.add(held)
      return held
    } catch (thrown) {
      // the name server may have said yes to somebody who no longer listens
      if (stop.signal.aborted) await this.#tellReleased([claim, ...more])
      entry.free()
      throw thrown
    } finally {
      signal?.removeEventListener('abort', follow)
    }
  }

  async #tellReleased(claims: readonly WireClaim[]): Promise<void> {
    const { exchange, wins, port } = this.network
    for (const address of wins) for (const claim of claims) await exchange.tell(releaseRequest(exchange.newId(), claim, false), { address, port })
  }

  lookUp(name: NetbiosName, signal?: AbortSignal): Promise<NameLookup> {
    return lookUpName(this.network, name, signal)
  }

  status(address: string, signal?: AbortSignal): Promise<NodeStatus | undefined> {
    return askStatus(this.network, address, undefined, signal)
  }

  /** The name table, for people who look for what holds a name. */
  view(): readonly NameView[] {
    return this.table.view()
  }

  /** Ends sessions and datagrams, gives every name back, and closes. The signal cuts the giving back short. Never rejects. */
  close(signal?: AbortSignal): Promise<void> {
    return (this.#closed ??= this.#close(signal))
  }

  async #close(signal: AbortSignal | undefined): Promise<void> {
    for (const stop of this.#claiming.values()) stop.abort(new NbtrunError('CLOSED', 'the node is closed'))
    await Promise.allSettled(this.#claiming.keys())
    await this.sessions?.close() // the sessions hold names
    await this.datagrams?.close()
    for (const { entry } of this.#held) entry.dropReferences()
    await Promise.all([...this.#held].map(held => held.release(signal)))
    await this.network.exchange.close()
  }

  #lose(entry: NameEntry, by: string): void {
    for (const held of this.#held) if (held.entry === entry) held.lose(`${spellName(entry.name)} was taken away by ${by}`)
  }
}

function unlessFree(wanted: NodeOptions['sessions']): (thrown: unknown) => undefined {
  return thrown => {
    if (wanted !== 'if free' || !(thrown instanceof NbtrunError && thrown.code === 'PORT_UNAVAILABLE')) throw thrown
  }
}

/** Nobody needs to find a host under more. */
const MOST_ADDRESSES = 32

/** The addresses of this node: the interface that packets to the name server leave by, then, where it may answer for them, the others. */
async function ownInterfaces({ own, others, wins = [], bindOwn, undefended }: NodeOptions): Promise<readonly [Interface, ...Interface[]]> {
  if (own !== undefined) return [own, ...(others ?? [])]
  const [server] = wins
  const all = interfaces()
  const address = server === undefined ? all[0].address : await addressTowards(server)
  const first = all.find(each => each.address === address) ?? { address, netmask: '255.0.0.0', broadcast: '127.255.255.255' }
  // what nobody answers for a name server does not add
  if (bindOwn === true || undefended === true) return [first]
  return [first, ...(others ?? all.filter(each => each !== first))].slice(0, MOST_ADDRESSES) as [Interface, ...Interface[]]
}
