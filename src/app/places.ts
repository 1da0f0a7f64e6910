import { constants } from 'node:fs'
import { access, open, stat } from 'node:fs/promises'
import { relative, resolve, sep } from 'node:path'
import { errnoOf, NbtrunError } from '../base/errors.ts'
import type { Files } from '../smb/files.ts'

/** A share and the folder where the program, but not we, will see it. */
export interface Place {
  readonly files: Files
  readonly path: string
}

/** The first bytes of a program; undefined where it may be executed but not read. */
export type Head = Buffer | undefined

/** What stands at a path, as the program will find it there. */
export type Thing =
  | { readonly kind: 'file'; readonly from: 'share' | 'path'; readonly head: Head }
  | { readonly kind: 'folder' | 'no file' | 'not executable' | 'unreadable'; readonly from: 'share' | 'path'; readonly cause?: unknown }
  | undefined

/** As many first bytes as the kernel looks at. */
const HEAD = 256

/** Looks at an absolute path: below a place on its share, anywhere else here. Undefined when nothing is there; a lost server throws. */
export async function lookAt(path: string, places: readonly Place[]): Promise<Thing> {
  const place = places.find(({ path: point }) => path === point || path.startsWith(point + sep))
  if (place === undefined) return lookHere(path)
  const below = relative(place.path, path)
  if (below.includes('\\')) return undefined // no name on a share has one
  return lookOnShare(place.files, below.replaceAll(sep, '\\'))
}

/** Without blocking: a link may lead onto a shared mapping, which we serve ourselves. */
async function lookHere(path: string): Promise<Thing> {
  try {
    const found = await stat(path)
    if (!found.isFile()) return { kind: found.isDirectory() ? 'folder' : 'no file', from: 'path' }
  } catch (cause) {
    const errno = errnoOf(cause)
    return errno === 'ENOENT' || errno === 'ENOTDIR' ? undefined : { kind: 'unreadable', from: 'path', cause }
  }
  try {
    await access(path, constants.X_OK)
  } catch (cause) {
    return { kind: 'not executable', from: 'path', cause }
  }
  return { kind: 'file', from: 'path', head: await headOf(path) }
}

async function headOf(path: string): Promise<Head> {
  const file = await open(path, 'r').catch(() => undefined)
  if (file === undefined) return undefined
  try {
    const head = Buffer.alloc(HEAD)
    return head.subarray(0, (await file.read(head, 0, HEAD, 0)).bytesRead)
  } finally {
    await file.close()
  }
}

async function lookOnShare(files: Files, path: string): Promise<Thing> {
  try {
    const file = await files.open(path, { read: true })
    try {
      if (file.info.directory) return { kind: 'folder', from: 'share' }
      return { kind: 'file', from: 'share', head: Buffer.from(await file.read(0, HEAD)) }
    } finally {
      await file.close()
    }
  } catch (cause) {
    if (!(cause instanceof NbtrunError)) throw cause
    const { errno } = cause.facts
    if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'EINVAL' || errno === 'ENAMETOOLONG') return undefined
    if (errno === 'EACCES' || errno === 'EPERM' || errno === 'EBUSY' || errno === 'ETXTBSY') return { kind: 'unreadable', from: 'share', cause }
    throw cause
  }
}

/** The folder where the program shall start, absolute; `cwd`: from where a relative one counts. Throws USAGE unless there is one. */
export async function startFolder(folder: string, places: readonly Place[], cwd: string): Promise<string> {
  const path = resolve(cwd, folder)
  const thing = await lookAt(path, places)
  if (thing?.kind !== 'folder')
    throw new NbtrunError('USAGE', `--chdir ${folder}: ${thing === undefined ? 'no such folder' : 'is no folder'}`, { hint: 'name an existing folder' })
  return path
}
