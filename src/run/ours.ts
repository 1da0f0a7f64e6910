import { hostname, networkInterfaces } from 'node:os'
import type { HeldSession } from '../smb/rpc/srvsvc/accounts.ts'

/** A user as a server's list has it: without domain, whatever the case. `who` as people write it: `DOM/alice`, `alice@dom`. */
export function sameUser(listed: string | null, who: string): boolean {
  return listed !== null && plain(listed) === plain(who)
}

function plain(user: string): string {
  return user
    .replace(/^.*[/\\]/s, '')
    .replace(/@.*$/s, '')
    .toLowerCase()
}

export function sameClient(one: string, other: string): boolean {
  return one.replace(/^\\+/, '').toLowerCase() === other.replace(/^\\+/, '').toLowerCase()
}

/** Whether a server means this machine by that name or address. */
export function isHere(client: string): boolean {
  const addresses = Object.values(networkInterfaces()).flatMap(each => each?.map(({ address }) => address) ?? [])
  const names = [...addresses, hostname(), hostname().split('.', 1)[0] ?? '']
  return names.some(name => sameClient(name, client))
}

/**
 * The rows that may be the sessions of this user from this machine, seen by itself. Behind an address translation a server has another name for this
 * machine: then all rows of the user may be.
 */
export function mayBeOurs(rows: readonly HeldSession[], who: string): readonly HeldSession[] {
  const ofUser = rows.filter(({ user }) => sameUser(user, who))
  const here = ofUser.filter(({ client }) => isHere(client))
  return here.length > 0 ? here : ofUser
}
