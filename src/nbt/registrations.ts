import { asError, NbtrunError } from '../base/errors.ts'
import { pause } from '../base/time.ts'
import type { Peer } from './endpoint.ts'
import { type Claim, multihomedRequest, overwriteDemand, refreshRequest, registrationRequest, releaseRequest } from './name-messages.ts'
import { type NamePacket, type NodeType, RCODE, RCODES } from './name-packets.ts'
import { spellName } from './names.ts'
import { type NameNetwork, queryServer, wackOf } from './queries.ts'

/** A name that is ours, and who knows it. */
export interface Registration {
  /** The name server that wrote it down. */
  readonly server: string | undefined
  /** Whether it was claimed by broadcast. */
  readonly broadcast: boolean
  /** Seconds until the name server forgets it; 0: never. */
  readonly ttl: number
}

/** A claim for one address of this host, and the wire on which others find it there. */
export interface WireClaim extends Claim {
  readonly broadcast?: string | undefined
}

type Where = 'wins' | 'broadcast'

/** How each type of node claims a name: all of these, or, H, the first that is there. RFC 1001 sections 10.1 to 10.3. */
const WAYS: Readonly<Record<NodeType, readonly Where[]>> = { B: ['broadcast'], P: ['wins'], M: ['broadcast', 'wins'], H: ['wins', 'broadcast'] }

/**
 * Claims a name as this type of node does: on each wire for the address there, at a name server for the first address, to which `registerMore` adds the others. Rejects with NAME_HELD (`facts.name`, `facts.by`: the address of its owner, where it is known), TIMED_OUT when no
 * name server answered, SERVER_REFUSED, CONNECT_FAILED, CLOSED or the signal's reason.
 */
export async function registerName(network: NameNetwork, claims: readonly [WireClaim, ...WireClaim[]], signal?: AbortSignal): Promise<Registration> {
  const { nodeType } = network
  const [claim, ...more] = claims
  let done: Registration = { server: undefined, broadcast: false, ttl: 0 }
  for (const way of WAYS[nodeType]) {
    if (way === 'broadcast') {
      if (nodeType === 'H' && network.broadcasts.length === 0) continue
      await claimByBroadcast(network, claims, signal)
      done = { ...done, broadcast: true }
      continue
    }
    if (nodeType === 'H' && network.wins.length === 0) continue
    try {
      const { server, ttl } = await claimAtServers(network, claim, more.length > 0, signal)
      done = { ...done, server, ttl }
      if (nodeType === 'H') return done
    } catch (thrown) {
      // an H node without its name server is a B node; one that the name server refused is not
      const unheard = thrown instanceof NbtrunError && (thrown.code === 'TIMED_OUT' || thrown.code === 'CONNECT_FAILED')
      if (signal?.aborted === true || nodeType !== 'H' || !unheard || network.broadcasts.length === 0) throw thrown
    }
  }
  if (done.server === undefined && !done.broadcast) {
    throw new NbtrunError('USAGE', `${spellName(claim.name)} cannot be registered: no name server and no broadcast address is known`)
  }
  return done
}

/** Claims, and when nobody objects takes it: three requests and a demand. RFC 1002 section 5.1.1.1. */
async function claimByBroadcast(network: NameNetwork, claims: readonly [WireClaim, ...WireClaim[]], signal: AbortSignal | undefined): Promise<void> {
  const { exchange, port, broadcasts, times } = network
  const wires = broadcasts.map(address => ({ to: { address, port }, claim: onWire(claims, address) }))
  const stop = new AbortController()
  const follow = (): void => stop.abort(signal?.reason)
  signal?.throwIfAborted()
  signal?.addEventListener('abort', follow, { once: true })
  const ask = async ({ to, claim }: (typeof wires)[number]): Promise<void> => {
    const objection = await exchange.ask({
      packet: id => registrationRequest(id, claim, true),
      to: [to],
      broadcast: true,
      tries: times.broadcastTries,
      everyMs: times.broadcastMs,
      signal: stop.signal,
      take: (response, from) => (OBJECTIONS.has(response.rcode) ? { result: from } : undefined),
    })
    if (objection !== undefined) throw held(claim, objection.address)
  }
  try {
    await Promise.all(wires.map(ask))
  } finally {
    signal?.removeEventListener('abort', follow)
    stop.abort(new NbtrunError('CLOSED', 'the name is held on another wire'))
  }
  for (const { to, claim } of wires) await exchange.tell(overwriteDemand(exchange.newId(), claim, true), to)
}

