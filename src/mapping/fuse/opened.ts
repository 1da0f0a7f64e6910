import { readdir, readFile, readlink } from 'node:fs/promises'
import { now } from '../../base/time.ts'
import { mountNamespace } from './room-users.ts'

export interface Opener {
  readonly pid: number
  readonly name: string
}

/**
 * The processes, as far as we may look into them, that have something at or below a path open, stand in it, or execute it. On a machine with thousands of
 * descriptors to look at, those found within `ms`: the likeliest first, who see what we see, the youngest of them before the old.
 */
export async function openedBy(path: string, ms: number): Promise<readonly Opener[]> {
  const dueAt = now() + ms
  const openers: Opener[] = []
  const look = async (pid: number): Promise<void> => {
    for await (const to of linksOf(pid)) {
      if (now() > dueAt) return
      if (to !== path && !to.startsWith(`${path}/`)) continue
      openers.push({ pid, name: await nameOf(pid) })
      return
    }
  }
  const own = await mountNamespace(process.pid)
  const pids = (await readdir('/proc')).map(Number).filter(Number.isInteger)
  const elsewhere: number[] = []
  for (const pid of pids.sort((a, b) => b - a)) {
    if (now() > dueAt) break
    if ((await mountNamespace(pid)) === own) await look(pid)
    else elsewhere.push(pid)
  }
  for (const pid of elsewhere) {
    if (now() > dueAt) break
    await look(pid)
  }
  return openers.sort((a, b) => a.pid - b.pid)
}

/** What a process has open below a path, from there on, as far as we may look into it. */
export async function openBelow(pid: number, path: string): Promise<readonly string[]> {
  const files = new Set<string>()
  for await (const to of linksOf(pid, [])) if (to.startsWith(`${path}/`)) files.add(to.slice(path.length + 1))
  return [...files]
}

/** Its name, for people. */
export async function nameOf(pid: number): Promise<string> {
  return (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim() || 'gone meanwhile'
}

/** Where the links of a process lead: its folder, its program, its descriptors. They are read, never followed. */
async function* linksOf(pid: number, besides: readonly string[] = ['cwd', 'root', 'exe']): AsyncGenerator<string> {
  const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => [])
  for (const link of [...besides, ...descriptors.map(fd => `fd/${fd}`)]) {
    try {
      yield await readlink(`/proc/${pid}/${link}`)
    } catch {} // closed meanwhile
  }
}
