import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isOwnFolder, theGround } from './ground.ts'

/** `12-9f86d081`: the number orders them, the rest tells two of the same number apart. */
const TICKET = /^(\d{1,15})-[0-9a-f]{8}$/

/**
 * Where those of this user and machine queue who want the same share of the same server: in $XDG_RUNTIME_DIR/nbtrun, in /run/user/UID/nbtrun where that is not
 * set, or else in a folder among the temporary files; on Windows in %LOCALAPPDATA%.
 */
export function queueFolders(server: string, share: string, runtimeDir: string | undefined): string[] {
  const name = `seats-${createHash('sha256').update(`${server}/${share}`.toLowerCase()).digest('hex').slice(0, 12)}`
  const ground = theGround()
  return ground
    .bases(runtimeDir)
    .map(base => join(base, name))
    .filter(folder => Buffer.byteLength(folder) <= ground.longestFolder)
}

/** Every folder of this user in which somebody queues, or did. */
export function allQueues(runtimeDir: string | undefined): string[] {
  return theGround()
    .bases(runtimeDir)
    .flatMap(base =>
      namesIn(base)
        .filter(name => QUEUE.test(name))
        .map(name => join(base, name)),
    )
}

const QUEUE = /^seats-[0-9a-f]{12}$/

/** Makes it where it can be made; false where it is not this user's alone. */
export function makePrivate(folder: string): boolean {
  try {
    mkdirSync(folder, { mode: 0o700, recursive: true })
    return isPrivate(folder)
  } catch {
    return false
  }
}

/** Whether it and the folder above it are there and this user's alone: who could put something in could make others wait. */
export function isPrivate(folder: string): boolean {
  return [folder, dirname(folder)].every(isOwnFolder)
}

/** The tickets there, the first in line first. Whatever else lies there is nobody. */
export function ticketsIn(folder: string): string[] {
  return namesIn(folder)
    .filter(name => TICKET.test(name))
    .sort(compare)
}

/** What is about to become a ticket. */
export function draftsIn(folder: string): string[] {
  return namesIn(folder).filter(name => /^\.[0-9a-f]{8}$/.test(name))
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

export function numberOf(ticket: string): number {
  return Number(TICKET.exec(ticket)?.[1] ?? 0)
}

export function compare(one: string, other: string): number {
  return numberOf(one) - numberOf(other) || (one < other ? -1 : one > other ? 1 : 0)
}

export function removeTicket(folder: string, name: string): void {
  try {
    unlinkSync(join(folder, name))
  } catch {} // somebody else did, or it is no file: then it is nobody's ticket either
}

/** The last one out takes the folder along, and the one above it. */
export function removeIfEmpty(folder: string): void {
  for (const path of [folder, dirname(folder)]) {
    try {
      rmdirSync(path)
    } catch {
      return // somebody uses it
    }
  }
}
