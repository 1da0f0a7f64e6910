import { type Codec, type Reader, WireError, type Writer } from '../base/wire.ts'
import { compressedName, nameKey, type NetbiosName, rawName } from './names.ts'

/** RFC 1002 section 4.2.1.1. Windows sends a refresh as 9, and 15 where a host has several addresses. */
export const OPCODE = { QUERY: 0, REGISTRATION: 5, RELEASE: 6, WACK: 7, REFRESH: 8, REFRESH_9: 9, MULTIHOMED: 15 } as const

/** RFC 1002 sections 4.2.6, 4.2.11 and 4.2.14. */
export const RCODE = { OK: 0, FORMAT: 1, SERVER: 2, NAME: 3, UNSUPPORTED: 4, REFUSED: 5, ACTIVE: 6, CONFLICT: 7 } as const

/** What each RCODE says, for people. */
export const RCODES: ReadonlyMap<number, string> = new Map([
  [RCODE.FORMAT, 'request was invalidly formatted'],
  [RCODE.SERVER, 'problem with the name server'],
  [RCODE.NAME, 'no such name'],
  [RCODE.UNSUPPORTED, 'unsupported request'],
  [RCODE.REFUSED, 'refused'],
  [RCODE.ACTIVE, 'name is owned by another node'],
  [RCODE.CONFLICT, 'name in conflict'],
])

/** Types of records. RFC 1002 section 4.2.1.3. */
export const RECORD = { A: 0x01, NS: 0x02, NULL: 0x0a, NB: 0x20, NBSTAT: 0x21 } as const

const CLASS_IN = 1

/** How a node finds and claims names; its place in the table is its number on the wire. RFC 1001 section 10. */
export const NODE_TYPES = ['B', 'P', 'M', 'H'] as const
export type NodeType = (typeof NODE_TYPES)[number]

/** An address of a name, with what its owner is. RFC 1002 section 4.2.1.3, NB_FLAGS. */
export interface NbAddress {
  readonly group: boolean
  readonly nodeType: NodeType
  /** IPv4. */
  readonly address: string
}

/** A line of a node status. RFC 1002 section 4.2.18. */
export interface StatusName {
  readonly name: NetbiosName
  readonly group: boolean
  readonly nodeType: NodeType
  readonly releasing: boolean
  readonly conflict: boolean
  readonly active: boolean
  readonly permanent: boolean
}

export type RecordData =
  | { readonly kind: 'addresses'; readonly addresses: readonly NbAddress[] }
  /** `unitId`: the network card's address, `00:0c:29:0d:06:56`. `statistics`: whatever follows it, to be kept and not believed. */
  | { readonly kind: 'status'; readonly names: readonly StatusName[]; readonly unitId: string; readonly statistics: Buffer }
  | { readonly kind: 'server'; readonly server: NetbiosName }
  | { readonly kind: 'server address'; readonly address: string }
  | { readonly kind: 'other'; readonly type: number; readonly bytes: Buffer }

export interface NameRecord {
  readonly name: NetbiosName
  /** Seconds; 0 is without end. */
  readonly ttl: number
  readonly data: RecordData
}

export interface NameQuestion {
  readonly name: NetbiosName
  /** RECORD.NB or RECORD.NBSTAT. */
  readonly type: number
}

/** Every packet of the name service. RFC 1002 section 4.2.1: none has more than one entry in any of its four sections. */
export interface NamePacket {
  readonly id: number
  readonly response: boolean
  readonly opcode: number
  readonly authoritative: boolean
  readonly truncated: boolean
  readonly recursionDesired: boolean
  readonly recursionAvailable: boolean
  readonly broadcast: boolean
  readonly rcode: number
  readonly question: NameQuestion | undefined
  readonly answer: NameRecord | undefined
  readonly authority: NameRecord | undefined
  readonly additional: NameRecord | undefined
}

