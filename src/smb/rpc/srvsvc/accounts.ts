import type { Struct } from '../struct.ts'
import { SESSION, SHARE, SHARE_KIND, SHARE_SPECIAL } from './levels.ts'

/** What a server shares. */
export interface SharedThing {
  readonly name: string
  readonly kind: (typeof SHARE_KIND)[number]
  /** Administrative: ADMIN$, IPC$, C$. */
  readonly special: boolean
  readonly remark: string
  /** How many may use it at once, and how many do: null where the server does not say; a limit of Infinity is none. */
  readonly limit: number | null
  readonly uses: number | null
  /** The folder on the server, `C:\\app`; empty where it does not say. */
  readonly path: string
}

/** A session as the server counts it; null is what it does not say at this level, or at all. */
export interface HeldSession {
  /** Without backslashes: `10.0.0.9`, `CLIENT1`. */
  readonly client: string
  readonly user: string | null
  readonly opens: number | null
  /** Since the login, s. */
  readonly seconds: number | null
  readonly idle: number | null
  readonly clientType: string | null
  readonly transport: string | null
}

export interface HeldConnection {
  readonly share: string | null
  readonly client: string | null
  readonly user: string | null
  readonly opens: number
  readonly seconds: number
}

export interface HeldFile {
  readonly id: number
  readonly path: string
  readonly user: string
  readonly locks: number
}

const NOT_KNOWN = 0xffff_ffff
const NO_LIMIT = 0xffff_ffff

export type SessionLevel = keyof typeof SESSION

/** The rows of one level. Samba counts nobody's idle time and says 0 for all: where nobody idles, nothing is known. */
export function heldSessions<L extends SessionLevel>(rows: readonly Struct<(typeof SESSION)[L]>[]): HeldSession[] {
  const known = rows as readonly Partial<Struct<(typeof SESSION)[502]>>[]
  const counts = known.some(({ idle = 0 }) => idle !== 0 && idle !== NOT_KNOWN)
  const number = (value: number | undefined): number | null => (value === undefined || value === NOT_KNOWN ? null : value)
  return known.map(({ client = '', user, opens, seconds, idle, clientType, transport }) => ({
    client: client.replace(/^\\+/, ''),
    user: user ?? null,
    opens: number(opens),
    seconds: number(seconds),
    idle: counts ? number(idle) : null,
    clientType: clientType ?? null,
    transport: transport ?? null,
  }))
}

type Share1 = Struct<(typeof SHARE)[1]>
type Share2 = Struct<(typeof SHARE)[2]>

/** A row of level 1 or 2. */
export function sharedThing({ name, type, remark, maxUses, uses, path = '' }: Share1 & Partial<Share2>): SharedThing {
  return {
    name,
    kind: SHARE_KIND[type & 3] ?? 'disk',
    special: (type & SHARE_SPECIAL) !== 0,
    remark,
    limit: maxUses === undefined ? null : maxUses === NO_LIMIT ? Number.POSITIVE_INFINITY : maxUses,
    uses: uses ?? null,
    path,
  }
}
