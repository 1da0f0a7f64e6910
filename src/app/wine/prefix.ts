import { closeSync, fstatSync, lstatSync, openSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { createServer } from 'node:net'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { errnoOf, NbtrunError } from '../../base/errors.ts'
import { now, pause } from '../../base/time.ts'

export type Env = Readonly<Record<string, string | undefined>>

/** The prefix that Wine uses in this environment. */
export function winePrefix(env: Env): string {
  const { WINEPREFIX: named, HOME: home } = env
  return named === undefined || named === '' ? join(home ?? homedir(), '.wine') : resolve(named)
}

export function unusable(prefix: string, why: string, hint: string, cause?: unknown): NbtrunError {
  return new NbtrunError('WINE_PREFIX', `the Wine prefix ${prefix} ${why}`, { hint, cause })
}

/** Whether there is a prefix. Throws WINE_PREFIX for one that is not this user's: Wine itself refuses it, and nothing of it is touched. */
export function isPrefix(prefix: string): boolean {
  const stat = statSync(prefix, { throwIfNoEntry: false })
  if (stat === undefined) return false
  if (!stat.isDirectory()) throw unusable(prefix, 'is no folder', 'name a folder, or one that is still to be made, with --wine-prefix')
  if (stat.uid !== process.geteuid?.()) throw unusable(prefix, 'belongs to another user', 'name one of yours with --wine-prefix')
  return lstatSync(join(prefix, 'dosdevices'), { throwIfNoEntry: false }) !== undefined && statSync(systemOf(prefix), { throwIfNoEntry: false }) !== undefined
}

function systemOf(prefix: string): string {
  return join(prefix, 'system.reg')
}

/** HKEY_LOCAL_MACHINE as it is on disk. Its bytes are kept, whatever they mean: one is one character. */
export function readSystem(prefix: string): string {
  const text = readFileSync(systemOf(prefix), 'latin1')
  if (!text.startsWith('WINE REGISTRY Version 2')) throw unusable(prefix, 'has a registry of another version of Wine', 'leave out the drive letter')
  return text
}

/** Puts another text in its place, as Wine does: it is there whole, or not at all. */
export function writeSystem(prefix: string, text: string): void {
  const path = realpathSync(systemOf(prefix))
  const draft = `${path}.nbtrun`
  rmSync(draft, { force: true })
  try {
    const fd = openSync(draft, 'wx', modeOf(path))
    try {
      const bytes = Buffer.from(text, 'latin1')
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
    } finally {
      closeSync(fd)
    }
    renameSync(draft, path)
  } catch (thrown) {
    rmSync(draft, { force: true })
    throw thrown
  }
}

function modeOf(path: string): number {
  const fd = openSync(path, 'r')
  try {
    return fstatSync(fd).mode & 0o777
  } finally {
    closeSync(fd)
  }
}

/** Another run is done with a prefix long before, ms. */
const LOCK_MS = 10_000

/**
 * Does `work` while no other run of this user changes the prefix. The lock is a name among the kernel's abstract sockets, unix(7): it ends with its holder,
 * however that ends.
 */
export async function alone<T>(prefix: string, work: () => Promise<T>): Promise<T> {
  const { dev, ino } = statSync(prefix)
  const name = `\0nbtrun-wine-${process.geteuid?.() ?? 0}-${dev.toString(16)}-${ino.toString(16)}`
  for (const dueAt = now() + LOCK_MS; ; await pause(20)) {
    const release = await listen(name)
    if (release !== undefined) {
      try {
        return await work()
      } finally {
        await release()
      }
    }
    if (now() > dueAt) throw unusable(prefix, 'is being changed by another run, which does not end', 'see nbtrun runs')
  }
}

/** Undefined while somebody else has the name. */
function listen(name: string): Promise<(() => Promise<void>) | undefined> {
  const server = createServer(socket => socket.destroy())
  return new Promise((done, fail) => {
    server.once('error', thrown => (errnoOf(thrown) === 'EADDRINUSE' ? done(undefined) : fail(thrown)))
    server.listen(name, () => done(() => new Promise(closed => server.close(() => closed()))))
  })
}
