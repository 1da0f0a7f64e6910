import { randomBytes } from 'node:crypto'
import { chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** People of the lab, on its servers and on its clients alike; boss administrates the servers. */
export const UIDS = { alice: 2001, bob: 2002, boss: 2003 } as const
export type User = keyof typeof UIDS
export const USERS: readonly User[] = ['alice', 'bob', 'boss']

export const WORKGROUP = 'LAB'

export const passwdLines = (home: (user: User) => string): string[] => USERS.map(user => `${user}:x:${UIDS[user]}:${UIDS[user]}::${home(user)}:/bin/sh`)
export const groupLines = (): string[] => USERS.map(user => `${user}:x:${UIDS[user]}:`)

export function newPasswords(): Record<User, string> {
  const password = (): string => `Pw-${randomBytes(9).toString('base64url')}`
  return { alice: password(), bob: password(), boss: password() }
}

/** Writes `alice.auth` and so on, in the format of `smbclient -A`, each readable by its user (and root) alone. */
export function writeAuthFiles(folder: string, passwords: Readonly<Record<User, string>>): void {
  mkdirSync(folder, { recursive: true })
  for (const user of USERS) {
    const path = join(folder, `${user}.auth`)
    writeFileSync(path, `username = ${user}\npassword = ${passwords[user]}\ndomain = ${WORKGROUP}\n`, { mode: 0o600 })
    chownSync(path, UIDS[user], UIDS[user])
  }
}
