import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { NbtrunError } from '../../../src/base/errors.ts'
import { type Codec, decode, encode, Reader, WireError, Writer } from '../../../src/base/wire.ts'

const BYTES = Buffer.from('0123456789abcdeffe', 'hex')
const usage = { code: 'USAGE' }

describe('Reader', () => {
  test('reads every width in its byte order', () => {
    const at = (start: number): Reader => {
      const r = new Reader(BYTES)
      r.skip(start)
      return r
    }
    assert.equal(at(0).u8(), 0x01)
    assert.equal(at(7).u16(), 0xfeef)
    assert.equal(at(7).u16be(), 0xeffe)
    assert.equal(at(5).u32(), 0xfeefcdab)
    assert.equal(at(5).u32be(), 0xabcdeffe)
    assert.equal(at(0).u64(), 0xefcdab8967452301n)
    assert.equal(at(1).bytes(2).toString('hex'), '2345')
    assert.equal(at(8).rest().toString('hex'), 'fe')
  })

  test('moves by what it read, and not at all when it throws', () => {
    const reads: [number, (r: Reader) => unknown][] = [
      [1, r => r.u8()],
      [2, r => r.u16()],
      [2, r => r.u16be()],
      [4, r => r.u32()],
      [4, r => r.u32be()],
      [8, r => r.u64()],
      [3, r => r.bytes(3)],
      [4, r => r.utf16(4)],
      [5, r => r.skip(5)],
    ]
    for (const [width, read] of reads) {
      const r = new Reader(Buffer.alloc(width))
      read(r)
      assert.deepEqual([r.pos, r.left], [width, 0], String(read))
      for (let length = 0; length < width; length++) {
        const short = new Reader(Buffer.alloc(length))
        assert.throws(() => read(short), WireError)
        assert.equal(short.pos, 0, `${String(read)} of ${length} bytes`)
      }
    }
  })

  test('takes no negative, broken or huge count', () => {
    for (const n of [-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) assert.throws(() => new Reader(BYTES).take(n), WireError)
  })

  test('reads a 64-bit size up to 2^53-1 and refuses any above', () => {
    assert.equal(new Reader(Buffer.from('ffffffffffff1f00', 'hex')).u64n(), Number.MAX_SAFE_INTEGER)
    assert.throws(() => new Reader(Buffer.from('0000000000002000', 'hex')).u64n(), WireError)
  })

  test('finds a span by its offset alone, and none that leaves the message', () => {
    const r = new Reader(BYTES)
    r.skip(4)
    assert.equal(r.span(1, 2).toString('hex'), '2345')
    assert.equal(r.span(9, 0).length, 0)
    for (const [offset, length] of [
      [10, 0],
      [9, 1],
      [0, 10],
      [8, 0xffff_ffff],
      [0xffff_ffff, 0xffff_ffff],
    ] as const) {
      assert.throws(() => r.span(offset, length), WireError, `${offset}+${length}`)
    }
    assert.equal(r.pos, 4)
  })

  test('refuses half a UTF-16 unit', () => {
    assert.throws(() => new Reader(BYTES).utf16(3), WireError)
  })

  test('says which field is not what it must be', () => {
    assert.throws(() => new Reader(BYTES).fixed('StructureSize', 65, 64), { code: 'WIRE', message: 'StructureSize is 64, must be 65' })
  })
})

describe('Writer', () => {
  test('writes from one byte of room what the Reader reads', () => {
    const w = new Writer(1)
    w.u8(0xff)
      .u16(0xfffe)
      .u16be(0xfffd)
      .u32(0xffff_fffc)
      .u32be(0xffff_fffb)
      .u64(2n ** 64n - 1n)
      .u64n(Number.MAX_SAFE_INTEGER)
    w.bytes(BYTES).utf16('äß').zeros(2).align(16)
    const r = new Reader(w.done())
    assert.deepEqual([r.u8(), r.u16(), r.u16be(), r.u32(), r.u32be()], [0xff, 0xfffe, 0xfffd, 0xffff_fffc, 0xffff_fffb])
    assert.deepEqual([r.u64(), r.u64n(), r.bytes(9), r.utf16(4)], [2n ** 64n - 1n, Number.MAX_SAFE_INTEGER, BYTES, 'äß'])
    assert.equal(w.pos % 16, 0)
    assert.ok(r.rest().every(byte => byte === 0))
  })

  test('aligns from where the caller counts', () => {
    assert.equal(new Writer().zeros(5).align(8, 1).pos, 9)
    assert.equal(new Writer().zeros(9).align(8, 1).pos, 9)
  })

  test('patches what was written before, and nothing beside it', () => {
    const w = new Writer(1).u32(0xffff_ffff).u32(0xffff_ffff)
    w.patchU16(1, 0x0201)
    w.patchU32(4, 0x06050403)
    assert.equal(w.done().toString('hex'), 'ff0102ff03040506')
  })

  test('lets no old memory reach the wire', () => {
    Buffer.alloc(4096, 0xaa) // what the next allocation may find
    assert.ok(
      new Writer(1)
        .zeros(4096)
        .done()
        .every(byte => byte === 0),
    )
  })

  test('refuses a value that does not fit its field, as USAGE, and appends nothing', () => {
    const writes: ((w: Writer) => unknown)[] = [
      ...[-1, 0x100, 1.5, Number.NaN].map(v => (w: Writer) => w.u8(v)),
      ...[-1, 0x1_0000].flatMap(v => [(w: Writer) => w.u16(v), (w: Writer) => w.u16be(v)]),
      ...[-1, 0x1_0000_0000].flatMap(v => [(w: Writer) => w.u32(v), (w: Writer) => w.u32be(v)]),
      ...[-1, 2 ** 53].map(v => (w: Writer) => w.u64n(v)),
      ...[-1n, 2n ** 64n].map(v => (w: Writer) => w.u64(v)),
      w => w.patchU16(0, 0x1_0000),
      w => w.patchU32(0, -1),
    ]
    for (const write of writes) {
      const w = new Writer(16).u32(0)
      assert.throws(() => write(w), usage, String(write))
      assert.equal(w.pos, 4)
    }
  })
})

describe('encode and decode', () => {
  const pair: Codec<{ readonly a: number; readonly b: number }> = {
    name: 'pair',
    put: (w, m) => w.u8(m.a).u16(m.b),
    get: r => ({ a: r.u8(), b: r.u16() }),
  }

  test('are inverse, and trailing bytes are left alone', () => {
    const bytes = encode(pair, { a: 1, b: 2 }, 1)
    assert.equal(bytes.toString('hex'), '010200')
    assert.deepEqual(decode(pair, Buffer.concat([bytes, BYTES])), { a: 1, b: 2 })
  })

  test('a refusal names the codec, says where, and keeps its cause', () => {
    assert.throws(
      () => decode(pair, Buffer.from([1, 2])),
      (error: unknown) => error instanceof WireError && error.message === 'pair: need 2 bytes, have 1' && error.at === 1 && error.cause instanceof WireError,
    )
  })

  test('another error than a refusal passes as it is', () => {
    const failure = new NbtrunError('INTERNAL', 'x')
    const broken: Codec<never> = {
      name: 'broken',
      put: () => {},
      get() {
        throw failure
      },
    }
    assert.throws(() => decode(broken, BYTES), failure)
  })
})
