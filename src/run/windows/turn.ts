import { closeSync, constants, openSync } from 'node:fs'
import { join } from 'node:path'
import { errnoOf } from '../../base/errors.ts'
import { now, pause } from '../../base/time.ts'
import type { Place } from '../journal/place.ts'

/** Nobody takes so long who is not stopped, ms: after this it is gone on with all the same. */
const TURN_MS = 10_000
const LOOK_MS = 10

/** libuv's own flags for Windows, which Node passes on: for nobody else meanwhile, and gone when it is closed, by whatever end of its holder. */
const UV_FS_O_EXLOCK = 0x10000000
const UV_FS_O_TEMPORARY = 0x40
const FLAGS = constants.O_RDWR | constants.O_CREAT | UV_FS_O_EXLOCK | UV_FS_O_TEMPORARY

/**
 * One run of this user after another: what is looked up about the others is so until it was acted upon. Short work only. Where there is no journal, whose folder
 * the file lies beside, nobody knows of anybody.
 */
export async function inTurn<T>(place: Place | undefined, work: () => Promise<T>): Promise<T> {
  const fd = place === undefined ? undefined : await take(join(place.path, '..', 'turn'))
  try {
    return await work()
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

async function take(path: string): Promise<number | undefined> {
  for (const dueAt = now() + TURN_MS; now() < dueAt; await pause(LOOK_MS)) {
    try {
      return openSync(path, FLAGS, 0o600)
    } catch (thrown) {
      // in use, or just about to be gone
      if (!['EBUSY', 'EPERM', 'EACCES'].includes(errnoOf(thrown) ?? '')) return undefined
    }
  }
  return undefined
}
