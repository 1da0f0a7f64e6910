import { closeSync } from 'node:fs'
import { pause, now } from '../../base/time.ts'
import { impossible } from './failures.ts'
import { Helper } from './helper.ts'
import type { Native } from './native.ts'
import { mountFuse } from './room-root.ts'
import { devicesAt } from './room-users.ts'
import type { Mount } from './room-way.ts'
import { runTool } from './run-tool.ts'
import { findTools } from './tools.ts'

/** Mounts and unmounts where everybody of this user sees it: with the privilege of root, or with that of fusermount3. */
export interface Mounter {
  /** Returns the descriptor that is to be served. */
  mount(mount: Mount): Promise<number>
  /** Throws while somebody uses it, unless `detach`: then it disappears from the tree at once, and lives on for those who use it. */
  unmount(path: string, detach: boolean): Promise<void>
  /** The words of the second for a shell; the path follows. */
  readonly detachWords: readonly string[]
}

export function rootMounter(): Mounter {
  const { mount, umount } = findTools('a shared mapping', ['mount', 'umount'])
  const words = [umount, '-i', '-c', '--']
  const detachWords = [umount, '-l', '-i', '-c', '--']
  return {
    mount: wanted => mountFuse([mount], wanted),
    unmount: (path, detach) => runTool([...(detach ? detachWords : words), path]),
    detachWords,
  }
}

export function userMounter(native: Native): Mounter {
  const { fusermount3 } = findTools('a shared mapping', ['fusermount3'])
  const detachWords = [fusermount3, '-u', '-z', '-q', '--']
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

/** It says itself whose the mount is and what it is a mount of. */
function fusermountOptions(options: string): string {
  return options
    .split(',')
    .filter(option => !/^(rootmode|user_id|group_id)=/.test(option))
    .join(',')
}

/**
 * Ends the mount with this device number: politely as long as `patienceMs` lasts, then by detaching it from under its users. `busy` is called once, when
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
    if ((await devicesAt(process.pid, [path]))[0] !== device) return 'unmounted' // by the user, perhaps
    try {
      const detach = told && now() >= dueAt
      await mounter.unmount(path, detach)
      return detach ? 'detached' : 'unmounted'
    } catch (thrown) {
      if (told && now() >= dueAt + 1000) throw thrown
    }
    if (!told) await busy()
    told = true
    await pause(Math.min(wait, Math.max(0, dueAt - now())))
  }
}

/**
 * Waits for the end of its control socket. Told `done` before, it ends; else nbtrun was killed, and it detaches what is mounted by nbtrun at each point: $1 its
 * path, $2 as proc_pid_mountinfo(5) writes it.
 */
const WATCH = `
read -r word <&3 && exit
while [ $# -gt 0 ]; do
  last=
  while read -r id parent device root at rest; do [ "$at" = "$2" ] && last=$rest; done </proc/self/mountinfo
  case $last in *' - fuse.nbtrun '*) DETACH "$1" ;; esac
  shift 2
done
`

/** A process that takes the mounts away when nbtrun cannot. */
export function startWatchdog(mounter: Mounter, paths: readonly string[]): Promise<Helper> {
  const { sh } = findTools('a shared mapping', ['sh'])
  const quoted = mounter.detachWords.map(word => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
  return Helper.start([sh, '-c', WATCH.replace('DETACH', () => quoted), 'nbtrun', ...paths.flatMap(path => [path, escaped(path)])])
}

function escaped(path: string): string {
  return path.replace(/[ \t\n\\]/g, char => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`)
}
