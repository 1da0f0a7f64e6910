import { randomBytes } from 'node:crypto'
import { NORMAL, READONLY } from './attributes.ts'
import { isErrno } from './errno.ts'
import type { Node } from './nodes.ts'
import type { Share } from './share.ts'

interface Place {
  readonly parent: Node
  readonly name: string
  readonly path: string
}

/** unlink(2) and rmdir(2). */
export async function remove(share: Share, place: Place, directory: boolean): Promise<void> {
  await share.handles.closed()
  const node = place.parent.children.get(place.name)
  const open = node !== undefined && node.handles.size > 0
  const aside = open ? await setAside(share, place, node) : undefined
  try {
    await evenIfReadOnly(share, aside?.path ?? place.path, path => share.files.remove(path, directory))
  } catch (error) {
    await aside?.putBack()
    throw error
  }
  if (node !== undefined) share.nodes.detach(node)
}

/** rename(2), which takes the place of an existing file or empty directory; SMB replaces no directory and nothing that is open or READONLY. */
export async function rename(share: Share, from: Place, to: Place, replace: boolean): Promise<void> {
  await share.handles.closed()
  try {
    await share.files.rename(from.path, to.path, replace)
  } catch (error) {
    if (!replace || !isErrno(error, 'EACCES', 'EEXIST', 'EBUSY', 'EISDIR', 'EPERM')) throw error
    await makeRoomAndRename(share, from, to, error)
  }
  const replaced = to.parent.children.get(to.name)
  const node = from.parent.children.get(from.name)
  if (replaced !== undefined && replaced !== node) share.nodes.detach(replaced)
  if (node !== undefined) share.nodes.move(node, to.parent, to.name)
}

async function makeRoomAndRename(share: Share, from: Place, to: Place, refusal: unknown): Promise<void> {
  const { files } = share
  const there = await files.stat(to.path).catch(() => {
    throw refusal // nothing is in the way
  })
  const node = to.parent.children.get(to.name)
  if (there.directory) {
    await files.remove(to.path, true)
    await files.rename(from.path, to.path, false).catch(async (error: unknown) => {
      await files.makeDirectory(to.path)
      throw error
    })
  } else if (node !== undefined && node.handles.size > 0) {
    const aside = await setAside(share, to, node)
    if (aside === undefined) throw refusal
    try {
      await files.rename(from.path, to.path, false)
    } catch (error) {
      await aside.putBack()
      throw error
    }
    await evenIfReadOnly(share, aside.path, path => files.remove(path, false))
  } else if ((there.attributes & READONLY) !== 0) {
    await evenIfReadOnly(share, to.path, () => files.rename(from.path, to.path, true))
  } else throw refusal
}

/**
 * A file that is open here keeps its name on the server until it is closed, even when it was removed; meanwhile nobody could make a new one under
 * that name, which programs do expect. So it gets another name first, one that is not shown. Undefined when the server refuses that.
 */
async function setAside(share: Share, { parent, name, path }: Place, node: Node): Promise<{ path: string; putBack(): Promise<void> } | undefined> {
  const hidden = `.nbtrun-${randomBytes(6).toString('hex')}`
  const away = share.nodes.pathOf(parent, hidden)
  node.hide(parent, hidden)
  try {
    await share.files.rename(path, away, false)
  } catch {
    node.unhide()
    return undefined
  }
  const putBack = async (): Promise<void> => {
    await share.files.rename(away, path, false).catch((error: unknown) => share.warn(`${name} is called ${hidden} now: ${String(error)}`))
    node.unhide()
  }
  return { path: away, putBack }
}

/** A READONLY file cannot be removed or replaced on the server; on Unix only its directory counts. */
async function evenIfReadOnly(share: Share, path: string, work: (path: string) => Promise<void>): Promise<void> {
  try {
    return await work(path)
  } catch (error) {
    if (!isErrno(error, 'EACCES')) throw error
    const { attributes } = await share.files.stat(path)
    if ((attributes & READONLY) === 0) throw error
    const set = (bits: number): Promise<void> => share.withOpen(path, { writeAttributes: true }, file => file.setAttributes(bits === 0 ? NORMAL : bits))
    await set(attributes & ~READONLY)
    await work(path).catch(async (again: unknown) => {
      await set(attributes).catch((failed: unknown) => share.warn(`${path} stays writable: ${String(failed)}`))
      throw again
    })
  }
}
