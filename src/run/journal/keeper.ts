import type { SessionBook } from '../../smb/lifeline/login.ts'
import type { Connection, ServerId } from '../../smb/resources.ts'
import type { Entry, NameLine, SessionLine, Smb1Line } from './entry.ts'
import { fallenOf } from './fallen.ts'
import type { Journal } from './journal.ts'
import { here } from './origin.ts'
import type { Claimed } from './place.ts'

/** Whose sessions on which server. */
export interface Account {
  readonly server: string
  readonly user: string
  readonly domain: string
}

/** No server holds a dead client's session for so long, ms; and one that starts anew may give its id to another. */
export const FORGOTTEN_MS = 24 * 3600 * 1000
/** A login waits no longer to know whether a connection fell, ms. */
const DOUBT_MS = 1500
/** So many are ended by one login, and more by the next one. */
const MAX_ORPHANS = 64

/** The sessions of a dead run that its servers may still hold. */
export function held({ sessions }: Pick<Entry, 'sessions'>): readonly SessionLine[] {
  return sessions.filter(({ at }) => Date.now() - at < FORGOTTEN_MS)
}

/** The SMB1 sessions of a dead run that its servers may still hold: one of this boot fell with its connection, which the kernel closed. */
export function heldSmb1({ smb1, origin }: Pick<Entry, 'smb1' | 'origin'>): readonly Smb1Line[] {
  return origin.boot === here().boot ? [] : smb1.filter(({ at }) => Date.now() - at < FORGOTTEN_MS)
}

/** Whether something of a dead run is still to be given back. */
export function holdsAny(entry: Entry): boolean {
  const { folders, mounts, drives, connections } = entry
  return [held(entry), heldSmb1(entry), namesLeft(entry), folders, mounts, drives, connections].some(some => some.length > 0)
}

/** A name server that heard nothing of a name for so long has forgotten it: 6 days, with Windows and with Samba at the most, ms. */
const UNREFRESHED_MS = 6 * 24 * 3600 * 1000

/** The names of a dead run that name servers may still have. What was only told to the wire went with it. */
export function namesLeft({ names }: Pick<Entry, 'names'>): readonly NameLine[] {
  return names.filter(({ at, wins }) => wins.length > 0 && Date.now() - at < UNREFRESHED_MS)
}

/** A server has ended every session of this machine: those that the dead had there are listed no more. */
export function forgetSmb1(journal: Journal, server: string): void {
  for (const filed of journal.others()) {
    if (filed.verdict.state !== 'dead' || filed.entry?.smb1.some(line => sameHost(line.server, server)) !== true) continue
    const claimed = journal.place?.claim(filed, journal.run)
    if (claimed === undefined) continue
    const gone = claimed.entry.smb1.filter(line => sameHost(line.server, server))
    const smb1 = claimed.entry.smb1.filter(line => !gone.includes(line))
    const lines = gone.map(({ server: host, uid }) => ({ what: 'no-smb1', server: host, uid }) as const)
    journal.place?.settle(claimed, lines, !holdsAny({ ...claimed.entry, smb1 }))
  }
}

const sameHost = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase()

/** Keeps account of the sessions of one user on one server: those of this run, and those of dead runs, which its login ends. */
export class Keeper implements SessionBook {
  readonly #journal: Journal
  readonly #account: Account
  /** Entries of dead runs that are ours while we log in, by the ids of their sessions. */
  readonly #orphans = new Map<bigint, Claimed>()
  readonly #ended = new Set<bigint>()
  /** Those of this run that are of SMB1, by their UIDs. */
  readonly #smb1 = new Set<bigint>()

  constructor(journal: Journal, account: Account) {
    this.#journal = journal
    this.#account = account
  }

