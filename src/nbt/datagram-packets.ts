import { type Codec, type Reader, WireError, type Writer } from '../base/wire.ts'
import { type NetbiosName, netbiosName } from './names.ts'

/** Datagram service packet types. RFC 1002 section 4.4.1. */
export const DATAGRAM = { UNIQUE: 0x10, GROUP: 0x11, BROADCAST: 0x12, ERROR: 0x13, QUERY: 0x14, POSITIVE: 0x15, NEGATIVE: 0x16 } as const

/** RFC 1002 section 4.4.3. */
export const DATAGRAM_ERRORS: ReadonlyMap<number, string> = new Map([
  [0x82, 'destination name not present'],
  [0x83, 'invalid source name format'],
  [0x84, 'invalid destination name format'],
])

const KINDS = { unique: DATAGRAM.UNIQUE, group: DATAGRAM.GROUP, broadcast: DATAGRAM.BROADCAST } as const
const QUERIES = { query: DATAGRAM.QUERY, 'positive response': DATAGRAM.POSITIVE, 'negative response': DATAGRAM.NEGATIVE } as const

/** SNT: here 3 is a datagram distribution server, not an H node. RFC 1002 section 4.4.1. */
export const SOURCE_TYPES = ['B', 'P', 'M', 'NBDD'] as const

interface Head {
  /** More fragments follow. */
  readonly more: boolean
  /** This is the first fragment. */
  readonly first: boolean
  readonly sourceType: (typeof SOURCE_TYPES)[number]
  readonly id: number
  /** Where answers go: IPv4 and port of the sender, as the sender sees them. */
  readonly address: string
  readonly port: number
}

export type DatagramPacket =
  | (Head & {
      readonly kind: keyof typeof KINDS
      /** Where `data` stands in the whole. */
      readonly offset: number
      readonly source: NetbiosName
      readonly destination: NetbiosName
      readonly data: Buffer
    })
  | (Head & { readonly kind: 'error'; readonly code: number })
  | (Head & { readonly kind: keyof typeof QUERIES; readonly destination: NetbiosName })

/** RFC 1002 section 4.4. DGM_LENGTH counts the names and the data, not the header. */
export const datagramPacket: Codec<DatagramPacket> = { name: 'datagram', put, get }

function put(w: Writer, p: DatagramPacket): void {
  w.u8(typeOf(p)).u8((p.more ? 1 : 0) | (p.first ? 2 : 0) | (SOURCE_TYPES.indexOf(p.sourceType) << 2))
  w.u16be(p.id)
  const parts = p.address.split('.')
  for (let i = 0; i < 4; i++) w.u8(Number(parts[i] ?? Number.NaN))
  w.u16be(p.port)
  switch (p.kind) {
    case 'error':
      w.u8(p.code)
      break
    case 'query':
    case 'positive response':
    case 'negative response':
      netbiosName.put(w, p.destination)
      break
    default: {
      const lengthAt = w.need(2)
      w.u16be(p.offset)
      const start = w.pos
      netbiosName.put(w, p.source)
      netbiosName.put(w, p.destination)
      w.bytes(p.data)
      w.buf.writeUInt16BE(w.pos - start, lengthAt)
    }
  }
}

function typeOf(p: DatagramPacket): number {
  switch (p.kind) {
    case 'error':
      return DATAGRAM.ERROR
    case 'query':
    case 'positive response':
    case 'negative response':
      return QUERIES[p.kind]
    default:
      return KINDS[p.kind]
  }
}

const KIND_OF = new Map(Object.entries(KINDS).map(([kind, type]) => [type as number, kind as keyof typeof KINDS]))
const QUERY_OF = new Map(Object.entries(QUERIES).map(([kind, type]) => [type as number, kind as keyof typeof QUERIES]))

function get(r: Reader): DatagramPacket {
  const type = r.u8()
  const flags = r.u8()
  const head: Head = {
    more: (flags & 1) !== 0,
    first: (flags & 2) !== 0,
    sourceType: SOURCE_TYPES[(flags >> 2) & 3]!,
    id: r.u16be(),
    address: r.bytes(4).join('.'),
    port: r.u16be(),
  }
  if (type === DATAGRAM.ERROR) return { kind: 'error', ...head, code: r.u8() }
  const query = QUERY_OF.get(type)
  if (query !== undefined) return { kind: query, ...head, destination: netbiosName.get(r) }
  const kind = KIND_OF.get(type)
  if (kind === undefined) throw new WireError(`MSG_TYPE is 0x${type.toString(16)}`, 0)
  const length = r.u16be()
  const offset = r.u16be()
  if (length > r.left) throw new WireError(`DGM_LENGTH is ${length}, ${r.left} bytes are left`, r.pos - 4)
  const end = r.pos + length
  const source = netbiosName.get(r)
  const destination = netbiosName.get(r)
  if (r.pos > end) throw new WireError(`DGM_LENGTH is ${length}, too little for the names`, end)
  return { kind, ...head, offset, source, destination, data: Buffer.from(r.bytes(end - r.pos)) }
}
