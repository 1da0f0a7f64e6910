import { randomBytes } from 'node:crypto'
import { withOpen } from '../with-open.ts'
import { PASSED, renameInFolder } from './information.ts'
import { joined, parted } from './path.ts'
import type { Tree } from './tree.ts'

/**
 * Renames onto a name that is taken. RENAME never does, and the rename that does, FileRenameInformation, only within a folder: so what comes from another
 * one is moved there first under a name of its own. Whoever looks at the target sees the one file or the other. Servers without pass-through levels (NT 4.0)
 * cannot even that: there the old file is put aside, and back if the new one cannot come.
 */
export async function replaceBy(tree: Tree, from: string, to: string): Promise<void> {
  const { folder, name } = parted(to)
  const aside = joined(folder, `~nbtrun-${randomBytes(6).toString('hex')}`)
  if (!tree.session.connection.has('INFOLEVEL_PASSTHRU')) {
    await tree.move(to, aside)
    await orBack(tree, { at: aside, home: to }, () => tree.move(from, to))
    return tree.remove(aside, (await tree.stat(aside)).directory)
  }
  const here = parted(from).folder.toLowerCase() === folder.toLowerCase()
  if (here) return replaceInFolder(tree, from, name)
  await tree.move(from, aside)
  await orBack(tree, { at: aside, home: from }, () => replaceInFolder(tree, aside, name))
}

async function replaceInFolder(tree: Tree, from: string, name: string): Promise<void> {
  await withOpen(await tree.open(from, { remove: true }), open => open.set(PASSED.RENAME, renameInFolder(name, true, tree.unicode), 'renaming'))
}

async function orBack(tree: Tree, { at, home }: { readonly at: string; readonly home: string }, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (thrown) {
    await tree.move(at, home).catch(() => {}) // the failure that counts is the first
    throw thrown
  }
}
