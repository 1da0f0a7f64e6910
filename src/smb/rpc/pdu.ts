import { Reader, WireError, type Codec, type Writer } from '../../base/wire.ts'

/** Connection-oriented protocol data units. [C706] 12.6. */
export const PDU = { REQUEST: 0, RESPONSE: 2, FAULT: 3, BIND: 11, BIND_ACK: 12, BIND_NAK: 13 } as const

/** Which part of a call a fragment is. */
export const PFC = { FIRST: 1, LAST: 2 } as const

/** The common header, and with it everything's first bytes. */
export const PDU_HEADER_SIZE = 16
/** What a request or a response has before its stub. */
export const STUB_AT = 24

/** An interface and the encoding of its calls: 16 bytes of UUID as on the wire, and a version. */
export interface Syntax {
  readonly uuid: Buffer
  readonly version: number
}

/** NDR with 32-bit pointers, the one that every server knows. [C706] appendix I. */
export const NDR32: Syntax = { uuid: Buffer.from('045d888aeb1cc9119fe808002b104860', 'hex'), version: 2 }

export interface Bind {
  readonly callId: number
  /** The largest fragment either side may send. */
  readonly maxFragment: number
  readonly abstract: Syntax
  readonly transfer: Syntax
}

export interface BindAck {
  readonly callId: number
  /** The largest fragment that the server sends, and that it takes. */
  readonly maxSends: number
  readonly maxTakes: number
  /** The name of the server's endpoint, `\PIPE\srvsvc`. */
  readonly address: string
  /** Of the one context that was offered: 0 is acceptance. */
  readonly result: number
  readonly reason: number
  readonly transfer: Syntax
}

export interface BindNak {
  readonly callId: number
  readonly reason: number
}

export interface Request {
  readonly callId: number
  /** PFC bits. */
  readonly flags: number
  /** How long the stub of the whole call is; a hint. */
  readonly hint: number
  readonly opnum: number
  readonly stub: Buffer
}

export interface Response {
  readonly callId: number
  readonly flags: number
  readonly hint: number
  readonly stub: Buffer
}

export interface Fault {
  readonly callId: number
  readonly status: number
}

interface Header {
  readonly type: number
  readonly flags: number
  readonly callId: number
}

const WHOLE = PFC.FIRST | PFC.LAST
const VERSION = 5
/** Little-endian integers, ASCII, IEEE floats. [C706] 14.1. */
const LITTLE_ENDIAN = 0x10
const LENGTH_AT = 8

/** [C706] 12.6.3.1, around what `body` writes. */
function put(w: Writer, { type, flags, callId }: Header, body: () => void): void {
  const start = w.pos
  w.u8(VERSION).u8(0).u8(type).u8(flags)
  w.u8(LITTLE_ENDIAN).zeros(3) // packed_drep
  w.u16(0).u16(0).u32(callId) // frag_length, auth_length
  body()
  w.patchU16(start + LENGTH_AT, w.pos - start)
}

/** The header, and a reader of the rest of this fragment. */
function get(r: Reader): { header: Header; rest: Reader } {
  r.fixed('rpc_vers', VERSION, r.u8())
  const minor = r.u8()
  if (minor > 1) throw new WireError(`rpc_vers_minor is ${minor}`, r.pos)
  const type = r.u8()
  const flags = r.u8()
  if (r.u8() >> 4 !== LITTLE_ENDIAN >> 4) throw new WireError('integers are not little-endian', r.pos)
  r.skip(3)
  const length = r.u16()
  if (length < PDU_HEADER_SIZE) throw new WireError(`frag_length is ${length}`, r.pos)
  r.fixed('auth_length', 0, r.u16()) // the session of SMB is all the security that was asked for
  const callId = r.u32()
  return { header: { type, flags, callId }, rest: new Reader(r.bytes(length - PDU_HEADER_SIZE)) }
}

/** How long the fragment is that begins with these bytes (at least 10 of them). */
export function fragmentLength(bytes: Buffer): number {
  return bytes.readUInt16LE(LENGTH_AT)
}

/** The type of a fragment, whose first three bytes there must be. */
export function fragmentType(bytes: Buffer): number {
  return bytes[2]!
}

function putSyntax(w: Writer, { uuid, version }: Syntax): void {
  w.bytes(uuid).u32(version)
}
function getSyntax(r: Reader): Syntax {
  return { uuid: Buffer.from(r.bytes(16)), version: r.u32() }
}

