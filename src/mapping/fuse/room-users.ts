import { lstat, readdir, readFile, readlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errnoOf } from '../../base/errors.ts'
import { survivorOf } from '../../base/living.ts'
import { within } from '../../base/time.ts'

// Nothing here may block this process: the kernel locks a process that is executing a program, and where that program lies on our own mapping it waits
// for our answers meanwhile. A look at it that waits for the lock must not be what keeps us from answering.

/** The mount namespace of a process, such as `mnt:[4026532179]`; undefined when none of its threads lives, null when we may not know. */
export async function mountNamespace(pid: number): Promise<string | null | undefined> {
  const first = await namespaceIn(`/proc/${pid}`)
  if (first !== undefined) return first
  const survivor = survivorOf(pid)
  return survivor === undefined ? undefined : namespaceIn(survivor)
}

async function namespaceIn(folder: string): Promise<string | null | undefined> {
  try {
    return await readlink(`${folder}/ns/mnt`)
  } catch (thrown) {
    return errnoOf(thrown) === 'EACCES' ? null : undefined
  }
}

/** The device numbers (`major:minor`) of what is mounted at each of `paths`, as that process sees it. Throws where we cannot know what we see ourselves. */
export async function devicesAt(pid: number, paths: readonly string[]): Promise<readonly (string | undefined)[]> {
  const mounts = pid === process.pid ? await readMounts('/proc/self') : await mountsOf(pid)
  return paths.map(path => mounts.findLast(mount => mount.path === path)?.device)
}

/** Where a run's mapping is mounted, and whether it is what one sees there. */
export interface Mapped {
  readonly path: string
  readonly onTop: boolean
}

/**
 * What this user mounted, as we see it, in the run with this id: the kernel says who mounted it, while anybody may write a run's id into a source. Throws where
 * we cannot know.
 */
export async function mappingsOf(runId: string): Promise<readonly Mapped[]> {
  const mounts = await readMounts('/proc/self').catch((thrown: unknown) => {
    if (errnoOf(thrown) === 'ENOENT') return [] // another system
    throw thrown
  })
  const uid = `user_id=${process.geteuid?.()}`
  const isIts = ({ type, source, options }: Mounted): boolean =>
    type === 'fuse.nbtrun' && source?.endsWith(`@${runId}`) === true && options?.split(',').includes(uid) === true
  return mounts.filter(isIts).map(mount => ({ path: mount.path, onTop: mounts.findLast(({ path }) => path === mount.path) === mount }))
}

/** What does not answer within this has nobody who serves it, ms. */
const ANSWER_MS = 1000

/** Whether something is mounted there, or is there and does not answer; takes no descriptor. */
export async function isMountPoint(path: string): Promise<boolean> {
  try {
    const [here, above] = await within(ANSWER_MS, () => Promise.all([lstat(path), lstat(dirname(path))]))
    return here.dev !== above.dev
  } catch (thrown) {
    return errnoOf(thrown) !== 'ENOENT'
  }
}

/** Every process, `except` left out, that sees a mount of this run with one of these device numbers: also from a mount namespace of its own. */
export async function usersOf(devices: ReadonlySet<string>, runId: string, except: number): Promise<readonly number[]> {
  const sees = new Map<string, boolean>()
  const own = await mountNamespace(process.pid)
  if (typeof own === 'string') sees.set(own, false)
  const users: number[] = []
  for (const pid of (await readdir('/proc')).map(Number)) {
    if (!Number.isInteger(pid) || pid === except) continue
    const namespace = await mountNamespace(pid)
    if (namespace === undefined || namespace === null) continue // a stranger's: it cannot be in a room of ours
    if (!sees.has(namespace)) {
      const mounts = await mountsOf(pid)
      if (mounts.length === 0) continue // just gone: ask the next one of this namespace
      sees.set(
        namespace,
        mounts.some(mount => devices.has(mount.device) && mount.source?.endsWith(`@${runId}`)),
      )
    }
    if (sees.get(namespace) === true) users.push(pid)
  }
  return users
}

interface Mounted {
  readonly device: string
  readonly path: string
  readonly type: string | undefined
  readonly source: string | undefined
  /** Of the file system. */
  readonly options: string | undefined
}

/** None where the process is gone. */
async function mountsOf(pid: number): Promise<readonly Mounted[]> {
  try {
    return await readMounts(`/proc/${pid}`)
  } catch {
    const survivor = survivorOf(pid)
    return survivor === undefined ? [] : readMounts(survivor).catch(() => [])
  }
}

/** proc_pid_mountinfo(5): fields 3 (device) and 5 (where), with \040 and its like for blanks, and the three behind the dash (type, source, options). */
async function readMounts(folder: string): Promise<readonly Mounted[]> {
  return (await readFile(`${folder}/mountinfo`, 'utf8'))
    .split('\n')
    .map(line => line.split(' '))
    .map(([, , device = '', , path = '', ...more]) => ({
      device,
      type: more[more.indexOf('-') + 1],
      source: more[more.indexOf('-') + 2],
      options: more[more.indexOf('-') + 3],
      path: path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    }))
    .filter(mount => mount.device !== '')
}
