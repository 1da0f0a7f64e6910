import { encode } from '../base/wire.ts'
import { type Interface, isOnWire, type Peer } from './endpoint.ts'
import { DEFAULT_TTL, negativeQueryResponse, queryResponse, registrationResponse, statusResponse } from './name-messages.ts'
import { type NamePacket, type NbAddress, OPCODE, RCODE, RECORD, type StatusName } from './name-packets.ts'
import type { NameEntry, NameTable } from './name-table.ts'
import { ANY_NAME, nameKey, type NetbiosName, netbiosName } from './names.ts'
import type { NameNetwork } from './queries.ts'

/** The largest name service packet. RFC 1002 section 4.2. */
const LONGEST_PACKET = 576
/** What a node status has beside the name it answers to and its lines: header, record, count, card and counters. */
const STATUS_FRAME = 12 + 10 + 1 + 6 + 40
const STATUS_LINE = 18

/** A node whose names others ask for. */
export interface Responding {
  readonly network: NameNetwork
  readonly table: NameTable
  /** The addresses under which its names are found, each with its wire. */
  readonly owns: readonly [Interface, ...Interface[]]
  /** The name is another's, says `by`, who may say so. */
  readonly onLost: (entry: NameEntry, by: string) => void
}

/** What an end node does with a request or a demand. RFC 1002 sections 5.1.1.5 and 5.1.2.5. */
export function respond(node: Responding, packet: NamePacket, from: Peer): void {
  if (isOwn(node, from.address) && from.port === node.network.exchange.endpoint.local.port) return // our own broadcast
  if (packet.response) return conflictDemanded(node, packet, from)
  const { question } = packet
  if (question === undefined) return
  // nbtscan sets B in a node status request that goes to one host
  if (packet.opcode === OPCODE.QUERY && question.type === RECORD.NBSTAT) return statusAsked(node, packet, question.name, from)
  // a P node neither speaks nor hears broadcasts: RFC 1001 section 10.2
  if (packet.broadcast && node.network.nodeType === 'P') return
  switch (packet.opcode) {
    case OPCODE.QUERY:
      return question.type === RECORD.NB ? queried(node, packet, question.name, from) : undefined
    case OPCODE.REGISTRATION:
    case OPCODE.MULTIHOMED:
      return claimed(node, packet, question.name, from)
    case OPCODE.RELEASE:
      return releaseDemanded(node, packet, question.name, from)
    default:
      return
  }
}

const isOwn = ({ owns }: Responding, address: string): boolean => owns.some(own => own.address === address)

/** All of them, first the one on the wire of who asks. */
function ownersOf({ network, owns }: Responding, { group }: NameEntry, asker: Peer): readonly NbAddress[] {
  const near = owns.filter(own => isOnWire(own, asker.address))
  return [...new Set([...near, ...owns])].map(({ address }) => ({ group, nodeType: network.nodeType, address }))
}

function queried(node: Responding, { id, broadcast }: NamePacket, name: NetbiosName, from: Peer): void {
  const { exchange } = node.network
  const entry = node.table.find(name)
  if (entry?.isOwned === true) void exchange.tell(queryResponse(id, name, DEFAULT_TTL, ownersOf(node, entry, from)), from)
  else if (!broadcast) void exchange.tell(negativeQueryResponse(id, name, RCODE.NAME), from)
}

function statusAsked(node: Responding, { id }: NamePacket, name: NetbiosName, from: Peer): void {
  if (nameKey({ ...name, scope: '' }) !== nameKey(ANY_NAME) && node.table.find(name)?.isOwned !== true) return
  const { nodeType } = node.network
  const lines = node.table.entries
    .filter(entry => entry.state !== 'registering')
    .map((entry): StatusName => {
      const state = { releasing: entry.state === 'releasing', conflict: entry.state === 'conflict', active: entry.state !== 'conflict' }
      return { name: entry.name, group: entry.group, nodeType, ...state, permanent: false }
    })
  const room = Math.floor((LONGEST_PACKET - STATUS_FRAME - encode(netbiosName, name).length) / STATUS_LINE)
  const response = statusResponse(id, name, lines.slice(0, room), NO_CARD)
  void node.network.exchange.tell({ ...response, truncated: lines.length > room }, from)
}

/** What a node without a card of its own says, as Samba does. */
const NO_CARD = '00:00:00:00:00:00'

/** Somebody claims a name by broadcast: it is defended where it is ours. RFC 1002 section 5.1.1.5. */
function claimed(node: Responding, packet: NamePacket, name: NetbiosName, from: Peer): void {
  const entry = node.table.find(name)
  const data = packet.additional?.data
  const claim = data?.kind === 'addresses' ? data.addresses[0] : undefined
  if (entry === undefined || claim === undefined || isOwn(node, claim.address)) return
  // a demand (RD clear) is no question; a claim that a name server passes on is not ours to judge
  if (!packet.broadcast || !packet.recursionDesired) return
  if (entry.group && claim.group) return
  // of two that claim one name at the same time, the lower address gets it
  const here = node.owns.find(own => isOnWire(own, claim.address)) ?? node.owns[0]
  const mine = entry.isOwned || (entry.state === 'registering' && isLower(here.address, claim.address))
  if (mine) void node.network.exchange.tell(registrationResponse(packet.id, { name, owner: claim, ttl: 0 }, RCODE.ACTIVE), from)
}

function isLower(one: string, other: string): boolean {
  return Buffer.compare(Buffer.from(one.split('.').map(Number)), Buffer.from(other.split('.').map(Number))) < 0
}

/** Only the name server that wrote the name down may take it back. RFC 1002 section 5.1.2.5. */
function releaseDemanded(node: Responding, packet: NamePacket, name: NetbiosName, from: Peer): void {
  const entry = node.table.find(name)
  if (entry === undefined) return // another node lets go of its own name
  if (entry.registration?.server === from.address && from.port === node.network.port && !packet.broadcast) node.onLost(entry, from.address)
  else if (!packet.broadcast || !entry.group) node.network.exchange.ignored.unentitled++
}

/** The name server that wrote the name down may say so; where it was claimed by broadcast, any name service on the same wire. RFC 1002 section 5.1.1.5. */
function conflictDemanded(node: Responding, packet: NamePacket, from: Peer): void {
  const name = packet.answer?.name ?? packet.question?.name
  const entry = name === undefined ? undefined : node.table.find(name)
  const at = entry?.registration
  const entitled =
    from.port === node.network.port && (at?.server === from.address || (at?.broadcast === true && node.owns.some(own => isOnWire(own, from.address))))
  // a group has many owners and so no conflict
  if (entry?.isOwned === true && !entry.group && entitled) node.onLost(entry, from.address)
  else node.network.exchange.ignored.unentitled++
}
