import { lstatSync } from 'node:fs'
import { asError, errnoOf } from '../base/errors.ts'
import { isMapping } from './fuse/room-users.ts'
import { detach } from './fuse/shared-mount.ts'
import { isOurs, isOwnPlace, removeEmpty } from './points.ts'

/** What became of something that a dead run left: it is no more, or it stays, and why. */
export type Fate = { readonly gone: true; readonly found: boolean } | { readonly gone: false; readonly why: string }

const NEVER: Fate = { gone: true, found: false }
const ENDED: Fate = { gone: true, found: true }

/** Where that run had its own folders: nothing outside them is touched, whoever wrote it down. */
export interface Whose {
  readonly run: string
  readonly runtimeDir: string | undefined
}

/** Takes a mapping away, where its device number tells that it is still that one. */
export async function endMapping({ path, device }: { readonly path: string; readonly device: string }, { run, runtimeDir }: Whose): Promise<Fate> {
  if (!(await isMapping(path, device))) return NEVER
  if (!isOwnPlace(path, run, runtimeDir)) return { gone: false, why: `the mapping at ${path} is outside of nbtrun's own folders: umount it` }
  try {
    await detach(path)
    return ENDED
  } catch (thrown) {
    return { gone: false, why: asError(thrown).message }
  }
}

/** Removes a folder; one with something in it is its user's. */
export function endFolder(path: string, { run, runtimeDir }: Whose): Fate {
  if (!isThere(path)) return NEVER
  if (!isOwnPlace(path, run, runtimeDir)) return { gone: false, why: `the folder ${path} is outside of nbtrun's own: remove it if it is not wanted` }
  try {
    if (!isOurs(path)) return NEVER
    removeEmpty(path)
    return ENDED
  } catch (thrown) {
    return { gone: false, why: `the folder ${path} cannot be removed (${errnoOf(thrown) ?? 'unknown reason'})` }
  }
}

function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined
  } catch {
    return true // a mapping that nobody serves, or no right to look
  }
}
