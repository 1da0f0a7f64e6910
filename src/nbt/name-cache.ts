import { nameKey, type NetbiosName } from './names.ts'

/** As long as Windows remembers: 10 minutes, or the answer's own life where that is shorter. */
const LONGEST_MS = 600_000
const MOST = 256

interface Cached {
  readonly addresses: readonly string[]
  readonly until: number
}

/** Names that were found. */
export class NameCache {
  readonly #names = new Map<string, Cached>()
  readonly #now: () => number

  /** `now`: ms of a clock that never goes back. */
  constructor(now: () => number) {
    this.#now = now
  }

  /** `ttl` in seconds; 0: without end. */
  put(name: NetbiosName, addresses: readonly string[], ttl: number): void {
    const key = nameKey(name)
    this.#names.delete(key) // the newest stand last
    this.#names.set(key, { addresses, until: this.#now() + (ttl === 0 ? LONGEST_MS : Math.min(ttl * 1000, LONGEST_MS)) })
    const [oldest] = this.#names.keys()
    if (this.#names.size > MOST && oldest !== undefined) this.#names.delete(oldest)
  }

  get(name: NetbiosName): readonly string[] | undefined {
    const key = nameKey(name)
    const cached = this.#names.get(key)
    if (cached === undefined) return undefined
    if (cached.until > this.#now()) return cached.addresses
    this.#names.delete(key)
    return undefined
  }

  /** Its owner gave it up. */
  delete(name: NetbiosName): void {
    this.#names.delete(nameKey(name))
  }
}
