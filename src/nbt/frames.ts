import { WireError } from '../base/wire.ts'
import { LONGEST_MESSAGE, SESSION } from './session.ts'

/** `nbt`: RFC 1002 section 4.3.1 on port 139, 17 bits of length. `tcp`: the same four bytes on port 445, 24 bits. [MS-SMB2] 2.1. */
export type FrameKind = 'tcp' | 'nbt'

const LONGEST = { tcp: 0xff_ffff, nbt: LONGEST_MESSAGE } as const

/** The four bytes before a message of `length` bytes, or undefined when that does not fit. */
export function messageHeader(kind: FrameKind, length: number): Buffer | undefined {
  if (length > LONGEST[kind]) return undefined
  const header = Buffer.allocUnsafe(4)
  header.writeUInt32BE(length) // SESSION MESSAGE is type 0
  return header
}

/**
 * Cuts the bytes of a connection into messages, which belong to the receiver. A message that arrived whole is a view; any other is put together
 * in one buffer of its size. Keepalives are dropped.
 */
export class Framer {
  readonly #kind: FrameKind
  readonly #onFrame: (frame: Buffer) => void
  readonly #header = Buffer.alloc(4)
  #headed = 0
  #frame: Buffer | undefined
  #filled = 0

  constructor(kind: FrameKind, onFrame: (frame: Buffer) => void) {
    this.#kind = kind
    this.#onFrame = onFrame
  }

  /** Whether a message has begun and not ended. */
  get partial(): boolean {
    return this.#headed > 0 || this.#frame !== undefined
  }

  /** Throws WireError when this is no stream of frames; it is of no use afterwards. */
  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#frame !== undefined) {
        const copied = chunk.copy(this.#frame, this.#filled, at)
        at += copied
        this.#filled += copied
        if (this.#filled < this.#frame.length) return
        const frame = this.#frame
        this.#frame = undefined
        this.#onFrame(frame)
        continue
      }
      let word: number
      if (this.#headed === 0 && chunk.length - at >= 4) {
        word = chunk.readUInt32BE(at)
        at += 4
      } else {
        this.#header[this.#headed++] = chunk[at++]!
        if (this.#headed < 4) continue
        this.#headed = 0
        word = this.#header.readUInt32BE()
      }
      const length = this.#length(word)
      if (length === undefined) continue
      if (length <= chunk.length - at) {
        this.#onFrame(chunk.subarray(at, at + length))
        at += length
      } else {
        this.#frame = Buffer.allocUnsafeSlow(length)
        this.#filled = 0
      }
    }
  }

  /** What a header announces; undefined for a keepalive. */
  #length(word: number): number | undefined {
    const type = word >>> 24
    const length = word & 0xff_ffff
    if (type === SESSION.KEEPALIVE && length === 0) return undefined
    if (type !== SESSION.MESSAGE) throw new WireError(`frame header 0x${word.toString(16).padStart(8, '0')} is no session message`, 0)
    if (length > LONGEST[this.#kind]) throw new WireError(`frame of ${length} bytes, ${LONGEST[this.#kind]} are possible`, 0)
    return length
  }
}
