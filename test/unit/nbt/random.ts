import type { NetbiosName } from '../../../src/nbt/names.ts'

/** Numbers that are the same for the same seed: mulberry32. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** 0 to n - 1. */
  below(n: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * n)
  }

  coin(): boolean {
    return this.below(2) === 1
  }

  bytes(n: number): Buffer {
    return Buffer.from(Array.from({ length: n }, () => this.below(256)))
  }

  pick<T>(from: readonly [T, ...T[]]): T {
    return from[this.below(from.length)] ?? from[0]
  }

  list<T>(longest: number, make: () => T): T[] {
    return Array.from({ length: this.below(longest + 1) }, make)
  }

  address(): string {
    return [...this.bytes(4)].join('.')
  }

  name(scoped = true): NetbiosName {
    const label = (): string =>
      this.bytes(1 + this.below(20))
        .toString('latin1')
        .replaceAll('.', '_')
    // a name ends in no space: it could not be told from the filling
    const text = this.bytes(this.below(16)).toString('latin1').replace(/ +$/, '')
    return { text, suffix: this.below(256), scope: scoped ? this.list(3, label).join('.') : '' }
  }

  /** A copy with some bytes changed, cut off, doubled or put in. */
  mutate(bytes: Buffer): Buffer {
    let out = Buffer.from(bytes)
    for (let n = 1 + this.below(4); n > 0; n--) {
      const at = this.below(out.length + 1)
      switch (this.below(4)) {
        case 0:
          if (at < out.length) out[at] = this.below(256)
          break
        case 1:
          out = out.subarray(0, at)
          break
        case 2:
          out = Buffer.concat([out.subarray(0, at), this.bytes(this.below(8)), out.subarray(at)])
          break
        default:
          out = Buffer.concat([out.subarray(0, at), out.subarray(this.below(at + 1))])
      }
    }
    return out
  }
}
