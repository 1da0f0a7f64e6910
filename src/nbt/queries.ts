import { asError, NbtrunError } from '../base/errors.ts'
import { type Deferred, deferred, pause } from '../base/time.ts'
import type { Peer } from './endpoint.ts'
import type { NameExchange } from './exchange.ts'
import { conflictDemand, queryRequest, statusRequest } from './name-messages.ts'
import { type NamePacket, type NbAddress, type NodeType, OPCODE, RCODE, type RecordData, type StatusName } from './name-packets.ts'
import { ANY_NAME, nameKey, type NetbiosName, spellName, SUFFIX } from './names.ts'
import type { NameTimes } from './times.ts'

/** Where a node's packets go, and how patient it is. */
export interface NameNetwork {
  readonly exchange: NameExchange
  /** The port of name servers and nodes: 137. */
  readonly port: number
  /** Where broadcasts go. */
  readonly broadcasts: readonly string[]
  /** Name servers, the first one first. */
  readonly wins: readonly string[]
  readonly nodeType: NodeType
  readonly times: NameTimes
  /** Whether a second owner of a unique name is sent a conflict demand, as RFC 1002 section 5.1.1.6 has it. For nodes that stay; a mere look changes nothing. */
  readonly tellsConflicts: boolean
}

/** Who was asked for a name, and what became of it. */
export interface NameAttempt {
  readonly way: 'wins' | 'broadcast'
  /** The name server; the broadcast addresses. */
  readonly to: string
  readonly outcome: 'found' | 'no such name' | 'no answer' | `redirected to ${string}` | `failed: ${string}`
}

export interface FoundName {
  readonly name: NetbiosName
  readonly group: boolean
  /** Every owner, without repetitions. */
  readonly owners: readonly NbAddress[]
  /** Seconds the answer holds; 0: without end. */
  readonly ttl: number
  readonly by: 'wins' | 'broadcast'
  /** Who answered. */
  readonly from: string
}

export interface NameLookup {
  readonly found: FoundName | undefined
  readonly attempts: readonly NameAttempt[]
}

/** In which order each type of node asks. RFC 1001 section 10; H is Microsoft's. */
const WAYS: Readonly<Record<NodeType, readonly ('wins' | 'broadcast')[]>> = {
  B: ['broadcast'],
  P: ['wins'],
  M: ['broadcast', 'wins'],
  H: ['wins', 'broadcast'],
}

/** Looks a name up as this type of node does. Rejects with the signal's reason and CLOSED only. */
export async function lookUpName(network: NameNetwork, name: NetbiosName, signal?: AbortSignal): Promise<NameLookup> {
  const attempts: NameAttempt[] = []
  for (const way of WAYS[network.nodeType]) {
    // name servers one after the other, all wires at once
    const all = way === 'wins' ? [...network.wins] : network.broadcasts.length === 0 ? [] : [network.broadcasts.join(' ')]
    for (let i = 0; i < all.length; i++) {
      const to = all[i]!
      try {
        const found = await (way === 'wins' ? askServer(network, to, name, signal) : queryBroadcast(network, name, signal))
        attempts.push({ way, to, outcome: outcomeOf(found) })
        if (typeof found !== 'object') continue
        if (!('redirect' in found)) return { found, attempts }
        // who was named is asked next, in the place of its own where it has one; nobody is asked twice
        const later = all.indexOf(found.redirect, i + 1)
        if (later >= 0) all.splice(later, 1)
        if (!all.includes(found.redirect) && all.length < network.wins.length + MOST_REDIRECTS) all.splice(i + 1, 0, found.redirect)
      } catch (thrown) {
        signal?.throwIfAborted()
        if (thrown instanceof NbtrunError && thrown.code === 'CLOSED') throw thrown
        attempts.push({ way, to, outcome: `failed: ${asError(thrown).message}` })
      }
    }
  }
  return { found: undefined, attempts }
}

const NEGATIVE = Symbol('negative')

/** The name server does not know itself, and names another one. RFC 1002 section 4.2.15. */
interface Redirect {
  readonly redirect: string
}

/** Servers beyond those that were configured, for one name. */
const MOST_REDIRECTS = 4

function outcomeOf(found: FoundName | Redirect | typeof NEGATIVE | undefined): NameAttempt['outcome'] {
  if (found === undefined) return 'no answer'
  if (found === NEGATIVE) return 'no such name'
  return 'redirect' in found ? `redirected to ${found.redirect}` : 'found'
}

const isPositive = (response: NamePacket): boolean => response.rcode === RCODE.OK

const addressesIn = (data: RecordData | undefined): readonly NbAddress[] => (data?.kind === 'addresses' ? data.addresses : [])

/** Asks one name server, or, as a check, one node: for what it knows itself. RFC 1002 section 5.1.2.2. */
export async function queryServer(
  network: NameNetwork,
  address: string,
  name: NetbiosName,
  signal?: AbortSignal,
): Promise<FoundName | typeof NEGATIVE | undefined> {
  const answer = await askServer(network, address, name, signal)
  return typeof answer === 'object' && 'redirect' in answer ? undefined : answer
}

function askServer(
  { exchange, port, times }: NameNetwork,
  address: string,
  name: NetbiosName,
  signal?: AbortSignal,
): Promise<FoundName | Redirect | typeof NEGATIVE | undefined> {
  return exchange.ask<FoundName | Redirect | typeof NEGATIVE>({
    packet: id => queryRequest(id, name, false),
    to: [{ address, port }],
    broadcast: false,
    tries: times.unicastTries,
    everyMs: times.unicastMs,
    signal,
    take: (response, from) => {
      const patience = wackOf(response, times)
      if (patience !== undefined) return patience
      if (!isPositive(response)) return { result: NEGATIVE }
      const redirect = redirectIn(response, name)
      if (redirect !== undefined) return { result: { redirect } }
      const owners = addressesIn(response.answer?.data)
      const [owner] = owners
      return owner === undefined
        ? undefined
        : { result: { name, group: owner.group, owners, ttl: response.answer?.ttl ?? 0, by: 'wins', from: from.address } as const }
    },
  })
}