/** bind with one presentation context. [C706] 12.6.4.3. */
export const bind: Codec<Bind> = {
  name: 'RPC bind',
  put(w, m) {
    put(w, { type: PDU.BIND, flags: WHOLE, callId: m.callId }, () => {
      w.u16(m.maxFragment).u16(m.maxFragment).u32(0) // assoc_group_id
      w.u8(1).zeros(3) // n_context_elem
      w.u16(0).u8(1).u8(0) // p_cont_id, n_transfer_syn
      putSyntax(w, m.abstract)
      putSyntax(w, m.transfer)
    })
  },
  get(r) {
    const { header, rest } = get(r)
    rest.fixed('PTYPE', PDU.BIND, header.type)
    const maxFragment = rest.u16()
    rest.skip(6) // max_recv_frag, assoc_group_id
    if (rest.u8() === 0) throw new WireError('no context in it', rest.pos)
    rest.skip(5) // reserved, p_cont_id
    if (rest.u8() === 0) throw new WireError('no transfer syntax in it', rest.pos)
    rest.skip(1)
    return { callId: header.callId, maxFragment, abstract: getSyntax(rest), transfer: getSyntax(rest) }
  },
}

/** bind_ack to one presentation context. [C706] 12.6.4.4. */
export const bindAck: Codec<BindAck> = {
  name: 'RPC bind_ack',
  put(w, m) {
    const start = w.pos
    put(w, { type: PDU.BIND_ACK, flags: WHOLE, callId: m.callId }, () => {
      w.u16(m.maxSends).u16(m.maxTakes).u32(1) // assoc_group_id
      const address = Buffer.from(`${m.address}\0`, 'latin1')
      w.u16(address.length).bytes(address).align(4, start)
      w.u8(1).zeros(3).u16(m.result).u16(m.reason) // n_results
      putSyntax(w, m.transfer)
    })
  },
  get(r) {
    const { header, rest } = get(r)
    rest.fixed('PTYPE', PDU.BIND_ACK, header.type)
    const maxSends = rest.u16()
    const maxTakes = rest.u16()
    rest.skip(4) // assoc_group_id
    const address = rest.bytes(rest.u16()).toString('latin1').replace(/\0.*$/s, '')
    const over = rest.pos % 4 // the header is a multiple of 4
    if (over !== 0) rest.skip(4 - over)
    rest.fixed('n_results', 1, rest.u8())
    rest.skip(3)
    const result = rest.u16()
    const reason = rest.u16()
    return { callId: header.callId, maxSends, maxTakes, address, result, reason, transfer: getSyntax(rest) }
  },
}

/** bind_nak. [C706] 12.6.4.5. The versions that it may list are nobody's concern. */
export const bindNak: Codec<BindNak> = {
  name: 'RPC bind_nak',
  put(w, m) {
    put(w, { type: PDU.BIND_NAK, flags: WHOLE, callId: m.callId }, () => w.u16(m.reason).u8(0))
  },
  get(r) {
    const { header, rest } = get(r)
    rest.fixed('PTYPE', PDU.BIND_NAK, header.type)
    return { callId: header.callId, reason: rest.u16() }
  },
}

/** request. [C706] 12.6.4.9. */
export const request: Codec<Request> = {
  name: 'RPC request',
  put(w, m) {
    put(w, { type: PDU.REQUEST, flags: m.flags, callId: m.callId }, () => w.u32(m.hint).u16(0).u16(m.opnum).bytes(m.stub)) // p_cont_id
  },
  get(r) {
    const { header, rest } = get(r)
    rest.fixed('PTYPE', PDU.REQUEST, header.type)
    const hint = rest.u32()
    rest.skip(2) // p_cont_id
    const opnum = rest.u16()
    return { callId: header.callId, flags: header.flags, hint, opnum, stub: rest.rest() }
  },
}

/** response. [C706] 12.6.4.10. The stub is a view. */
export const response: Codec<Response> = {
  name: 'RPC response',
  put(w, m) {
    put(w, { type: PDU.RESPONSE, flags: m.flags, callId: m.callId }, () => w.u32(m.hint).u16(0).u8(0).u8(0).bytes(m.stub)) // p_cont_id, cancel_count
  },
  get(r) {
    const { header, rest } = get(r)
    rest.fixed('PTYPE', PDU.RESPONSE, header.type)
    const hint = rest.u32()
    rest.skip(4) // p_cont_id, cancel_count, reserved
    return { callId: header.callId, flags: header.flags, hint, stub: rest.rest() }
  },
}

/** fault: the call failed before or outside the procedure. [C706] 12.6.4.7. */
export const fault: Codec<Fault> = {
  name: 'RPC fault',
  put(w, m) {
    put(w, { type: PDU.FAULT, flags: WHOLE, callId: m.callId }, () => w.u32(0).u16(0).u8(0).u8(0).u32(m.status).u32(0)) // alloc_hint to reserved
  },
  get(r) {
    const { header, rest } = get(r)
    rest.fixed('PTYPE', PDU.FAULT, header.type)
    rest.skip(8) // alloc_hint, p_cont_id, cancel_count, reserved
    return { callId: header.callId, status: rest.u32() }
  },
}
