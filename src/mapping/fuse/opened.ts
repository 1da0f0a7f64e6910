import { readdir, readFile, readlink } from 'node:fs/promises'
import { now } from '../../base/time.ts'

export interface Opener {
  readonly pid: number
  readonly name: string
}

/** How long a look at all processes of a machine may take: a machine may have thousands. */
const LOOK_MS = 250

/**
 * The processes, as far as we may look into them, that have something at or below a path open, stand in it, or execute it. All of `suspects`; of the others
 * those that were found in the time that such a look may take.
 */
export async function openedBy(path: string, suspects: readonly number[]): Promise<readonly Opener[]> {
  const openers: Opener[] = []
  const dueAt = now() + LOOK_MS
  const all = (await readdir('/proc')).map(Number).filter(Number.isInteger)
  const others = all.filter(pid => !suspects.includes(pid))
  for (const [i, pid] of [...suspects, ...others].entries()) {
    if (i >= suspects.length && now() > dueAt) break
    for await (const to of linksOf(pid)) {
      if (to !== path && !to.startsWith(`${path}/`)) continue
      openers.push({ pid, name: await nameOf(pid) })
      break
    }
  }
  return openers
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
