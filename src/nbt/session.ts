import { type Codec, type Reader, WireError, type Writer } from '../base/wire.ts'
import { type NetbiosName, netbiosName } from './names.ts'

/** Session service packet types. RFC 1002 section 4.3.1. */
export const SESSION = { MESSAGE: 0x00, REQUEST: 0x81, POSITIVE: 0x82, NEGATIVE: 0x83, RETARGET: 0x84, KEEPALIVE: 0x85 } as const

/** RFC 1002 section 4.3.4. */
export const REFUSALS: ReadonlyMap<number, string> = new Map([
  [0x80, 'not listening on called name'],
  [0x81, 'not listening for calling name'],
  [0x82, 'called name not present'],
  [0x83, 'called name present, but insufficient resources'],
  [0x8f, 'unspecified error'],
])

/** Largest trailer on port 139: 17 bits. */
export const LONGEST_MESSAGE = 0x1ffff

export interface SessionHeader {
  readonly type: number
  /** Bytes that follow the header. */
  readonly length: number
}

/** The four bytes before everything on port 139. The lowest flag bit is the 17th of the length, the others are zero. RFC 1002 section 4.3.1. */
export const sessionHeader: Codec<SessionHeader> = {
  name: 'NBT session header',
  put(w, { type, length }) {
    w.u8(type)
      .u8(Math.floor(length / 0x1_0000))
      .u16be(length & 0xffff)
  },
  get(r) {
    const type = r.u8()
    const flags = r.u8()
    if (flags > 1) throw new WireError(`flags are 0x${flags.toString(16)}, must be 0 or 1`, r.pos - 1)
    return { type, length: flags * 0x1_0000 + r.u16be() }
  },
}

/** What is said before the session stands, and the keepalive. Messages have no codec: their bytes belong to the layer above. */
export type SessionPacket =
  | { readonly type: 'request'; readonly called: NetbiosName; readonly calling: NetbiosName }
  | { readonly type: 'positive' }
  | { readonly type: 'negative'; readonly reason: number }
  | { readonly type: 'retarget'; readonly address: string; readonly port: number }
  | { readonly type: 'keepalive' }

/** RFC 1002 sections 4.3.2 to 4.3.5 and 4.3.7. */
export const sessionPacket: Codec<SessionPacket> = { name: 'NBT session packet', put, get }

function put(w: Writer, packet: SessionPacket): void {
  const start = w.pos
  w.zeros(4)
  let type: number
  switch (packet.type) {
    case 'request':
      type = SESSION.REQUEST
      netbiosName.put(w, packet.called)
      netbiosName.put(w, packet.calling)
      break
    case 'positive':
      type = SESSION.POSITIVE
      break
    case 'negative':
      type = SESSION.NEGATIVE
      w.u8(packet.reason)
      break
    case 'retarget':
      type = SESSION.RETARGET
      for (const part of packet.address.split('.')) w.u8(Number(part))
      w.u16be(packet.port)
      break
    case 'keepalive':
      type = SESSION.KEEPALIVE
      break
  }
  w.buf[start] = type
  w.buf.writeUInt16BE(w.pos - start - 4, start + 2) // two names of 255 bytes at most
}

function get(r: Reader): SessionPacket {
  const { type, length } = sessionHeader.get(r)
  const start = r.pos
  const packet = trailer(r, type)
  r.fixed('LENGTH', r.pos - start, length)
  return packet
}

function trailer(r: Reader, type: number): SessionPacket {
  switch (type) {
    case SESSION.REQUEST:
      return { type: 'request', called: netbiosName.get(r), calling: netbiosName.get(r) }
    case SESSION.POSITIVE:
      return { type: 'positive' }
    case SESSION.NEGATIVE:
      return { type: 'negative', reason: r.u8() }
    case SESSION.RETARGET:
      return { type: 'retarget', address: r.bytes(4).join('.'), port: r.u16be() }
    case SESSION.KEEPALIVE:
      return { type: 'keepalive' }
    default:
      throw new WireError(`packet type 0x${type.toString(16)}`, r.pos - 4)
  }
}
