import { lstatSync, type Stats } from 'node:fs'
import type { Server } from 'node:net'
import { tmpdir } from 'node:os'
import { isAbsolute, join } from 'node:path'

/** What of a line differs by system: where its folder lies, and how those in it reach each other. */
export interface Ground {
  /** The folders of this user and machine in which lines may be: the first that can be used. `runtimeDir`: $XDG_RUNTIME_DIR. */
  bases(runtimeDir: string | undefined): readonly string[]
  /** How many bytes a line's folder may have. */
  readonly longestFolder: number
  isOwn(folder: Stats): boolean
  /** Has the server listen, and then makes the file that leads to it. Rejects where it cannot. */
  listen(server: Server, file: string): Promise<void>
  /** What to connect to for one of these files; undefined where it leads nowhere. */
  addressOf(file: string): string | undefined
  /** Making a file fails of this while the folder is being removed by the last one out. */
  isFolderGoing(errno: string | undefined): boolean
}

/**
 * A socket is a file. sockaddr_un has room for so many bytes of a path, unix(7), less a name in the folder. Who comes by cron has no $XDG_RUNTIME_DIR, and who
 * comes by su may have that of somebody else: they are to stand in the line of their user all the same.
 */
const SOCKETS: Ground = {
  bases: runtimeDir => {
    const uid = process.getuid?.() ?? 0
    const own = [runtimeDir, `/run/user/${uid}`].find(folder => folder !== undefined && isAbsolute(folder) && isOwnFolder(folder))
    return [...(own === undefined ? [] : [join(own, 'nbtrun')]), join(tmpdir(), `nbtrun-${uid}`)]
  },
  longestFolder: 107 - 25,
  isOwn: ({ uid, mode }) => uid === process.getuid?.() && (mode & 0o022) === 0,
  listen: hear,
  addressOf: file => file,
  isFolderGoing: errno => errno === 'ENOENT',
}

let ground = SOCKETS

/** Another one than that of sockets; before anybody queues. */
export function useGround(other: Ground): void {
  ground = other
}

export function theGround(): Ground {
  return ground
}

/** Whether it is there, no link, and this user's alone. */
export function isOwnFolder(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  return stat !== undefined && stat.isDirectory() && ground.isOwn(stat)
}

/** Listens on a path. */
export function hear(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.on('error', reject) // also of a connection that could not be accepted, later
    server.listen(path, () => resolve())
  })
}
