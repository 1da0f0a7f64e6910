import { now, pause } from '../base/time.ts'
import type { HeldSession } from '../smb/rpc/srvsvc/accounts.ts'
import type { ServerService } from '../smb/rpc/srvsvc/service.ts'
import { mayBeOurs, sameClient, sameUser } from './ours.ts'

/** A session, and why it is not ended; null where nothing speaks against it. */
export interface Judged {
  readonly session: HeldSession
  readonly kept: string | null
}

export function samePair(a: HeldSession, b: HeldSession): boolean {
  return sameClient(a.client, b.client) && (a.user ?? '').toLowerCase() === (b.user ?? '').toLowerCase()
}

/**
 * Which sessions nobody uses: without an open file and idle for so long. The server ends all sessions of a client and user together, so one that is used
 * keeps the others. `who` asks: its own are never ended.
 */
export function judgeUnused(rows: readonly HeldSession[], who: string, idleMs: number): readonly Judged[] {
  const ours = mayBeOurs(rows, who)
  const alone = rows.map((session): Judged => ({ session, kept: reasonToKeep(session, idleMs, ours.includes(session)) }))
  return alone.map(judged => {
    const pinned = judged.kept === null && alone.some(({ session, kept }) => kept !== null && samePair(session, judged.session))
    return pinned ? { ...judged, kept: 'another session of this client and user is kept' } : judged
  })
}

function reasonToKeep({ user, opens, idle }: HeldSession, idleMs: number, isOurs: boolean): string | null {
  if (isOurs) return 'ours'
  if (user === null || user === '') return 'its user is not known'
  if (opens === null) return 'its open files are not known'
  if (opens > 0) return opens === 1 ? 'a file is open' : `${opens} files are open`
  if (idle === null) return 'its idle time is not known'
  if (idle * 1000 < idleMs) return `idle for ${idle} s only`
  return null
}

/** One of each pair, in order. */
export function pairsOf(rows: readonly HeldSession[]): readonly HeldSession[] {
  return rows.filter((row, i) => rows.findIndex(other => samePair(other, row)) === i)
}

/** The rows that a client and a user name; one of them may be left out. */
export function rowsOf(rows: readonly HeldSession[], client: string | null, user: string | null): readonly HeldSession[] {
  return rows.filter(row => (client === null || sameClient(row.client, client)) && (user === null || sameUser(row.user, user)))
}

/** How long a server may take to end sessions that it said it ends, ms. */
const ENDING_MS = 3000

/** Ends the sessions of a pair and asks until the server has none of them. Returns whether they are gone. */
export async function endPair(service: ServerService, pair: HeldSession, signal: AbortSignal): Promise<boolean> {
  await service.endSessions(pair.client, pair.user)
  for (const dueAt = now() + ENDING_MS; ; ) {
    const { sessions } = await service.sessions()
    if (!sessions.some(row => samePair(row, pair))) return true
    if (now() > dueAt || signal.aborted) return false
    await pause(50, signal)
  }
}