/** The claim for the address that this host has on a wire. */
const onWire = <T extends Omit<WireClaim, 'ttl'>>(claims: readonly [T, ...T[]], broadcast: string): T =>
  claims.find(claim => claim.broadcast === broadcast) ?? claims[0]

/**
 * Adds the further addresses of a host to a name that a name server has for its first one; the node must answer for the name, and for all of them, by now.
 * Resolves to those that were taken: a name server that knows no such thing leaves the name its first address. Rejects with the signal's reason only.
 */
export async function registerMore(network: NameNetwork, server: string, more: readonly WireClaim[], signal?: AbortSignal): Promise<readonly WireClaim[]> {
  const taken: WireClaim[] = []
  for (const claim of more) {
    try {
      const { rcode } = await askServer(network, server, id => multihomedRequest(id, claim), signal)
      if (rcode === RCODE.OK) taken.push(claim)
    } catch {
      signal?.throwIfAborted()
    }
  }
  return taken
}

const OBJECTIONS: ReadonlySet<number> = new Set([RCODE.ACTIVE, RCODE.CONFLICT, RCODE.REFUSED])

/** Each name server in turn until one answers. */
async function claimAtServers(
  network: NameNetwork,
  claim: Claim,
  multihomed: boolean,
  signal: AbortSignal | undefined,
): Promise<{ server: string; ttl: number }> {
  const failures: string[] = []
  let last: unknown
  for (const server of network.wins) {
    try {
      return { server, ttl: await claimAt(network, server, claim, multihomed, signal) }
    } catch (thrown) {
      signal?.throwIfAborted()
      if (!(thrown instanceof NbtrunError) || thrown.code === 'NAME_HELD' || thrown.code === 'CLOSED') throw thrown
      failures.push(`${server}: ${thrown.message}`)
      last = thrown
    }
  }
  if (network.wins.length === 0) throw new NbtrunError('USAGE', `${spellName(claim.name)} cannot be registered: no name server is known`)
  const code = last instanceof NbtrunError ? last.code : 'TIMED_OUT'
  throw new NbtrunError(code, `${spellName(claim.name)} not registered (${failures.join(', ')})`, { cause: last })
}

/** RFC 1002 section 5.1.2.1. Resolves to the seconds that the server keeps the name. */
async function claimAt(network: NameNetwork, server: string, claim: Claim, multihomed: boolean, signal: AbortSignal | undefined): Promise<number> {
  const request = (id: number): NamePacket => (multihomed ? multihomedRequest(id, claim) : registrationRequest(id, claim, false))
  const response = await askServer(network, server, request, signal)
  switch (response.rcode) {
    case RCODE.OK: {
      const owner = ownerIn(response)
      // the server leaves it to us to ask the present owner: RFC 1002 section 4.2.7
      if (owner !== undefined && owner !== claim.owner.address && !response.recursionAvailable) return challenge(network, server, owner, claim, signal)
      return response.answer?.ttl ?? 0
    }
    case RCODE.ACTIVE:
    case RCODE.CONFLICT:
    case RCODE.REFUSED: {
      const { found } = await whoHas(network, server, claim, signal)
      throw held(claim, found, response.rcode)
    }
    default:
      throw refusal(server, claim, response.rcode)
  }
}

async function askServer(
  { exchange, port, times }: NameNetwork,
  server: string,
  packet: (id: number) => NamePacket,
  signal: AbortSignal | undefined,
): Promise<NamePacket> {
  const response = await exchange.ask<NamePacket>({
    packet,
    to: [{ address: server, port }],
    broadcast: false,
    tries: times.unicastTries,
    everyMs: times.unicastMs,
    signal,
    take: answer => wackOf(answer, times) ?? { result: answer },
  })
  if (response === undefined) throw new NbtrunError('TIMED_OUT', `no answer from the name server ${server}`, { facts: { server } })
  return response
}

const ownerIn = ({ answer }: NamePacket): string | undefined => (answer?.data.kind === 'addresses' ? answer.data.addresses[0]?.address : undefined)

