import { flagsWord, type NameRecord, type NamePacket, type NbAddress, OPCODE, RCODE, RECORD, type StatusName } from './name-packets.ts'
import type { NetbiosName } from './names.ts'

/** What nodes offer as the life of a name: 300000 s, as Windows does. */
export const DEFAULT_TTL = 300_000

const PLAIN: Omit<NamePacket, 'id' | 'opcode'> = {
  response: false,
  authoritative: false,
  truncated: false,
  recursionDesired: false,
  recursionAvailable: false,
  broadcast: false,
  rcode: RCODE.OK,
  question: undefined,
  answer: undefined,
  authority: undefined,
  additional: undefined,
}

/** NAME QUERY REQUEST. RFC 1002 section 4.2.12. */
export function queryRequest(id: number, name: NetbiosName, broadcast: boolean): NamePacket {
  return { ...PLAIN, id, opcode: OPCODE.QUERY, recursionDesired: true, broadcast, question: { name, type: RECORD.NB } }
}

/** NODE STATUS REQUEST. RFC 1002 section 4.2.17. */
export function statusRequest(id: number, name: NetbiosName): NamePacket {
  return { ...PLAIN, id, opcode: OPCODE.QUERY, question: { name, type: RECORD.NBSTAT } }
}

/** What a node says of a name that it claims, keeps or gives up. */
export interface Claim {
  readonly name: NetbiosName
  readonly owner: NbAddress
  /** Seconds. */
  readonly ttl: number
}

function demand(id: number, opcode: number, { name, owner, ttl }: Claim, recursionDesired: boolean, broadcast: boolean): NamePacket {
  const additional: NameRecord = { name, ttl, data: { kind: 'addresses', addresses: [owner] } }
  return { ...PLAIN, id, opcode, recursionDesired, broadcast, question: { name, type: RECORD.NB }, additional }
}

/** NAME REGISTRATION REQUEST. RFC 1002 section 4.2.2. */
export const registrationRequest = (id: number, claim: Claim, broadcast: boolean): NamePacket => demand(id, OPCODE.REGISTRATION, claim, true, broadcast)

/**
 * The registration of one of several addresses of a host: the name server adds it to those that it has, where the owner answers for it. Windows' and Samba's, the
 * RFC has none.
 */
export const multihomedRequest = (id: number, claim: Claim): NamePacket => demand(id, OPCODE.MULTIHOMED, claim, true, false)

/** NAME OVERWRITE REQUEST & DEMAND: the registration with RD clear. RFC 1002 section 4.2.3. */
export const overwriteDemand = (id: number, claim: Claim, broadcast: boolean): NamePacket => demand(id, OPCODE.REGISTRATION, claim, false, broadcast)

/** NAME REFRESH REQUEST. RFC 1002 section 4.2.1.1 lists opcode 8, 4.2.4 draws 9; servers take both. */
export const refreshRequest = (id: number, claim: Claim): NamePacket => demand(id, OPCODE.REFRESH, claim, false, false)

/** NAME RELEASE REQUEST & DEMAND. RFC 1002 section 4.2.9. */
export const releaseRequest = (id: number, { name, owner }: Omit<Claim, 'ttl'>, broadcast: boolean): NamePacket =>
  demand(id, OPCODE.RELEASE, { name, owner, ttl: 0 }, false, broadcast)

/** NAME CONFLICT DEMAND. RFC 1002 section 4.2.8: a registration response that nobody asked for, about nobody's address. */
export function conflictDemand(id: number, name: NetbiosName, owner: Omit<NbAddress, 'address'>): NamePacket {
  return registrationResponse(id, { name, owner: { ...owner, address: '0.0.0.0' }, ttl: 0 }, RCODE.CONFLICT)
}

/** POSITIVE and NEGATIVE NAME REGISTRATION RESPONSE. RFC 1002 sections 4.2.5 and 4.2.6. */
export function registrationResponse(id: number, { name, owner, ttl }: Claim, rcode: number): NamePacket {
  const answer: NameRecord = { name, ttl, data: { kind: 'addresses', addresses: [owner] } }
  const flags = { response: true, authoritative: true, recursionDesired: true, recursionAvailable: true }
  return { ...PLAIN, ...flags, id, opcode: OPCODE.REGISTRATION, rcode, answer }
}

/** POSITIVE and NEGATIVE NAME RELEASE RESPONSE. RFC 1002 sections 4.2.10 and 4.2.11. */
export function releaseResponse(id: number, { name, owner }: Omit<Claim, 'ttl'>, rcode: number): NamePacket {
  const answer: NameRecord = { name, ttl: 0, data: { kind: 'addresses', addresses: [owner] } }
  return { ...PLAIN, id, opcode: OPCODE.RELEASE, response: true, authoritative: true, rcode, answer }
}

/** POSITIVE NAME QUERY RESPONSE. RFC 1002 section 4.2.13. */
export function queryResponse(id: number, name: NetbiosName, ttl: number, addresses: readonly NbAddress[]): NamePacket {
  const answer: NameRecord = { name, ttl, data: { kind: 'addresses', addresses } }
  return { ...PLAIN, id, opcode: OPCODE.QUERY, response: true, authoritative: true, recursionDesired: true, answer }
}

/** NEGATIVE NAME QUERY RESPONSE. RFC 1002 section 4.2.14. */
export function negativeQueryResponse(id: number, name: NetbiosName, rcode: number): NamePacket {
  const answer: NameRecord = { name, ttl: 0, data: { kind: 'other', type: RECORD.NULL, bytes: Buffer.alloc(0) } }
  return { ...PLAIN, id, opcode: OPCODE.QUERY, response: true, authoritative: true, recursionDesired: true, rcode, answer }
}

/** Bytes of a node status behind the card's address: counters, all of them zero here. */
const STATISTICS = 40

/** NODE STATUS RESPONSE. RFC 1002 section 4.2.18. */
export function statusResponse(id: number, name: NetbiosName, names: readonly StatusName[], unitId: string): NamePacket {
  const answer: NameRecord = { name, ttl: 0, data: { kind: 'status', names, unitId, statistics: Buffer.alloc(STATISTICS) } }
  return { ...PLAIN, id, opcode: OPCODE.QUERY, response: true, authoritative: true, answer }
}

/** WAIT FOR ACKNOWLEDGEMENT RESPONSE: `seconds` to wait for the answer to `request`. RFC 1002 section 4.2.16. */
export function waitAcknowledgement(request: NamePacket, name: NetbiosName, seconds: number): NamePacket {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(flagsWord(request))
  const answer: NameRecord = { name, ttl: seconds, data: { kind: 'other', type: RECORD.NB, bytes } }
  return { ...PLAIN, id: request.id, opcode: OPCODE.WACK, response: true, authoritative: true, answer }
}
