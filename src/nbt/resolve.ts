import { lookup } from 'node:dns/promises'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { asError, errnoOf, NbtrunError } from '../base/errors.ts'
import { now } from '../base/time.ts'
import { limited, unlessAborted } from './dial.ts'
import { findInLmhosts, readLmhosts, type ReadText } from './lmhosts.ts'
import type { NameCache } from './name-cache.ts'
import { NAME_ORDER, type NameSource } from './name-order.ts'
import { type NetbiosName, parseName, SUFFIX } from './names.ts'
import { lookUpName, type NameNetwork, spellAttempts } from './queries.ts'

export interface ResolveOptions {
  readonly order?: readonly NameSource[] | undefined
  /** An LMHOSTS file; one that is not there has no names. */
  readonly lmhosts?: string | undefined
  /** NetBIOS scope. */
  readonly scope?: string | undefined
  /** 20 unless told: a file server. */
  readonly suffix?: number | undefined
  /** For `wins` and `bcast`; they are passed over without it. */
  readonly network?: NameNetwork | undefined
  readonly cache?: NameCache | undefined
  /** For each source. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** Told of each source as it has answered or failed. */
  readonly trace?: ((attempt: ResolveAttempt) => void) | undefined
  /** Instead of the system's own. */
  readonly readText?: ReadText | undefined
  readonly dns?: ((host: string) => Promise<readonly string[]>) | undefined
}

/** What a source said. */
export interface ResolveAttempt {
  readonly what: 'look-up'
  readonly host: string
  readonly source: NameSource | 'cache'
  readonly outcome: 'found' | 'no such name' | `failed: ${string}` | `passed over: ${string}`
  readonly ms: number
}

export interface Resolved {
  /** In the order to be tried. */
  readonly addresses: readonly string[]
  readonly by: NameSource | 'address' | 'cache'
  readonly attempts: readonly ResolveAttempt[]
}

/** Finds a host's addresses. Rejects with HOST_NOT_FOUND, naming every source, or the signal's reason. */
export async function resolveHost(host: string, options: ResolveOptions): Promise<Resolved> {
  if (isIP(host) !== 0) return { addresses: [host], by: 'address', attempts: [] }
  return new Resolver(host, options).resolve()
}

class Resolver {
  readonly #host: string
  readonly #options: ResolveOptions
  /** The host as a NetBIOS name, if it can be one: a dotted name is DNS's alone. */
  readonly #name: NetbiosName | undefined
  readonly #attempts: ResolveAttempt[] = []
  #askedAt = now()

  constructor(host: string, options: ResolveOptions) {
    this.#host = host
    this.#options = options
    const { suffix = SUFFIX.SERVER, scope } = options
    this.#name = /^[^.#]{1,15}$/.test(host) ? parseName(host, suffix, scope) : undefined
  }

  async resolve(): Promise<Resolved> {
    const { order = NAME_ORDER, cache, signal, timeoutMs } = this.#options
    const known = this.#name === undefined ? undefined : cache?.get(this.#name)
    if (known !== undefined) return this.#found('cache', known)
    const preloaded = order.includes('lmhosts') ? await this.#lmhosts(true) : []
    if (preloaded.length > 0) return this.#found('lmhosts', preloaded)
    for (const source of order) {
      this.#askedAt = now()
      try {
        const addresses = await limited(signal, timeoutMs, `asking ${source} for ${this.#host}`, limit => this.#ask(source, limit))
        if (typeof addresses === 'string') this.#note(source, addresses)
        else if (addresses.length > 0) return this.#found(source, addresses)
        else this.#note(source, 'no such name')
      } catch (thrown) {
        signal?.throwIfAborted()
        this.#note(source, `failed: ${asError(thrown).message}`)
      }
    }
    const tried = this.#attempts.map(({ source, outcome }) => `${source}: ${outcome.replace(/^failed: /, '')}`).join(', ')
    throw new NbtrunError('HOST_NOT_FOUND', `server ${this.#host} not found (${tried})`, { hint: 'check the spelling, or name the server by its IP address' })
  }

  #found(by: Resolved['by'], addresses: readonly string[]): Resolved {
    if (by !== 'address') this.#note(by, 'found')
    return { addresses, by, attempts: this.#attempts }
  }

  #note(source: ResolveAttempt['source'], outcome: ResolveAttempt['outcome']): void {
    const attempt: ResolveAttempt = { what: 'look-up', host: this.#host, source, outcome, ms: now() - this.#askedAt }
    this.#attempts.push(attempt)
    this.#options.trace?.(attempt)
  }

  #ask(source: NameSource, limit: AbortSignal): Promise<readonly string[] | `passed over: ${string}`> {
    switch (source) {
      case 'lmhosts':
        return this.#lmhosts(false)
      case 'dns':
        return this.#dns(limit)
      case 'wins':
      case 'bcast':
        return this.#netbios(source, limit)
    }
  }

  async #lmhosts(preloadedOnly: boolean): Promise<readonly string[]> {
    const { lmhosts, readText = path => readFile(path, 'latin1') } = this.#options
    if (lmhosts === undefined || this.#name === undefined) return []
    const { entries } = await readLmhosts(lmhosts, readText)
    return findInLmhosts(preloadedOnly ? entries.filter(entry => entry.preloaded) : entries, this.#name)
  }

  async #dns(limit: AbortSignal): Promise<readonly string[]> {
    const { dns = systemLookup } = this.#options
    try {
      return [...new Set(await unlessAborted(limit, dns(this.#host)))]
    } catch (thrown) {
      if (errnoOf(thrown) === 'ENOTFOUND') return []
      throw thrown
    }
  }

  async #netbios(source: 'wins' | 'bcast', limit: AbortSignal): Promise<readonly string[] | `passed over: ${string}`> {
    const { network, cache } = this.#options
    if (this.#name === undefined) return 'passed over: not a NetBIOS name'
    if (network === undefined || (source === 'wins' && network.wins.length === 0)) return 'passed over: no name server is known'
    const { found, attempts } = await lookUpName({ ...network, nodeType: source === 'wins' ? 'P' : 'B' }, this.#name, limit)
    if (found === undefined) {
      if (attempts.every(({ outcome }) => outcome === 'no such name')) return []
      throw new NbtrunError('HOST_NOT_FOUND', spellAttempts(this.#name, attempts))
    }
    const addresses = [...new Set(found.owners.map(({ address }) => address))]
    cache?.put(this.#name, addresses, found.ttl)
    return addresses
  }
}

async function systemLookup(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true })
  return found.map(({ address }) => address)
}