/** Where a redirect leads: the address of the name server that is named for the name. */
function redirectIn({ answer, authority, additional }: NamePacket, name: NetbiosName): string | undefined {
  if (answer !== undefined || authority?.data.kind !== 'server' || additional?.data.kind !== 'server address') return undefined
  if (nameKey(authority.name) !== nameKey(name) || nameKey(additional.name) !== nameKey(authority.data.server)) return undefined
  const { address } = additional.data
  const first = Number(address.split('.', 1)[0])
  return first === 0 || first >= FIRST_MULTICAST ? undefined : address // one that nobody can have leads nowhere
}

/** 224.0.0.0 and above: many, all, or nobody. */
const FIRST_MULTICAST = 224

/** ms to wait when the response is a wait acknowledgement. RFC 1002 section 4.2.16. */
export function wackOf(response: NamePacket, { wackLeastMs, wackMostMs }: NameTimes): number | undefined {
  if (response.opcode !== OPCODE.WACK) return undefined
  return Math.min(Math.max((response.answer?.ttl ?? 0) * 1000, wackLeastMs), wackMostMs)
}

/**
 * Asks everybody. A unique name is its first owner's; a second owner, heard within the conflict time, is told so (RFC 1002 section 5.1.1.6), which goes on
 * after the result. The owners of a group are gathered for as long as one try lasts.
 */
async function queryBroadcast(
  { exchange, port, broadcasts, times, tellsConflicts }: NameNetwork,
  name: NetbiosName,
  signal: AbortSignal | undefined,
): Promise<FoundName | undefined> {
  const owners = new Map<string, NbAddress>()
  const first: Deferred<FoundName> = deferred()
  let settled: { readonly from: Peer; readonly group: boolean } | undefined
  const listen = (response: NamePacket, from: Peer): void => {
    const answered = isPositive(response) ? addressesIn(response.answer?.data) : []
    const [owner] = answered
    if (owner === undefined) return
    if (settled === undefined) {
      settled = { from, group: owner.group }
      first.resolve({ name, group: owner.group, owners: [], ttl: response.answer?.ttl ?? 0, by: 'broadcast', from: from.address })
    } else if (!settled.group && !answered.some(each => owners.has(each.address))) {
      // several answers from one host are its several interfaces
      if (tellsConflicts && from.address !== settled.from.address) void exchange.tell(conflictDemand(exchange.newId(), name, owner), from)
      return
    }
    for (const each of answered) if (owners.size < MOST_OWNERS) owners.set(each.address, each)
  }
  const stop = new AbortController()
  const follow = (): void => stop.abort(signal?.reason)
  signal?.throwIfAborted()
  signal?.addEventListener('abort', follow, { once: true })
  const asking = exchange.ask<never>({
    packet: id => queryRequest(id, name, true),
    to: broadcasts.map(address => ({ address, port })),
    broadcast: true,
    tries: times.broadcastTries,
    everyMs: times.broadcastMs,
    signal: stop.signal,
    // the first answer ends the sending; the ear stays open
    take: (response, from) => {
      listen(response, from)
      return settled === undefined ? undefined : times.conflictMs
    },
  })
  try {
    const found = await Promise.race([first.promise, asking])
    if (found === undefined) return undefined
    asking.catch(() => {}) // goes on listening for a conflict, or is ended with the exchange
    if (found.group) await pause(times.broadcastMs, signal)
    signal?.throwIfAborted()
    return { ...found, owners: [...owners.values()] }
  } finally {
    signal?.removeEventListener('abort', follow)
  }
}

/** A group may have any number of owners; nobody needs to remember more. */
const MOST_OWNERS = 256

/** What a node says of itself. RFC 1002 section 4.2.18. */
export interface NodeStatus {
  readonly names: readonly StatusName[]
  /** The network card's address, `00:0c:29:0d:06:56`; zeros where the node does not tell (Samba). */
  readonly unitId: string
  /** The list is longer than one packet. */
  readonly truncated: boolean
}

/** Asks one node for its names; undefined when it does not answer. Rejects with CONNECT_FAILED, CLOSED or the signal's reason. */
export async function askStatus(
  { exchange, port, times }: NameNetwork,
  address: string,
  name: NetbiosName = ANY_NAME,
  signal?: AbortSignal,
): Promise<NodeStatus | undefined> {
  return exchange.ask({
    packet: id => statusRequest(id, name),
    to: [{ address, port }],
    broadcast: false,
    tries: times.statusTries,
    everyMs: times.statusMs,
    signal,
    take: response => {
      const data = response.answer?.data
      return data?.kind === 'status' ? { result: { names: data.names, unitId: data.unitId, truncated: response.truncated } } : undefined
    },
  })
}

/** The name under which a node's file server is called: its first unique, active `<20>`. */
export function serverNameIn({ names }: NodeStatus): NetbiosName | undefined {
  return names.find(({ name, group, active, conflict }) => name.suffix === SUFFIX.SERVER && !group && active && !conflict)?.name
}

/** What was tried, in one line for an error. */
export function spellAttempts(name: NetbiosName, attempts: readonly NameAttempt[]): string {
  const tried = attempts.map(({ way, to, outcome }) => `${way} ${to}: ${outcome}`).join(', ')
  return `${spellName(name)} not found (${tried === '' ? 'nobody was asked' : tried})`
}
