import { lookup } from 'node:dns/promises'
import { existsSync } from 'node:fs'
import { errnoOf, NbtrunError } from '../base/errors.ts'
import { now, spell } from '../base/time.ts'
import { unlessAborted } from './dial.ts'
import type { NameCache } from './name-cache.ts'
import { NAME_ORDER, type NameSource } from './name-order.ts'
import type { NameNetwork } from './queries.ts'
import type { ResolveAttempt, Resolved } from './resolve.ts'

// This stands on the way of every run: what NetBIOS needs is loaded where a name can be NetBIOS' at all.

export interface FindingHow {
  /** For everything that is asked. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
  readonly trace?: ((attempt: ResolveAttempt) => void) | undefined
}

export type Found = Pick<Resolved, 'addresses' | 'by'>

/** Finds a host's addresses, at least one. Rejects with HOST_NOT_FOUND, naming each source that was asked, or the signal's reason. */
export type FindHost = (host: string, how: FindingHow) => Promise<Found>

export interface FinderOptions {
  readonly order?: readonly NameSource[] | undefined
  /** Name servers, the first one first. */
  readonly wins?: readonly string[] | undefined
  readonly scope?: string | undefined
  readonly lmhosts?: string | undefined
  /** A node of ours whose port asks name servers and wires; without it a port for each time. */
  readonly network?: NameNetwork | undefined
}

/** Where Samba and this system's tools have it. */
export const LMHOSTS = '/etc/samba/lmhosts'

/** A way of finding hosts that remembers what name servers told it. */
export function hostFinder(options: FinderOptions = {}): FindHost {
  let cache: NameCache | undefined
  return async (host, how) => {
    const order = worthAsking(host, options)
    if (order.length === 1 && order[0] === 'dns') return findInDns(host, how)
    const [{ resolveHost }, { withNames }, names, { BRISK_TIMES }] = await Promise.all([
      import('./resolve.ts'),
      import('./api.ts'),
      import('./name-cache.ts'),
      import('./times.ts'),
    ])
    cache ??= new names.NameCache(now)
    const { wins = [], scope, lmhosts = LMHOSTS } = options
    const { signal, trace, timeoutMs } = how
    const asking = { order, lmhosts, scope, cache, signal, trace, timeoutMs: timeoutMs / order.length } // a silent source leaves the others their part
    if (options.network !== undefined || !order.some(isNetbios)) return resolveHost(host, { ...asking, network: options.network })
    return withNames({ wins, scope, times: BRISK_TIMES }, network => resolveHost(host, { ...asking, network }))
  }
}

const isNetbios = (source: NameSource): boolean => source === 'wins' || source === 'bcast'

/** The sources that may know this host: a dotted name is DNS's alone. All of them where none may, so that the error can say so. */
function worthAsking(host: string, { order = NAME_ORDER, wins = [], lmhosts = LMHOSTS }: FinderOptions): readonly NameSource[] {
  const may: Readonly<Record<NameSource, () => boolean>> = {
    lmhosts: () => !host.includes('.') && existsSync(lmhosts),
    dns: () => true,
    wins: () => !host.includes('.') && wins.length > 0,
    bcast: () => !host.includes('.'),
  }
  const some = order.filter(source => may[source]())
  return some.length === 0 ? order : some
}

/** What the system's own resolver says. */
export const findInDns: FindHost = async (host, { timeoutMs, signal, trace }) => {
  const began = now()
  let why = 'it has no address'
  let cause: unknown
  const note = (outcome: ResolveAttempt['outcome']): void => trace?.({ what: 'look-up', host, source: 'dns', outcome, ms: now() - began })
  try {
    const found = await unlessAborted(signal, lookup(host, { all: true }))
    if (found.length > 0) {
      note('found')
      return { addresses: [...new Set(found.map(({ address }) => address))], by: 'dns' }
    }
  } catch (thrown) {
    cause = thrown
    if (signal.aborted) why = `no answer from DNS within ${spell(timeoutMs)}`
    else why = errnoOf(thrown) === 'ENOTFOUND' ? 'no such name' : `DNS says ${errnoOf(thrown) ?? String(thrown)}`
  }
  note(why === 'no such name' ? why : `failed: ${why}`)
  throw new NbtrunError('HOST_NOT_FOUND', `server ${host} not found: ${why}`, { cause, hint: 'check the spelling, or name the server by its IP address' })
}
