import { type Codec, Reader, WireError, Writer } from '../../base/wire.ts'
import { MESSAGE_LENGTH } from './device.ts'

// Between nbtrun and a relay pass the kernel's own messages, each of which begins with its length: requests one way, replies the other. Two things are
// added. A reply with the highest bit of its length set asks to be told whether the kernel took it. And where a request has its opcode, the relay's own
// words have 0, which no request of the kernel has.

const ASKS = 0x80
const WORD_LENGTH = 20

/** What a relay has to say for itself. `end`: no request will come any more. */
export interface Word {
  readonly what: 'taken' | 'gone' | 'refused' | 'end'
  /** Of the reply it is about; for `refused` the reply's length. */
  readonly value: number
}
const WORDS = ['taken', 'gone', 'refused', 'end'] as const satisfies readonly Word['what'][]

export const word: Codec<Word> = {
  name: 'word of a relay',
  put(w, { what, value }) {
    w.u32(WORD_LENGTH).u32(0).u64n(value).u32(WORDS.indexOf(what))
  },
  get(r) {
    r.fixed('length', WORD_LENGTH, r.u32())
    r.fixed('opcode', 0, r.u32())
    const value = r.u64n()
    const what = WORDS[r.u32()]
    if (what === undefined) throw new WireError('no such word', r.pos)
    return { what, value }
  },
}

export function wordFrame(what: Word['what'], value = 0): Buffer {
  const w = new Writer(WORD_LENGTH)
  word.put(w, { what, value })
  return w.done()
}

/** The word in this frame, or undefined where it is a request of the kernel. */
export function wordOf(frame: Buffer): Word | undefined {
  return frame.readUInt32LE(4) === 0 ? word.get(new Reader(frame)) : undefined
}

/** Marks a reply, or looks whether it is marked and takes the mark away. */
export function markAsking(reply: Buffer): void {
  reply[3]! |= ASKS
}
export function takeAsking(reply: Buffer): boolean {
  const asks = (reply[3]! & ASKS) !== 0
  reply[3]! &= ~ASKS
  return asks
}

/** Cuts a stream into frames, each in memory of its own kind: whoever gets one may keep it. Throws WireError on a length that no message has. */
export class FrameReader {
  readonly #deliver: (frame: Buffer) => void
  readonly #head = Buffer.alloc(4)
  #headFill = 0
  #frame: Buffer | undefined
  #fill = 0

  constructor(deliver: (frame: Buffer) => void) {
    this.#deliver = deliver
  }

  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#frame === undefined && this.#headFill === 0 && chunk.length - at >= 4) {
        const length = lengthOf(chunk, at)
        if (chunk.length - at >= length) {
          this.#deliver(chunk.subarray(at, at + length))
          at += length
          continue
        }
      }
      at = this.#collect(chunk, at)
    }
  }

  /** Takes what it can of the bytes from `at` on; returns where it stopped. */
  #collect(chunk: Buffer, at: number): number {
    if (this.#frame === undefined) {
      const taken = chunk.copy(this.#head, this.#headFill, at, Math.min(chunk.length, at + 4 - this.#headFill))
      this.#headFill += taken
      if (this.#headFill < 4) return at + taken
      this.#frame = Buffer.allocUnsafeSlow(lengthOf(this.#head, 0))
      this.#fill = this.#head.copy(this.#frame)
      return at + taken
    }
    const taken = chunk.copy(this.#frame, this.#fill, at)
    this.#fill += taken
    if (this.#fill === this.#frame.length) {
      const frame = this.#frame
      this.#frame = undefined
      this.#headFill = 0
      this.#deliver(frame)
    }
    return at + taken
  }
}

const SHORTEST = 16

function lengthOf(bytes: Buffer, at: number): number {
  const length = (bytes.readUInt32LE(at) & 0x7fffffff) >>> 0
  if (length < SHORTEST || length > MESSAGE_LENGTH) throw new WireError(`a message of ${length} bytes`, at)
  return length
}
