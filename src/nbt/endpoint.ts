import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import { errnoOf, NbtrunError } from '../base/errors.ts'

export interface Peer {
  /** IPv4. */
  readonly address: string
  readonly port: number
}

export type Receiver = (bytes: Buffer, from: Peer) => void

/** A UDP port, as much of it as the name and the datagram service need. Its owner closes it. */
export interface Endpoint {
  /** Where it is bound; `0.0.0.0` for every address. */
  readonly local: Peer
  /** Rejects with the system's error (ENETUNREACH …); that nobody listens there is not told. */
  send(bytes: Buffer, to: Peer): Promise<void>
  /** One receiver at a time; packets without one are dropped. */
  receive(receiver: Receiver | undefined): void
  close(): Promise<void>
}

/** An IPv4 address of this machine and how all others on its wire are reached. */
export interface Interface {
  readonly address: string
  readonly netmask: string
  readonly broadcast: string
}

export function isOnWire({ netmask, broadcast }: Interface, address: string): boolean {
  return broadcastOf(address, netmask) === broadcast
}

/** The broadcast addresses of interfaces, each once. */
export const wiresOf = (some: readonly Interface[]): readonly string[] => [...new Set(some.map(({ broadcast }) => broadcast))]

/** Every interface with an IPv4 address, the loopback alone when there is no other. */
export function interfaces(): readonly [Interface, ...Interface[]] {
  const all = Object.values(networkInterfaces())
    .flatMap(lines => lines ?? [])
    .filter(line => line.family === 'IPv4')
  const [first, ...rest] = all.filter(line => !line.internal).map(({ address, netmask }) => ({ address, netmask, broadcast: broadcastOf(address, netmask) }))
  return [first ?? { address: '127.0.0.1', netmask: '255.0.0.0', broadcast: '127.255.255.255' }, ...rest]
}

export function broadcastOf(address: string, netmask: string): string {
  const mask = netmask.split('.').map(Number)
  return address
    .split('.')
    .map((part, i) => Number(part) | (~(mask[i] ?? 255) & 255))
    .join('.')
}

/** The address of this machine from which packets go to `address`: the kernel's choice, nothing is sent. */
export async function addressTowards(address: string): Promise<string> {
  const socket = createSocket('udp4')
  try {
    socket.connect(9, address)
    await once(socket, 'connect')
    return socket.address().address
  } catch (cause) {
    throw new NbtrunError('CONNECT_FAILED', `no way to ${address}: ${errnoOf(cause) ?? String(cause)}`, { cause })
  } finally {
    socket.close()
  }
}

export interface UdpOptions {
  /** Every address unless told. */
  readonly address?: string | undefined
  /** 0 for any free port. */
  readonly port: number
  /** A socket bound to one address gets no broadcasts: they come in on a second one, bound to this. */
  readonly broadcast?: string | undefined
  /** A socket that somebody else bound for this process, instead. */
  readonly descriptor?: number | undefined
}

/**
 * Binds a UDP port, never one that another socket has: a second responder on 137 would get half of the packets. Rejects with PORT_UNAVAILABLE
 * (`facts.port`, `facts.reason`, an errno).
 */
export async function openUdp({ address = '0.0.0.0', port, broadcast, descriptor }: UdpOptions): Promise<Endpoint> {
  const main = await bind(address, port, descriptor)
  const local = main.address()
  let second: Socket | undefined
  if (broadcast !== undefined && address !== '0.0.0.0') {
    try {
      second = await bind(broadcast, local.port)
    } catch (thrown) {
      await closed(main)
      throw thrown
    }
  }
  return new UdpEndpoint({ address: local.address, port: local.port }, main, second)
}

async function bind(address: string, port: number, fd?: number): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', reuseAddr: false })
  try {
    const listening = once(socket, 'listening') // of a descriptor that is told within the call
    if (fd === undefined) socket.bind({ address, port, exclusive: true })
    else socket.bind({ fd })
    await listening
    socket.setBroadcast(true)
  } catch (cause) {
    await closed(socket)
    const reason = errnoOf(cause) ?? 'unknown reason'
    throw new NbtrunError('PORT_UNAVAILABLE', `UDP port ${port} of ${address} cannot be bound (${reason})`, {
      cause,
      facts: { port, reason },
      ...(CURES[reason] === undefined ? {} : { hint: CURES[reason] }),
    })
  }
  socket.on('error', () => {}) // an ICMP error about one packet is nothing to end on
  return socket
}

const CURES: Readonly<Record<string, string>> = {
  EACCES:
    'let node bind low ports (setcap cap_net_bind_service=+ep on it, or sysctl net.ipv4.ip_unprivileged_port_start=137), hand the socket down (systemd: ListenDatagram=137), or register at a WINS server from another port',
  EADDRINUSE: 'another name service has it (nmbd, another nbtrun): end that one, or register at a WINS server from another port',
}

function closed(socket: Socket): Promise<void> {
  return new Promise(resolve => socket.close(() => resolve()))
}

class UdpEndpoint implements Endpoint {
  readonly local: Peer
  readonly #main: Socket
  readonly #sockets: readonly Socket[]
  #receiver: Receiver | undefined
  #closing: Promise<void> | undefined

  constructor(local: Peer, main: Socket, second: Socket | undefined) {
    this.local = local
    this.#main = main
    this.#sockets = second === undefined ? [main] : [main, second]
    for (const socket of this.#sockets) socket.on('message', (bytes, { address, port }) => this.#receiver?.(bytes, { address, port }))
  }

  send(bytes: Buffer, { address, port }: Peer): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(new NbtrunError('CLOSED', `UDP port ${this.local.port} is closed`))
    return new Promise((resolve, reject) => this.#main.send(bytes, port, address, error => (error === null ? resolve() : reject(error))))
  }

  receive(receiver: Receiver | undefined): void {
    this.#receiver = receiver
  }

  close(): Promise<void> {
    this.#receiver = undefined
    return (this.#closing ??= Promise.all(this.#sockets.map(closed)).then(() => {}))
  }
}
