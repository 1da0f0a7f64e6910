import { NbtrunError } from './errors.ts'

/** Bytes from the network that do not decode; `at` is the offset where reading failed. */
export class WireError extends NbtrunError {
  readonly at: number
  constructor(message: string, at: number, cause?: unknown) {
    super('WIRE', message, { facts: { at }, ...(cause === undefined ? {} : { cause }) })
    this.at = at
  }
}

/** One message: `put` appends it, `get` reads it where the reader stands. */
export interface Codec<T> {
  readonly name: string
  put(w: Writer, value: T): void
  get(r: Reader): T
}

/** A cursor over received bytes. Every read moves on or throws WireError without moving. */
export class Reader {
  readonly buf: Buffer
  pos = 0

  constructor(buf: Buffer) {
    this.buf = buf
  }

  get left(): number {
    return this.buf.length - this.pos
  }

  /** Claims n bytes and returns where they start: the only bounds check. */
  take(n: number): number {
    const at = this.pos
    if (!(n >= 0 && n <= this.buf.length - at)) throw new WireError(`need ${n} bytes, have ${this.buf.length - at}`, at)
    this.pos = at + n
    return at
  }

  u8(): number {
    return this.buf[this.take(1)]!
  }
  u16(): number {
    const a = this.take(2),
      b = this.buf
    return b[a]! | (b[a + 1]! << 8)
  }
  u16be(): number {
    const a = this.take(2),
      b = this.buf
    return (b[a]! << 8) | b[a + 1]!
  }
  u32(): number {
    const a = this.take(4),
      b = this.buf
    return (b[a]! | (b[a + 1]! << 8) | (b[a + 2]! << 16) | (b[a + 3]! << 24)) >>> 0
  }
  u32be(): number {
    const a = this.take(4),
      b = this.buf
    return ((b[a]! << 24) | (b[a + 1]! << 16) | (b[a + 2]! << 8) | b[a + 3]!) >>> 0
  }
  /** An opaque 64-bit id. */
  u64(): bigint {
    return this.buf.readBigUInt64LE(this.take(8))
  }
  /** A 64-bit count or size that must fit a double. */
  u64n(): number {
    const low = this.u32(),
      high = this.u32()
    if (high > 0x1f_ffff) throw new WireError('64-bit value above 2^53-1', this.pos - 8)
    return high * 0x1_0000_0000 + low
  }
  skip(n: number): void {
    this.take(n)
  }
  /** The next n bytes as a view: copy what outlives the message. */
  bytes(n: number): Buffer {
    const at = this.take(n)
    return this.buf.subarray(at, at + n)
  }
  /** A view by offset from the start of the message, wherever the cursor stands. */
  span(offset: number, length: number): Buffer {
    if (offset > this.buf.length || length > this.buf.length - offset) throw new WireError(`bytes ${offset}+${length} are outside`, this.pos)
    return this.buf.subarray(offset, offset + length)
  }
  utf16(bytes: number): string {
    if (bytes % 2 !== 0) throw new WireError(`UTF-16 string of ${bytes} bytes`, this.pos)
    return this.bytes(bytes).toString('utf16le')
  }
  fixed(field: string, want: number, got: number): void {
    if (got !== want) throw new WireError(`${field} is ${got}, must be ${want}`, this.pos)
  }
  rest(): Buffer {
    return this.bytes(this.left)
  }
}

/** One growing buffer. A value that does not fit its field is refused, never cut. */
export class Writer {
  buf: Buffer
  pos = 0

  constructor(capacity = 256) {
    this.buf = Buffer.allocUnsafe(capacity)
  }

  /** Room for n more bytes; returns where they start. May replace `buf`: call it first. */
  need(n: number): number {
    const at = this.pos,
      end = at + n
    if (end > this.buf.length) {
      const grown = Buffer.allocUnsafe(Math.max(end, 2 * this.buf.length))
      this.buf.copy(grown, 0, 0, at)
      this.buf = grown
    }
    this.pos = end
    return at
  }

  u8(v: number): this {
    fits(v, 0xff)
    const a = this.need(1)
    this.buf[a] = v
    return this
  }
  u16(v: number): this {
    fits(v, 0xffff)
    const a = this.need(2),
      b = this.buf
    b[a] = v & 0xff
    b[a + 1] = v >>> 8
    return this
  }
  u16be(v: number): this {
    fits(v, 0xffff)
    const a = this.need(2),
      b = this.buf
    b[a] = v >>> 8
    b[a + 1] = v & 0xff
    return this
  }
  u32(v: number): this {
    fits(v, 0xffff_ffff)
    const a = this.need(4),
      b = this.buf
    b[a] = v & 0xff
    b[a + 1] = (v >>> 8) & 0xff
    b[a + 2] = (v >>> 16) & 0xff
    b[a + 3] = v >>> 24
    return this
  }
  u32be(v: number): this {
    fits(v, 0xffff_ffff)
    const a = this.need(4),
      b = this.buf
    b[a] = v >>> 24
    b[a + 1] = (v >>> 16) & 0xff
    b[a + 2] = (v >>> 8) & 0xff
    b[a + 3] = v & 0xff
    return this
  }
  u64(v: bigint): this {
    if (v < 0n || v > 0xffff_ffff_ffff_ffffn) throw new NbtrunError('USAGE', `value ${v} does not fit its field (64 bits)`)
    const a = this.need(8)
    this.buf.writeBigUInt64LE(v, a)
    return this
  }
  u64n(v: number): this {
    fits(v, Number.MAX_SAFE_INTEGER)
    return this.u32(v % 0x1_0000_0000).u32(Math.floor(v / 0x1_0000_0000))
  }
  zeros(n: number): this {
    const a = this.need(n)
    this.buf.fill(0, a, a + n)
    return this
  }
  bytes(data: Uint8Array): this {
    const a = this.need(data.length)
    this.buf.set(data, a)
    return this
  }
  utf16(text: string): this {
    const a = this.need(2 * text.length)
    this.buf.write(text, a, 'utf16le')
    return this
  }
  /** Zeros until `pos` is a multiple of n from `from`. */
  align(n: number, from = 0): this {
    const over = (this.pos - from) % n
    return over === 0 ? this : this.zeros(n - over)
  }
  patchU16(at: number, v: number): void {
    fits(v, 0xffff)
    this.buf[at] = v & 0xff
    this.buf[at + 1] = v >>> 8
  }
  patchU32(at: number, v: number): void {
    fits(v, 0xffff_ffff)
    this.buf.writeUInt32LE(v, at)
  }
  /** What was written, as a view. */
  done(): Buffer {
    return this.buf.subarray(0, this.pos)
  }
}

function fits(v: number, max: number): void {
  if (!(Number.isInteger(v) && v >= 0 && v <= max)) throw new NbtrunError('USAGE', `value ${v} does not fit its field (0 to ${max})`)
}

export function encode<T>(codec: Codec<T>, value: T, capacity?: number): Buffer {
  const w = new Writer(capacity)
  codec.put(w, value)
  return w.done()
}

/** Decodes a whole message; errors name the codec. Trailing bytes are the peer's business and left alone. */
export function decode<T>(codec: Codec<T>, bytes: Buffer): T {
  try {
    return codec.get(new Reader(bytes))
  } catch (thrown) {
    if (thrown instanceof WireError) throw new WireError(`${codec.name}: ${thrown.message}`, thrown.at, thrown)
    throw thrown
  }
}
