import { WireError, type Reader, type Writer } from '../../base/wire.ts'

/** Referent ids of pointers, as Microsoft's and Samba's stubs number them. */
const FIRST_REFERENT = 0x0002_0000

/**
 * Writes NDR with 32-bit pointers, little-endian. [C706] 14. Alignment counts from where it was made: the start of the stub. Each item pads what stands
 * before it, so that nothing pads the end.
 */
export class NdrWriter {
  readonly w: Writer
  readonly #start: number
  #referent = FIRST_REFERENT

  constructor(w: Writer) {
    this.w = w
    this.#start = w.pos
  }

  u32(value: number): this {
    this.w.align(4, this.#start).u32(value)
    return this
  }

  /** A pointer: what it points to is written where its kind says. Returns whether there is something. */
  pointer(there: boolean): boolean {
    this.u32(there ? this.#referent : 0)
    if (there) this.#referent += 4
    return there
  }

  /** A conformant varying string with its NUL: max_count, offset, actual_count, characters. [C706] 14.3.4.2. */
  text(text: string): this {
    const length = text.length + 1
    this.u32(length).u32(0).u32(length)
    this.w.utf16(text).u16(0)
    return this
  }

  /** A [unique, string] parameter: what a top-level pointer points to follows at once. [C706] 14.3.12.3. */
  uniqueText(text: string | null): this {
    if (text !== null && this.pointer(true)) return this.text(text)
    this.pointer(false)
    return this
  }

  uniqueU32(value: number | null): this {
    if (value !== null && this.pointer(true)) return this.u32(value)
    this.pointer(false)
    return this
  }
}

/** Reads what `NdrWriter` writes, whoever wrote it: padding and referent ids are the peer's business. */
export class NdrReader {
  readonly r: Reader
  readonly #start: number

  constructor(r: Reader) {
    this.r = r
    this.#start = r.pos
  }

  u32(): number {
    const over = (this.r.pos - this.#start) % 4
    if (over !== 0) this.r.skip(4 - over)
    return this.r.u32()
  }

  /** Whether a pointer points to something. */
  pointer(): boolean {
    return this.u32() !== 0
  }

  /** Up to its NUL. Its lengths are believed only as far as there are bytes. */
  text(): string {
    const max = this.u32()
    this.r.fixed('string offset', 0, this.u32())
    const actual = this.u32()
    if (actual > max) throw new WireError(`string of ${actual} characters in an array of ${max}`, this.r.pos)
    const text = this.r.utf16(2 * actual)
    const end = text.indexOf('\0')
    return end < 0 ? text : text.slice(0, end)
  }

  uniqueText(): string | null {
    return this.pointer() ? this.text() : null
  }

  uniqueU32(): number | null {
    return this.pointer() ? this.u32() : null
  }
}
