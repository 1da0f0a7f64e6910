import type { DatagramPacket } from './datagram-packets.ts'
import type { Peer } from './endpoint.ts'

export type DataDatagram = Extract<DatagramPacket, { readonly data: Buffer }>

/** RFC 1002 section 6, FRAGMENT_TO. */
const FRAGMENT_MS = 2000
/** Datagrams of which a part has come, and the bytes of one: nobody may make us keep more. */
const MOST_PARTIAL = 32
const LONGEST = 0x1_0000
const MOST_PARTS = 256

interface Partial {
  readonly since: number
  readonly head: DataDatagram
  /** By offset. */
  readonly parts: Map<number, Buffer>
  /** Known once the last fragment came. */
  length: number | undefined
}

/** Puts fragments together. RFC 1002 section 5.3.3. */
export class Reassembly {
  readonly #partial = new Map<string, Partial>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  /** How many datagrams wait for the rest. */
  get size(): number {
    return this.#partial.size
  }

  /** The whole datagram, once nothing is missing. */
  add(packet: DataDatagram, from: Peer): DataDatagram | undefined {
    if (packet.first && !packet.more) return packet.offset === 0 ? packet : undefined
    this.#forget()
    const key = `${from.address}:${from.port}/${packet.id}`
    const partial = this.#partial.get(key) ?? { since: this.#now(), head: packet, parts: new Map<number, Buffer>(), length: undefined }
    if (packet.offset + packet.data.length > LONGEST || packet.data.length === 0 || partial.parts.size >= MOST_PARTS) return undefined
    this.#partial.set(key, partial)
    partial.parts.set(packet.offset, packet.data)
    if (!packet.more) partial.length = packet.offset + packet.data.length
    const data = joined(partial)
    if (data === undefined) return undefined
    this.#partial.delete(key)
    return { ...partial.head, first: true, more: false, offset: 0, data }
  }

  #forget(): void {
    const oldest = this.#now() - FRAGMENT_MS
    for (const [key, { since }] of this.#partial) if (since < oldest || this.#partial.size >= MOST_PARTIAL) this.#partial.delete(key)
  }
}

function joined({ parts, length }: Partial): Buffer | undefined {
  if (length === undefined) return undefined
  const whole: Buffer[] = []
  let at = 0
  while (at < length) {
    const part = parts.get(at)
    if (part === undefined) return undefined
    whole.push(part)
    at += part.length
  }
  return at === length ? Buffer.concat(whole) : undefined
}
