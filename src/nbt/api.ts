import { NbtrunError } from '../base/errors.ts'
import { spell } from '../base/time.ts'
import { interfaces, openUdp, wiresOf } from './endpoint.ts'
import { NameExchange } from './exchange.ts'
import { type ByAddress, type Called, climb } from './ladder.ts'
import type { NodeType } from './name-packets.ts'
import { type NetbiosName, parseName, SUFFIX } from './names.ts'
import { type NbtPorts, PORTS } from './ports.ts'
import { askStatus, type FoundName, lookUpName, type NameNetwork, type NodeStatus, spellAttempts } from './queries.ts'
import { type NameTimes, RFC_TIMES } from './times.ts'

/** What every call may be told. */
export interface NbtOptions {
  /** Name servers, the first one first. */
  readonly wins?: readonly string[] | undefined
  /** H with name servers, B without, unless told. */
  readonly nodeType?: NodeType | undefined
  readonly scope?: string | undefined
  readonly ports?: Partial<NbtPorts> | undefined
  readonly times?: Partial<NameTimes> | undefined
  /** Where broadcasts go; every interface unless told. */
  readonly broadcasts?: readonly string[] | undefined
  readonly signal?: AbortSignal | undefined
}

/** Runs `work` with a name service port of its own, closed afterwards. */
export async function withNames<T>(options: NbtOptions, work: (network: NameNetwork) => Promise<T>, port = 0): Promise<T> {
  const { wins = [], times, broadcasts = wiresOf(interfaces()) } = options
  const exchange = new NameExchange(await openUdp({ port }))
  try {
    const nodeType = options.nodeType ?? (wins.length > 0 ? 'H' : 'B')
    const own = { exchange, wins, broadcasts, nodeType, tellsConflicts: false }
    return await work({ ...own, port: options.ports?.name ?? PORTS.name, times: { ...RFC_TIMES, ...times } })
  } finally {
    await exchange.close()
  }
}

/**
 * The names of a node, as nbtstat -A shows them. Asked from port 137 where that can be had, since old Windows answers to no other. Rejects with TIMED_OUT when
 * it does not answer, CONNECT_FAILED, or the signal's reason.
 */
export async function nodeStatus(address: string, options: NbtOptions = {}): Promise<NodeStatus> {
  const times = { ...RFC_TIMES, ...options.times }
  const status = await askFromLowPort(address, options)
  if (status !== undefined) return status
  throw new NbtrunError('TIMED_OUT', `no node status from ${address} within ${spell(times.statusTries * times.statusMs)}`, {
    hint: 'it may have no NetBIOS over TCP/IP, or a firewall closes UDP port 137',
  })
}

async function askFromLowPort(address: string, options: NbtOptions): Promise<NodeStatus | undefined> {
  const ask = (network: NameNetwork): Promise<NodeStatus | undefined> => askStatus(network, address, undefined, options.signal)
  try {
    return await withNames(options, ask, options.ports?.name ?? PORTS.name)
  } catch (thrown) {
    if (!(thrown instanceof NbtrunError && thrown.code === 'PORT_UNAVAILABLE')) throw thrown
    return withNames(options, ask)
  }
}

/** Who has a name: `SRV`, `SRV#20` (20 unless told). Rejects with HOST_NOT_FOUND, naming all who were asked, USAGE, or the signal's reason. */
export async function query(name: string | NetbiosName, options: NbtOptions = {}): Promise<FoundName> {
  const wanted = nameOf(name, options)
  const { found, attempts } = await withNames(options, network => lookUpName(network, wanted, options.signal))
  if (found !== undefined) return found
  throw new NbtrunError('HOST_NOT_FOUND', spellAttempts(wanted, attempts))
}

const nameOf = (name: string | NetbiosName, { scope }: NbtOptions): NetbiosName => (typeof name === 'string' ? parseName(name, SUFFIX.SERVER, scope) : name)

export interface CallOptions extends NbtOptions {
  /** Where the server is. */
  readonly address: string
  /** What the user calls it: decides which names are tried; the address unless told. */
  readonly host?: string | undefined
  /** The one name to call. */
  readonly calledName?: string | undefined
  readonly callingName?: string | undefined
  readonly byAddress?: ByAddress | undefined
  /** For everything; 10 s unless told. */
  readonly timeoutMs?: number | undefined
}

/**
 * Calls a server on port 139 until it takes a name: that of `host`, `*SMBSERVER`, the one its node status gives. Rejects with CALLED_NAME_REFUSED, naming each
 * attempt, CONNECT_FAILED, CONNECTION_LOST, TIMED_OUT, WIRE, USAGE or the signal's reason.
 */
export function call({ timeoutMs = 10_000, ...options }: CallOptions): Promise<Called> {
  const { address, host = address, ports } = options
  return climb({ ...options, host, port: ports?.session ?? PORTS.session, timeoutMs, status: statusFor(options) })
}

/** How `climb` asks for a node status. */
export function statusFor(options: NbtOptions): (address: string, signal: AbortSignal) => Promise<NodeStatus | undefined> {
  return (address, signal) => askFromLowPort(address, { ...options, signal })
}
