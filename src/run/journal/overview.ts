import { spellName } from '../../nbt/names.ts'
import { FORGOTTEN_MS, held, heldSmb1, namesLeft } from './keeper.ts'
import { here } from './origin.ts'
import { type Filed, Place } from './place.ts'

/** A run as its entry tells of it; null where the entry cannot be read. */
export interface Known {
  readonly run: string
  /** live: it runs; dead: it does not, and what it left is given back by the next run and by `reap`; unknown: nothing is proven, and nothing is touched. */
  readonly state: 'live' | 'dead' | 'unknown'
  /** Of what is unknown. */
  readonly why: string | null
  /** Of a live run on this machine. */
  readonly pid: number | null
  readonly host: string | null
  /** ISO 8601 */
  readonly began: string | null
  readonly program: string | null
  readonly shares: readonly string[]
  /** `until`, ISO 8601: a server holds it no longer, and it is forgotten. */
  readonly sessions: readonly { readonly server: string; readonly user: string; readonly id: string; readonly until: string }[]
  /** Of SMB1: no later login can end them. */
  readonly smb1: readonly { readonly server: string; readonly user: string; readonly uid: number }[]
  readonly mounts: readonly string[]
  /** Of Windows' own client: `P: \\srv\app`, or without a letter. */
  readonly connections: readonly string[]
  /** Of Wine: `P: of ~/.wine`, the path in full. */
  readonly drives: readonly string[]
  readonly folders: readonly string[]
  /** NetBIOS names: `PAYROLL<20>`, and the name servers that may have them. */
  readonly names: readonly { readonly name: string; readonly addresses: readonly string[]; readonly wins: readonly string[] }[]
}

/** Every entry of this user's journal, the oldest first. */
export function known(env: Readonly<Record<string, string | undefined>>): readonly Known[] {
  const all = Place.find(env)?.list() ?? []
  return all.map(knownOf).sort((a, b) => (a.began ?? '').localeCompare(b.began ?? ''))
}

const NOTHING = { sessions: [], smb1: [], mounts: [], drives: [], connections: [], folders: [], names: [] }

function knownOf({ name, entry, verdict }: Filed): Known {
  const told = { run: name.split('~', 1)[0] ?? name, state: verdict.state, why: verdict.state === 'unknown' ? verdict.why : null }
  if (entry === undefined) return { ...told, pid: null, host: null, began: null, program: null, shares: [], ...NOTHING }
  const { origin, began, program, shares, mounts, drives, connections, folders, names } = entry
  return {
    ...told,
    pid: origin.boot === here().boot ? origin.pid : null,
    host: origin.host,
    began: isoOf(began) || null,
    program,
    shares,
    sessions: (verdict.state === 'dead' ? held(entry) : entry.sessions).map(({ server, user, domain, id, at }) => ({
      server,
      user: accountOf(user, domain),
      id,
      until: isoOf(at + FORGOTTEN_MS),
    })),
    smb1: (verdict.state === 'dead' ? heldSmb1(entry) : entry.smb1).map(({ server, user, domain, uid }) => ({ server, user: accountOf(user, domain), uid })),
    mounts,
    connections: connections.map(({ device, remote }) => `${device} ${remote}`.trim()),
    drives: drives.map(({ prefix, letter }) => `${letter.toUpperCase()} of ${prefix}`),
    folders,
    names: (verdict.state === 'dead' ? namesLeft(entry) : names).map(name => ({ name: spellName(name), addresses: name.addresses, wins: name.wins })),
  }
}

/** Empty for what is no time. */
function isoOf(ms: number): string {
  const date = new Date(ms)
  return Number.isNaN(date.valueOf()) ? '' : date.toISOString()
}

/** As `--user` takes it. */
function accountOf(user: string, domain: string): string {
  return user === '' ? '(nobody)' : domain === '' ? user : `${domain}/${user}`
}
