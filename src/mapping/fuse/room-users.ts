import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { errnoOf } from '../../base/errors.ts'

/** The mount namespace of a process, such as `mnt:[4026532179]`; undefined when the process is gone or a zombie, null when we may not know. */
export function mountNamespace(pid: number): string | null | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`)
  } catch (thrown) {
    return errnoOf(thrown) === 'EACCES' ? null : undefined
  }
}

/** The device numbers (`major:minor`) of what is mounted at `paths`, as that process sees it. */
export function devicesAt(pid: number, paths: readonly string[]): ReadonlySet<string> {
  return new Set(
    mountsOf(pid)
      .filter(mount => paths.includes(mount.path))
      .map(mount => mount.device),
  )
}

/** Every process, `except` left out, that sees a mount with one of these device numbers: also from a mount namespace of its own. */
export function usersOf(devices: ReadonlySet<string>, except: number): readonly number[] {
  const sees = new Map<string, boolean>()
  const own = mountNamespace(process.pid)
  if (typeof own === 'string') sees.set(own, false)
  return readdirSync('/proc')
    .map(Number)
    .filter(pid => {
      if (!Number.isInteger(pid) || pid === except) return false
      const namespace = mountNamespace(pid)
      if (namespace === undefined || namespace === null) return false // a stranger's: it cannot be in a room of ours
      const known = sees.get(namespace)
      if (known !== undefined) return known
      const mounts = mountsOf(pid)
      if (mounts.length === 0) return false // just gone: ask the next one of this namespace
      const user = mounts.some(mount => devices.has(mount.device))
      sees.set(namespace, user)
      return user
    })
}

/** proc_pid_mountinfo(5): fields 3 (device) and 5 (where), with \040 and its like for blanks. */
function mountsOf(pid: number): { readonly device: string; readonly path: string }[] {
  try {
    return readFileSync(`/proc/${pid}/mountinfo`, 'utf8')
      .split('\n')
      .map(line => line.split(' '))
      .map(([, , device = '', , path = '']) => ({
        device,
        path: path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
      }))
      .filter(mount => mount.device !== '')
  } catch {
    return []
  }
}
