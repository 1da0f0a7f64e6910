import { readFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { asError } from '../base/errors.ts'
import { withNames } from './api.ts'
import type { NodeType } from './name-packets.ts'
import type { NetbiosName } from './names.ts'
import type { NbtPorts } from './ports.ts'
import { type NameNetwork, queryServer } from './queries.ts'
import { releaseName } from './registrations.ts'
import { reserve } from './reserve.ts'

/** A name that a program of this machine registered, and did not give back. */
export interface LeftBehind {
  readonly name: NetbiosName
  /** Under which it was to be found. */
  readonly addresses: readonly string[]
  /** Where it was registered, or may be. */
  readonly wins: readonly string[]
  readonly nodeType: NodeType
}

/**
 * What became of it. `released`: the name servers in `by` let it go; `gone`: none has it for us, though one may have it for another host; `in use`: a program of
 * this machine holds it by now, which gives it back itself. Else it stays, because of `why`.
 */
export type Fate =
  | { readonly fate: 'released'; readonly by: readonly string[] }
  | { readonly fate: 'gone' | 'in use' }
  | { readonly fate: 'stays'; readonly why: string }

/** Nobody waits for this; a name server that is there answers in milliseconds. */
const TIMES = { unicastTries: 2, unicastMs: 750, wackLeastMs: 0, wackMostMs: 1500 }
const NEIGHBOUR = { unicastTries: 1, unicastMs: 500 }

/**
 * Gives back what a dead program left: at each name server that has the name for an address of this machine, and for those addresses alone; a name that another
 * host has by now is never touched. Takes 3.5 s at most (7 where a name server asks for patience), or until the signal aborts. Never rejects.
 */
export async function giveBackLeft(left: LeftBehind, signal: AbortSignal, ports: Partial<NbtPorts> = {}): Promise<Fate> {
  const own = new Set(Object.values(networkInterfaces()).flatMap(lines => lines?.map(({ address }) => address) ?? []))
  const here = left.addresses.filter(address => own.has(address))
  if (here.length === 0) return { fate: 'stays', why: `${left.addresses.join(', ')} is no address of this machine now` }
  let giveBack: () => Promise<void>
  try {
    giveBack = await reserve(left.name, { passing: true })
  } catch {
    return { fate: 'in use' }
  }
  try {
    return await withNames({ wins: left.wins, broadcasts: [], nodeType: 'P', times: TIMES, ports }, network => askAll(network, left, here, signal))
  } catch (thrown) {
    return { fate: 'stays', why: asError(thrown).message }
  } finally {
    await giveBack()
  }
}

async function askAll(network: NameNetwork, left: LeftBehind, here: readonly string[], signal: AbortSignal): Promise<Fate> {
  if (await answersHere(network, left.name, here, signal)) return { fate: 'in use' }
  const found = await Promise.all(left.wins.map(async server => ({ server, fate: await giveBackAt(network, server, left, here, signal) })))
  const failed = found.filter(({ fate }) => fate !== 'released' && fate !== 'gone')
  if (failed.length > 0) return { fate: 'stays', why: failed.map(({ server, fate }) => `the name server ${server} ${fate}`).join(', ') }
  const by = found.filter(({ fate }) => fate === 'released').map(({ server }) => server)
  return by.length > 0 ? { fate: 'released', by } : { fate: 'gone' }
}

/** Another name service of this machine (nmbd) may have the name itself by now, under the same address. */
async function answersHere(network: NameNetwork, name: NetbiosName, [address = '']: readonly string[], signal: AbortSignal): Promise<boolean> {
  if (network.wins.includes(address) || !(await someoneListens(network.port))) return false
  const answer = await queryServer({ ...network, times: { ...network.times, ...NEIGHBOUR } }, address, name, signal)
  return typeof answer === 'object'
}

/** Whether a UDP port of this machine is taken; true where the kernel does not tell. proc_pid_net(5) */
async function someoneListens(port: number): Promise<boolean> {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  try {
    return (await readFile('/proc/net/udp', 'latin1')).split('\n').some(line => line.trim().split(/\s+/)[1]?.endsWith(local))
  } catch {
    return true
  }
}

/** `released`, `gone`, or what the name server did instead. */
async function giveBackAt(network: NameNetwork, server: string, { name, nodeType }: LeftBehind, here: readonly string[], signal: AbortSignal): Promise<string> {
  let answer: Awaited<ReturnType<typeof queryServer>>
  try {
    answer = await queryServer(network, server, name, signal)
  } catch (thrown) {
    if (signal.aborted) throw thrown
    return `cannot be asked (${asError(thrown).message})`
  }
  if (answer === undefined) return 'does not answer'
  if (typeof answer !== 'object' || answer.group) return 'gone'
  const { owners } = answer
  const [claim, ...more] = here
    .filter(address => owners.some(owner => owner.address === address))
    .map(address => ({ name, owner: { address, group: false, nodeType } }))
  if (claim === undefined) return 'gone'
  const released = await releaseName(network, [claim, ...more], { server, broadcast: false, ttl: 0 }, signal)
  signal.throwIfAborted()
  const refused = released.find(({ outcome }) => outcome.startsWith('failed'))
  return refused === undefined ? 'released' : `keeps it (${refused.outcome.replace(/^failed: /, '')})`
}