const FLAG = { RESPONSE: 0x8000, AUTHORITATIVE: 0x0400, TRUNCATED: 0x0200, RECURSION_DESIRED: 0x0100, RECURSION_AVAILABLE: 0x0080, BROADCAST: 0x0010 } as const

/** The word behind the id, which the wait acknowledgement repeats in its data. RFC 1002 section 4.2.1.1. */
export function flagsWord(p: NamePacket): number {
  return (
    (p.response ? FLAG.RESPONSE : 0) |
    (p.opcode << 11) |
    (p.authoritative ? FLAG.AUTHORITATIVE : 0) |
    (p.truncated ? FLAG.TRUNCATED : 0) |
    (p.recursionDesired ? FLAG.RECURSION_DESIRED : 0) |
    (p.recursionAvailable ? FLAG.RECURSION_AVAILABLE : 0) |
    (p.broadcast ? FLAG.BROADCAST : 0) |
    p.rcode
  )
}

/** A name that stands in the question is written as a pointer in the records, as every implementation does. RFC 1002 section 4.2. */
export const namePacket: Codec<NamePacket> = { name: 'name service packet', put, get }

function put(w: Writer, p: NamePacket): void {
  const start = w.pos
  w.u16be(p.id).u16be(flagsWord(p))
  for (const entry of [p.question, p.answer, p.authority, p.additional]) w.u16be(entry === undefined ? 0 : 1)
  const questionAt = w.pos - start
  if (p.question !== undefined) {
    compressedName.put(w, p.question.name)
    w.u16be(p.question.type).u16be(CLASS_IN)
  }
  for (const record of [p.answer, p.authority, p.additional]) {
    if (record === undefined) continue
    if (p.question !== undefined && nameKey(record.name) === nameKey(p.question.name)) w.u16be(0xc000 | questionAt)
    else compressedName.put(w, record.name)
    putRecord(w, record)
  }
}

function get(r: Reader): NamePacket {
  const id = r.u16be()
  const flags = r.u16be()
  const counts = ['QDCOUNT', 'ANCOUNT', 'NSCOUNT', 'ARCOUNT'].map(field => {
    const count = r.u16be()
    if (count > 1) throw new WireError(`${field} is ${count}, must be 0 or 1`, r.pos - 2)
    return count === 1
  })
  const opcode = (flags >> 11) & 15
  const record = (present: boolean | undefined): NameRecord | undefined => (present === true ? getRecord(r, opcode) : undefined)
  return {
    id,
    response: (flags & FLAG.RESPONSE) !== 0,
    opcode,
    authoritative: (flags & FLAG.AUTHORITATIVE) !== 0,
    truncated: (flags & FLAG.TRUNCATED) !== 0,
    recursionDesired: (flags & FLAG.RECURSION_DESIRED) !== 0,
    recursionAvailable: (flags & FLAG.RECURSION_AVAILABLE) !== 0,
    broadcast: (flags & FLAG.BROADCAST) !== 0,
    rcode: flags & 15,
    question: counts[0] === true ? getQuestion(r) : undefined,
    answer: record(counts[1]),
    authority: record(counts[2]),
    additional: record(counts[3]),
  }
}

function getQuestion(r: Reader): NameQuestion {
  const name = compressedName.get(r)
  const type = r.u16be()
  r.fixed('QUESTION_CLASS', CLASS_IN, r.u16be())
  return { name, type }
}

function putRecord(w: Writer, { ttl, data }: NameRecord): void {
  w.u16be(typeOf(data)).u16be(CLASS_IN).u32be(ttl)
  const lengthAt = w.need(2)
  switch (data.kind) {
    case 'addresses':
      for (const { group, nodeType, address } of data.addresses) {
        w.u16be(ownerFlags(group, nodeType))
        putAddress(w, address)
      }
      break
    case 'status':
      w.u8(data.names.length)
      for (const line of data.names) {
        rawName.put(w, line.name)
        w.u16be(ownerFlags(line.group, line.nodeType) | statusFlags(line))
      }
      w.bytes(Buffer.from(data.unitId.replaceAll(':', ''), 'hex')).bytes(data.statistics)
      break
    case 'server':
      compressedName.put(w, data.server)
      break
    case 'server address':
      putAddress(w, data.address)
      break
    case 'other':
      w.bytes(data.bytes)
      break
  }
  w.buf.writeUInt16BE(w.pos - lengthAt - 2, lengthAt)
}

