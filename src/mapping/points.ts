import { lstatSync, mkdirSync, realpathSync, rmdirSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { errnoOf, NbtrunError } from '../base/errors.ts'

export interface PointsOptions {
  readonly runId: string
  /** For each share the folder asked for, or undefined for one of ours. */
  readonly wanted: readonly (string | undefined)[]
  /** XDG_RUNTIME_DIR, where there is one. */
  readonly runtimeDir?: string | undefined
  /** Told of each folder before it is made. */
  readonly making?: (path: string) => void
}

/** The folders where the shares will be seen, in the order asked, without symbolic links in them. */
export interface Points {
  readonly paths: readonly string[]
  /** Removes the folders that were made for this run, unless something is in them; idempotent. */
  readonly remove: () => void
}

/**
 * Finds or makes a folder for each share. A folder asked for must exist, or is made where its parent is this user's. The others go below
 * $XDG_RUNTIME_DIR/nbtrun, or below a private folder among the temporary files. Throws POINT_UNUSABLE; nothing made stays then.
 */
export function makePoints({ runId, wanted, runtimeDir, making = () => {} }: PointsOptions): Points {
  const made: string[] = []
  const make: Make = (path, options) => {
    making(path)
    mkdirSync(path, { mode: 0o700, ...options })
    made.push(path)
  }
  const remove = (): void => {
    for (let path = made.pop(); path !== undefined; path = made.pop()) removeEmpty(path)
  }
  try {
    let home: string | undefined
    const paths = wanted.map((folder, index) => {
      if (folder !== undefined) return givenFolder(folder, make)
      home ??= ownHome(runId, runtimeDir, make)
      return makeFolder(home, index === 0 ? runId : `${runId}-${index + 1}`, make)
    })
    paths.forEach((path, index) => requireApart(path, paths.slice(0, index)))
    return { paths, remove }
  } catch (thrown) {
    remove()
    throw thrown
  }
}

/** Makes a folder, and sees to it that it is removed. */
type Make = (path: string, options?: { readonly recursive: true }) => void

function givenFolder(folder: string, make: Make): string {
  if (!isAbsolute(folder)) throw unusable(folder, 'is no absolute path')
  try {
    const path = realpathSync(folder)
    if (path === '/') throw unusable(folder, 'is the root of everything')
    if (!statSync(path).isDirectory()) throw unusable(folder, 'is no folder')
    return path
  } catch (thrown) {
    if (errnoOf(thrown) !== 'ENOENT') throw thrown instanceof NbtrunError ? thrown : unusable(folder, 'cannot be used', thrown)
  }
  const parent = dirname(folder)
  try {
    if (statSync(parent).uid !== process.getuid?.()) throw unusable(folder, 'does not exist, and the folder above it is not yours')
    const path = join(realpathSync(parent), basename(folder))
    make(path)
    return path
  } catch (thrown) {
    throw thrown instanceof NbtrunError ? thrown : unusable(folder, 'does not exist and cannot be made', thrown)
  }
}

/** The folder of this user's runs: shared by them, and removed by the last. */
function ownHome(runId: string, runtimeDir: string | undefined, make: Make): string {
  const [home] = homesOf(runtimeDir)
  if (home !== undefined && (isOurs(home) || lstatSync(home, { throwIfNoEntry: false }) === undefined)) {
    try {
      make(home, { recursive: true })
      return home
    } catch {} // a full or read-only file system: there are the temporary files
  }
  const other = temporaryHome(runId)
  make(other)
  return other
}

/** The folder of this user's runs, for as long as somebody is logged in, where there may be one. */
function homesOf(...runtimeDirs: readonly (string | undefined)[]): readonly string[] {
  return runtimeDirs.flatMap(folder => (folder !== undefined && isAbsolute(folder) && isOurs(folder) ? [join(realpathSync(folder), 'nbtrun')] : []))
}

function temporaryHome(runId: string): string {
  return join(realpathSync(tmpdir()), `nbtrun-${runId}`)
}

/**
 * Whether `path` is a place where `makePoints` makes folders of its own for that run. It is decided by the path and the folder above it alone: that is this
 * user's, and nobody else can put something there.
 */
export function isOwnPlace(path: string, runId: string, runtimeDir: string | undefined): boolean {
  const homes = [...homesOf(runtimeDir, `/run/user/${process.getuid?.()}`), temporaryHome(runId)]
  if (homes.includes(path)) return true
  return homes.includes(dirname(path)) && isOurs(dirname(path)) && new RegExp(`^${runId}(-\\d+)?$`).test(basename(path))
}

/** A folder, no link to one, that belongs to this user and that nobody else may write. */
export function isOurs(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  return stat !== undefined && stat.isDirectory() && stat.uid === process.getuid?.() && (stat.mode & 0o022) === 0
}

function makeFolder(home: string, name: string, make: Make): string {
  const path = join(home, name)
  try {
    try {
      make(path)
    } catch (thrown) {
      if (errnoOf(thrown) !== 'ENOENT') throw thrown
      mkdirSync(home, { mode: 0o700 }) // another run was the last in it, this instant
      make(path)
    }
  } catch (cause) {
    throw unusable(path, errnoOf(cause) === 'EEXIST' ? 'is there already' : 'cannot be made', cause)
  }
  return path
}

function requireApart(path: string, others: readonly string[]): void {
  for (const other of others) {
    if (path === other) throw unusable(path, 'is asked for twice')
    if (path.startsWith(`${other}/`) || other.startsWith(`${path}/`)) throw unusable(path, `and ${other} lie one in the other`)
  }
}

/** Unless something is in it, or it is gone. Whether it was removed. */
export function removeEmpty(path: string): boolean {
  try {
    rmdirSync(path)
    return true
  } catch (thrown) {
    const errno = errnoOf(thrown)
    if (errno !== 'ENOENT' && errno !== 'ENOTEMPTY' && errno !== 'EEXIST') throw thrown
    return false
  }
}

function unusable(folder: string, why: string, cause?: unknown): NbtrunError {
  return new NbtrunError('POINT_UNUSABLE', `the folder ${folder} ${why}`, { cause, hint: 'name an existing folder, or leave =<folder> away' })
}
