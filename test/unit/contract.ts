import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Codec, decode, Reader, WireError, Writer } from '../../src/base/wire.ts'

/**
 * What every codec owes: `value` encodes to the fixture byte for byte, from a one-byte Writer so that every write grows; the fixture decodes to
 * `value`; every truncation throws WireError; every change of one byte decodes or throws WireError. `optional` says how many bytes at the end
 * may be missing without an error, where the specification allows that.
 */
export function codecContract<T>(
  codec: Codec<T>,
  fixture: Buffer,
  value: T,
  { optional = 0, name = codec.name }: { optional?: number; name?: string } = {},
): void {
  describe(`${name} keeps the codec contract`, () => {
    test('encodes to the fixture', () => {
      const w = new Writer(1)
      codec.put(w, value)
      assert.equal(w.done().toString('hex'), fixture.toString('hex'))
    })
    test('decodes the fixture', () => {
      assert.deepEqual(decode(codec, fixture), value)
    })
    test('refuses every truncation', () => {
      for (let length = 0; length < fixture.length - optional; length++) {
        assert.throws(() => decode(codec, fixture.subarray(0, length)), WireError, `${length} of ${fixture.length} bytes`)
      }
    })
    test('decodes or refuses every change of one byte', () => {
      decodesOrRefuses(codec, fixture)
    })
  })
}

/** Every change of one byte of `fixture` decodes or throws WireError: nothing else. */
export function decodesOrRefuses<T>(codec: Codec<T>, fixture: Buffer): void {
  const bytes = Buffer.from(fixture)
  for (let at = 0; at < bytes.length; at++) {
    const kept = bytes[at]!
    for (let delta = 1; delta < 256; delta++) {
      bytes[at] = kept ^ delta
      try {
        codec.get(new Reader(bytes))
      } catch (thrown) {
        if (!(thrown instanceof WireError)) assert.fail(`byte ${at} as 0x${bytes[at]!.toString(16)}: ${String(thrown)}`)
      }
    }
    bytes[at] = kept
  }
}