const TYPE_OF = { addresses: RECORD.NB, status: RECORD.NBSTAT, server: RECORD.NS, 'server address': RECORD.A } as const
const typeOf = (data: RecordData): number => (data.kind === 'other' ? data.type : TYPE_OF[data.kind])

function getRecord(r: Reader, opcode: number): NameRecord {
  const name = compressedName.get(r)
  const type = r.u16be()
  r.fixed('RR_CLASS', CLASS_IN, r.u16be())
  const ttl = r.u32be()
  const length = r.u16be()
  if (length > r.left) throw new WireError(`RDLENGTH is ${length}, ${r.left} bytes are left`, r.pos - 2)
  const start = r.pos
  const data = getData(r, opcode === OPCODE.WACK ? RECORD.NULL : type, type, length)
  r.fixed('RDLENGTH', r.pos - start, length)
  return { name, ttl, data }
}

/** `as`: the type that counts. The wait acknowledgement's data is a flags word, whatever type it comes under: RFC 1002 section 4.2.16. */
function getData(r: Reader, as: number, type: number, length: number): RecordData {
  switch (as) {
    case RECORD.NB: {
      const addresses: NbAddress[] = []
      for (let left = length; left > 0; left -= 6) addresses.push({ ...owner(r.u16be()), address: getAddress(r) })
      return { kind: 'addresses', addresses }
    }
    case RECORD.NBSTAT: {
      const end = r.pos + length
      const names: StatusName[] = []
      for (let count = r.u8(); count > 0; count--) {
        const name = rawName.get(r)
        names.push({ name, ...statusOf(r.u16be()) })
      }
      const unitId = r
        .bytes(6)
        .toString('hex')
        .replace(/..(?=.)/g, '$&:')
      return { kind: 'status', names, unitId, statistics: Buffer.from(r.bytes(end - r.pos)) }
    }
    case RECORD.NS:
      return { kind: 'server', server: compressedName.get(r) }
    case RECORD.A:
      return { kind: 'server address', address: getAddress(r) }
    default:
      return { kind: 'other', type, bytes: Buffer.from(r.bytes(length)) }
  }
}

function putAddress(w: Writer, address: string): void {
  const parts = address.split('.')
  for (let i = 0; i < 4; i++) w.u8(Number(parts[i] ?? Number.NaN))
}

const getAddress = (r: Reader): string => r.bytes(4).join('.')

const ownerFlags = (group: boolean, nodeType: NodeType): number => (group ? 0x8000 : 0) | (NODE_TYPES.indexOf(nodeType) << 13)
const owner = (flags: number): { group: boolean; nodeType: NodeType } => ({ group: (flags & 0x8000) !== 0, nodeType: NODE_TYPES[(flags >> 13) & 3]! })

const STATUS = { RELEASING: 0x1000, CONFLICT: 0x0800, ACTIVE: 0x0400, PERMANENT: 0x0200 } as const
const statusFlags = (line: StatusName): number =>
  (line.releasing ? STATUS.RELEASING : 0) | (line.conflict ? STATUS.CONFLICT : 0) | (line.active ? STATUS.ACTIVE : 0) | (line.permanent ? STATUS.PERMANENT : 0)

const statusOf = (flags: number): Omit<StatusName, 'name'> => ({
  ...owner(flags),
  releasing: (flags & STATUS.RELEASING) !== 0,
  conflict: (flags & STATUS.CONFLICT) !== 0,
  active: (flags & STATUS.ACTIVE) !== 0,
  permanent: (flags & STATUS.PERMANENT) !== 0,
})