  async orphans({ serverId }: Connection): Promise<readonly bigint[]> {
    if (serverId === undefined) return []
    const { place, run } = this.#journal
    const server = written(serverId)
    const ours = (line: SessionLine): boolean => sameServer(line, { ...server, server: this.#account.server }) && sameAccount(line, this.#account)
    const dead = this.#journal.others().filter(({ verdict, entry }) => verdict.state === 'dead' && entry !== undefined && held(entry).some(ours))
    const isDoubtful = (line: SessionLine): boolean => isCounted(line) && (line.serverStart === '0' || server.serverStart === '0')
    const doubtful = dead.flatMap(({ entry }) => held(entry!).filter(line => ours(line) && isDoubtful(line)))
    const fallen = await fallenOf(
      doubtful.flatMap(({ id, ends }) => (ends === undefined ? [] : [{ key: id, ends }])),
      DOUBT_MS,
    )
    for (const filed of dead) {
      if (this.#orphans.size >= MAX_ORPHANS) break
      if (!held(filed.entry!).some(line => ours(line) && (!isDoubtful(line) || fallen.has(line.id)))) continue
      const claimed = place?.claim(filed, run)
      if (claimed === undefined) continue
      for (const line of held(claimed.entry).filter(ours)) {
        if (isDoubtful(line) && !fallen.has(line.id)) continue // nobody knows: it stays
        this.#orphans.set(idOf(line), claimed)
        if (isDoubtful(line)) this.#ended.add(idOf(line))
      }
    }
    return [...this.#orphans.keys()].filter(id => !this.#ended.has(id))
  }

  async taking({ serverId, dialect, transport: { ends } }: Connection, id: bigint): Promise<void> {
    if (dialect === 'NT1') {
      this.#smb1.add(id)
      return this.#journal.smb1({ ...this.#account, uid: Number(id) })
    }
    if (serverId === undefined) return
    await this.#journal.session({ ...this.#account, ...written(serverId), id: id.toString(16), ...(ends === undefined ? {} : { ends }) })
  }

  gone(id: bigint): void {
    if (this.#smb1.delete(id)) this.#journal.smb1Gone(this.#account.server, Number(id))
    else if (this.#orphans.has(id)) this.#ended.add(id)
    else this.#journal.sessionGone(id.toString(16))
  }

  /** What the login did not end is left to others. */
  settled(): void {
    for (const claimed of new Set(this.#orphans.values())) {
      const { sessions } = claimed.entry
      const gone = sessions.filter(line => this.#ended.has(idOf(line)))
      this.#journal.place?.settle(
        claimed,
        gone.map(({ id }) => ({ what: 'no-session', id })),
        !holdsAny({ ...claimed.entry, sessions: sessions.filter(line => !gone.includes(line)) }),
      )
    }
    this.#orphans.clear()
    this.#ended.clear()
  }
}

/**
 * Whether the server counts its sessions, rather than draws their ids: one that was started since, and does not tell, may have given the id to somebody else.
 * Samba draws 32 bits.
 */
function isCounted(line: SessionLine): boolean {
  return (idOf(line) & 0xffff_ffffn) < 0x1_0000n
}

function idOf({ id }: SessionLine): bigint {
  return BigInt(`0x${id}`)
}

function written({ guid, started }: ServerId): Pick<SessionLine, 'guid' | 'serverStart'> {
  return { guid: guid.toString('hex'), serverStart: String(started) }
}

/** By its guid, whatever it is called; by its name where it has none. One that was started since then has none of the sessions from before. */
function sameServer(one: SessionLine, other: Pick<SessionLine, 'guid' | 'serverStart' | 'server'>): boolean {
  if (one.guid !== other.guid) return false
  if (/^0+$/.test(one.guid) && one.server.toLowerCase() !== other.server.toLowerCase()) return false
  return one.serverStart === other.serverStart || one.serverStart === '0' || other.serverStart === '0'
}

/** The server looks whether they are the same user; a domain may be left out. */
function sameAccount(one: Pick<SessionLine, 'user' | 'domain'>, other: Account): boolean {
  const equal = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()
  return equal(one.user, other.user) && (equal(one.domain, other.domain) || one.domain === '' || other.domain === '')
}
