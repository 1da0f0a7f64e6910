import { Reader, WireError, type Writer } from '../../base/wire.ts'
import { HEADER_SIZE } from './header.ts'

/** Behind the header: words, counted by twos, and bytes. [MS-CIFS] 2.2.3.2 and 2.2.3.3. */
export interface Block {
  readonly words: Reader
  readonly bytes: Reader
  /** Where the bytes begin, from the body's start. */
  readonly bytesAt: number
}

/** No further command in the message. [MS-CIFS] 2.2.3.4. */
export const NO_ANDX = 0xff

/** `bytes` is told where the body began, for what is aligned: the header before it is 32 bytes long. */
export function putBlock(w: Writer, words: (w: Writer) => void, bytes: (w: Writer, start: number) => void = () => {}): void {
  const start = w.pos
  w.u8(0)
  words(w)
  w.buf[start] = (w.pos - start - 1) / 2
  const countAt = w.pos
  w.u16(0)
  bytes(w, start)
  w.patchU16(countAt, w.pos - countAt - 2)
}

/** The body, which begins where the reader's buffer does. `wants` says how many words it may have. */
export function getBlock(r: Reader, ...wants: readonly number[]): Block {
  const count = r.u8()
  if (!wants.includes(count)) throw new WireError(`WordCount is ${count}, must be ${wants.join(' or ')}`, r.pos)
  const words = new Reader(r.bytes(2 * count))
  const length = r.u16()
  return { words, bytesAt: r.pos, bytes: new Reader(r.bytes(length)) }
}

/** AndXCommand, AndXReserved, AndXOffset. */
export function putAndX(w: Writer): void {
  w.u8(NO_ANDX).u8(0).u16(0)
}

export function skipAndX(words: Reader): void {
  words.skip(4)
}

/** By an offset from the header's start, as messages have them. */
export function spanOf(r: Reader, offset: number, length: number): Buffer {
  if (length === 0) return Buffer.alloc(0)
  if (offset < HEADER_SIZE) throw new WireError(`offset ${offset} lies in the header`, r.pos)
  return r.span(offset - HEADER_SIZE, length)
}