/** Asks the owner that the server believes in; when it no longer holds the name, overwrites it. RFC 1002 section 5.1.2.1, END-NODE CHALLENGE. */
async function challenge(network: NameNetwork, server: string, owner: string, claim: Claim, signal: AbortSignal | undefined): Promise<number> {
  const defended = await queryServer(network, owner, claim.name, signal)
  if (typeof defended === 'object') throw held(claim, owner)
  const response = await askServer(network, server, id => overwriteDemand(id, claim, false), signal)
  if (response.rcode !== RCODE.OK) throw refusal(server, claim, response.rcode)
  return response.answer?.ttl ?? 0
}

async function whoHas(network: NameNetwork, server: string, { name }: Claim, signal: AbortSignal | undefined): Promise<{ found: string | undefined }> {
  const quick = { ...network, times: { ...network.times, unicastTries: 1, unicastMs: Math.min(1000, network.times.unicastMs) } }
  const answer = await queryServer(quick, server, name, signal)
  return { found: typeof answer === 'object' ? answer.owners.map(({ address }) => address).join(', ') : undefined }
}

function held({ name }: Claim, by: string | undefined, rcode?: number): NbtrunError {
  const spelled = spellName(name)
  const who = by === undefined ? 'by another host' : `by ${by}`
  return new NbtrunError('NAME_HELD', `the name ${spelled} is held ${who}`, {
    hint: 'end the program that holds it there',
    facts: { name: spelled, ...(by === undefined ? {} : { by }), ...(rcode === undefined ? {} : { rcode }) },
  })
}

function refusal(server: string, { name }: Claim, rcode: number): NbtrunError {
  const why = RCODES.get(rcode) ?? `code ${rcode}`
  return new NbtrunError('SERVER_REFUSED', `the name server ${server} refused ${spellName(name)}: ${why}`, { facts: { server, rcode } })
}

/**
 * Tells the name server that the name is still in use. Resolves to the new life in seconds; `server` may answer as to a registration. Rejects with
 * NAME_HELD when it is no longer ours, TIMED_OUT and the like when it could not be asked. RFC 1002 section 5.1.2.6.
 */
export async function refreshAt(network: NameNetwork, server: string, claim: Claim, signal?: AbortSignal): Promise<number> {
  const response = await askServer(network, server, id => refreshRequest(id, claim), signal)
  if (response.rcode === RCODE.OK) return response.answer?.ttl ?? 0
  if (OBJECTIONS.has(response.rcode)) throw held(claim, undefined, response.rcode)
  throw refusal(server, claim, response.rcode)
}

/** How a name was given back: `released`, `not registered` (as good), or why not. */
export interface Released {
  readonly where: string
  readonly outcome: 'released' | 'not registered' | 'told' | `failed: ${string}`
}

/**
 * Gives a name back: each address to the name server, which answers, and by broadcast, to which nobody does. Each is tried, whatever became of the other. Rejects
 * with nothing. RFC 1002 sections 5.1.1.4 and 5.1.2.4.
 */
export async function releaseName(
  network: NameNetwork,
  claims: readonly [Omit<WireClaim, 'ttl'>, ...Omit<WireClaim, 'ttl'>[]],
  at: Registration,
  signal?: AbortSignal,
): Promise<readonly Released[]> {
  const byServer = async (server: string, claim: Omit<Claim, 'ttl'>): Promise<Released> => {
    try {
      const { rcode } = await askServer(network, server, id => releaseRequest(id, claim, false), signal)
      if (rcode === RCODE.OK) return { where: server, outcome: 'released' }
      if (rcode === RCODE.NAME) return { where: server, outcome: 'not registered' }
      return { where: server, outcome: `failed: ${RCODES.get(rcode) ?? `code ${rcode}`}` }
    } catch (thrown) {
      return { where: server, outcome: `failed: ${asError(thrown).message}` }
    }
  }
  const byBroadcast = async ({ address, port }: Peer): Promise<Released> => {
    const { exchange, times } = network
    for (let n = 0; n < times.broadcastTries && signal?.aborted !== true; n++) {
      if (n > 0) await pause(times.broadcastMs, signal)
      await exchange.tell(releaseRequest(exchange.newId(), onWire(claims, address), true), { address, port })
    }
    return { where: address, outcome: 'told' }
  }
  const { server } = at
  return Promise.all([
    ...(server === undefined ? [] : claims.map(claim => byServer(server, claim))),
    ...(at.broadcast ? network.broadcasts.map(address => byBroadcast({ address, port: network.port })) : []),
  ])
}
