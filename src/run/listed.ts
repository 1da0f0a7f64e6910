import { now } from '../base/time.ts'
import type { HeldSession } from '../smb/rpc/srvsvc/accounts.ts'
import type { ServerService } from '../smb/rpc/srvsvc/service.ts'
import { endPair, samePair } from './closing.ts'
import { mayBeOurs, sameUser } from './ours.ts'

/** What a server says about a session after its end. */
export interface Verification {
  /** Whether it is gone; null where that could not be found out. */
  readonly verified: boolean | null
  /** How that was found out, or why not. */
  readonly text: string
  /** Nobody need be told: all is as it should be. */
  readonly usual?: boolean
}

/** Of several servers. */
export function together(all: readonly Verification[]): Verification {
  const verified = all.some(v => v.verified === false) ? false : all.every(v => v.verified === true) ? true : null
  return { verified, text: all.map(({ text }) => text).join('; '), usual: all.every(v => v.verified === true || v.usual === true) }
}

/** What an administrator found, and whether he had the server end it. */
export type Listed = Verification & { readonly ended?: boolean }

/** A session as a list of the server may have it. */
export interface Sought {
  readonly who: string
  /** A guest's or nobody's. */
  readonly nameless: boolean
  /** By `now()`. */
  readonly beganAt: number
}

/** How far the server's count of a session's age may be off, s. */
const AGE_SLACK = 5

type Found = { readonly fits: readonly HeldSession[] } | { readonly why: string }

/**
 * Which rows may be the session. The row of whoever asks says what the server calls this machine; where it lists that one not, its list proves nothing.
 * Rows of another age than the session's are those of others.
 */
export function findSession(rows: readonly HeldSession[], { who, nameless, beganAt }: Sought, asker: string): Found {
  const [asking] = [...mayBeOurs(rows, asker)].sort((a, b) => (a.seconds ?? 0) - (b.seconds ?? 0))
  if (asking === undefined) return { why: 'the session that asks is not on it' }
  if (nameless) return { why: 'the session had no user' }
  if (rows.every(({ user }) => user === null)) return { why: 'it names no users' }
  const here = mayBeOurs(rows, asker).map(({ client }) => client.toLowerCase())
  const fits = rows.filter(row => row !== asking && sameUser(row.user, who) && here.includes(row.client.toLowerCase()))
  const age = (now() - beganAt) / 1000
  return { fits: fits.filter(({ seconds }) => seconds === null || Math.abs(seconds - age) <= AGE_SLACK) }
}

/** The server ends all sessions of a client and user together: only where there is none but ours, and the one that asks is not one of them. */
export async function endOnly(
  service: ServerService,
  fit: HeldSession,
  rows: readonly HeldSession[],
  asker: string,
  host: string,
  signal: AbortSignal,
): Promise<Listed> {
  const others = rows.filter(row => row !== fit && samePair(row, fit)).length
  if (sameUser(fit.user, asker)) return { verified: false, text: `${host} lists the session still, and it is not ended: the administrator is the same user` }
  if (others > 0) return { verified: false, text: `${host} lists the session still, and it is not ended: its user has ${others} more from here` }
  const gone = await endPair(service, fit, signal)
  return gone
    ? { verified: true, ended: true, text: `${host} still had the session and has ended it` }
    : { verified: false, text: `${host} does not end the session` }
}
