import { closeSync } from 'node:fs'
import { outOfDescriptors } from '../../base/errors.ts'
import { pause, now } from '../../base/time.ts'
import { impossible } from './failures.ts'
import type { Native } from './native.ts'
import { mountFuse } from './room-root.ts'
import { devicesAt } from './room-users.ts'
import type { Mount } from './room-way.ts'
import { runTool } from './run-tool.ts'
import { findTools, mayMount } from './tools.ts'

/** Mounts and unmounts where everybody of this user sees it: with the privilege of root, or with that of fusermount3. */
export interface Mounter {
  /** Returns the descriptor that is to be served. */
  mount(mount: Mount): Promise<number>
  /** Throws while somebody uses it, unless `detach`: then it disappears from the tree at once, and lives on for those who use it. */
  unmount(path: string, detach: boolean): Promise<void>
  /** The words of the second for a shell; the path follows. */
  readonly detachWords: readonly string[]
}

/** The words that take a mount out of the tree at once, with the privilege of root or with that of fusermount3; its path follows. Throws where there is no such tool. */
function detaching(asRoot: boolean): readonly string[] {
  if (asRoot) return [findTools('a shared mapping', ['umount']).umount, '-l', '-i', '-c', '--']
  return [findTools('a shared mapping', ['fusermount3']).fusermount3, '-u', '-z', '-q', '--']
}

/** Takes away a mapping whose nbtrun is dead. */
export function detach(path: string): Promise<void> {
  return runTool([...detaching(mayMount()), path])
}

export function rootMounter(): Mounter {
  const { mount, umount } = findTools('a shared mapping', ['mount', 'umount'])
  const words = [umount, '-i', '-c', '--']
  const detachWords = detaching(true)
  return {
    mount: wanted => mountFuse([mount], wanted),
    unmount: (path, detach) => runTool([...(detach ? detachWords : words), path]),
    detachWords,
  }
}

export function userMounter(native: Native): Mounter {
  const { fusermount3 } = findTools('a shared mapping', ['fusermount3'])
  const detachWords = detaching(false)
  return {
    /** fusermount3(1) sends the descriptor of the mount through the socket that _FUSE_COMMFD names. */
    async mount({ source, path, options }) {
      const [ours, theirs] = native.socketPair()
      try {
        const name = `subtype=nbtrun,fsname=${source.replace(/[\\,]/g, '\\$&')}`
        const words = [fusermount3, '-o', `${fusermountOptions(options)},${name}`, '--', path]
        await runTool(words, { descriptor: theirs, env: { _FUSE_COMMFD: '3' } })
        const fd = native.receiveDescriptor(ours)
        if (fd === undefined) throw impossible('other', 'fusermount3 sent no descriptor')
        return fd
      } finally {
        closeSync(ours)
        closeSync(theirs)
      }
    },
    unmount: (path, detach) => runTool(detach ? [...detachWords, path] : [fusermount3, '-u', '--', path]),
    detachWords,
  }
}

/** Mounts, or leaves nothing: a tool that a signal ended, as Ctrl-C does, may have mounted already. */
export async function mountWhole(mounter: Mounter, mount: Mount): Promise<number> {
  /** Null: nobody knows. */
  const deviceHere = (): Promise<string | undefined | null> =>
    devicesAt(process.pid, [mount.path]).then(
      ([device]) => device,
      () => null,
    )
  const before = await deviceHere()
  try {
    return await mounter.mount(mount)
  } catch (thrown) {
    const after = await deviceHere()
    if (before !== null && after !== null && after !== before) await mounter.unmount(mount.path, true)
    throw thrown
  }
}

/** It says itself whose the mount is and what it is a mount of. */
function fusermountOptions(options: string): string {
  return options
    .split(',')
    .filter(option => !/^(rootmode|user_id|group_id)=/.test(option))
    .join(',')
}

/**
 * Ends the mount with this device number, where it is known: politely as long as `patienceMs` lasts, then by detaching it from under its users. `busy` is called once, when
 * somebody uses it.
 */
export async function unmount(
  mounter: Mounter,
  path: string,
  device: string | undefined,
  patienceMs: number,
  busy: () => Promise<void>,
): Promise<'unmounted' | 'detached'> {
  const dueAt = now() + patienceMs
  for (let wait = 20, told = false; ; wait = Math.min(200, wait * 2)) {
    if (device !== undefined && (await devicesAt(process.pid, [path]))[0] !== device) return 'unmounted' // by the user, perhaps
    try {
      const detach = told && now() >= dueAt
      await mounter.unmount(path, detach)
      return detach ? 'detached' : 'unmounted'
    } catch (thrown) {
      if (outOfDescriptors(thrown) !== undefined || (told && now() >= dueAt + 1000)) throw thrown
    }
    if (!told) await busy()
    told = true
    await pause(Math.min(wait, Math.max(0, dueAt - now())))
  }
}
