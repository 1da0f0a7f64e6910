import type { HeldSession } from '../../smb/rpc/srvsvc/accounts.ts'
import type { Verification } from '../listed.ts'
import { isHere, mayBeOurs, sameClient, sameUser } from '../ours.ts'

/** A session of Windows' own client, which has no name but its user's. */
export interface Left {
  /** As Windows or the user said. */
  readonly who: string
  /** Whether one of them did say so. */
  readonly isCertain: boolean
  /** When the first connection was made by which it may have begun, ms since 1970. */
  readonly since: number
}

/** How far the server's count of a session's age may be off, s. */
const AGE_SLACK = 5

/** The one that is there still, and why it must stay, if it must; or what is said instead. */
export type Judged = { readonly row: HeldSession; readonly kept: string | undefined } | Verification

/**
 * Looks for it on the server's list. The row of whoever asks says what the server calls this machine: where it lists that one not, its list proves nothing. A
 * session that is older than every connection of the run was begun by somebody else.
 */
export function judgeLeft(rows: readonly HeldSession[], { who, isCertain, since }: Left, asker: string, host: string): Judged {
  const cannotTell = (why: string): Verification => ({ verified: null, text: `the list of ${host} does not tell: ${why}` })
  const [asking] = [...mayBeOurs(rows, asker)].sort((a, b) => (a.seconds ?? 0) - (b.seconds ?? 0))
  if (asking === undefined) return cannotTell('the session that asks is not on it')
  if (rows.every(({ user }) => user === null)) return cannotTell('it names no users')
  const fits = rows.filter(row => row !== asking && sameUser(row.user, who) && (sameClient(row.client, asking.client) || isHere(row.client)))
  const [row, ...more] = fits
  if (row === undefined) {
    if (!isCertain) return cannotTell(`it has no session of ${who}, and Windows does not say who is connected`)
    return { verified: true, text: `${host} lists no such session` }
  }
  if (more.length > 0) return cannotTell(`${fits.length} sessions of ${row.user} fit`)
  if (row.seconds === null) return cannotTell('it says of no session how old it is')
  if (row.seconds > (Date.now() - since) / 1000 + AGE_SLACK) return cannotTell(`the session of ${row.user} is older than the run`)
  return { row, kept: reasonToKeep(row) }
}

function reasonToKeep({ client, opens }: HeldSession): string | undefined {
  if (opens === null) return 'its open files are not known'
  if (opens > 0) return opens === 1 ? 'a file is open in it' : `${opens} files are open in it`
  // behind an address translation others have the same one
  return isHere(client) ? undefined : `${client} is no address of this machine, and others may have it, too`
}
