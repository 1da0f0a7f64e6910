import { lstatSync } from 'node:fs'
import { asError, errnoOf } from '../base/errors.ts'
import type { Mapped } from './fuse/room-users.ts'
import { detach } from './fuse/shared-mount.ts'
import { isOurs, isOwnPlace, removeEmpty } from './points.ts'

/** What became of something that a dead run left: it is no more, or it stays, and why; `forGood`: it is not ours to end, and nobody will try again. */
export type Fate = { readonly gone: true; readonly found: boolean } | { readonly gone: false; readonly why: string; readonly forGood?: true }

const NEVER: Fate = { gone: true, found: false }
const ENDED: Fate = { gone: true, found: true }

/** Where that run had its own folders: nothing outside them is touched, whoever wrote it down. */
export interface Whose {
  readonly run: string
  readonly runtimeDir: string | undefined
}

/** Takes away what that run has mounted at `path`; `mapped` is all that it has. */
export async function endMapping(path: string, mapped: readonly Mapped[], { run, runtimeDir }: Whose): Promise<Fate> {
  const here = mapped.filter(mount => mount.path === path)
  if (here.length === 0) return NEVER
  if (!here.some(({ onTop }) => onTop)) return { gone: false, why: `something else is mounted over the mapping at ${path}: umount it first` }
  if (!isOwnPlace(path, run, runtimeDir)) return { gone: false, why: `the mapping at ${path} is outside of nbtrun's own folders: umount it` }
  try {
    await detach(path)
    return ENDED
  } catch (thrown) {
    return { gone: false, why: asError(thrown).message }
  }
}

/** Removes a folder; one with something in it is its user's, or other runs', and is left to them. */
export function endFolder(path: string, { run, runtimeDir }: Whose): Fate {
  if (!isThere(path)) return NEVER
  if (!isOwnPlace(path, run, runtimeDir))
    return { gone: false, why: `the folder ${path} is outside of nbtrun's own: remove it if it is not wanted`, forGood: true }
  try {
    if (!isOurs(path)) return NEVER
    return removeEmpty(path) ? ENDED : NEVER
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
