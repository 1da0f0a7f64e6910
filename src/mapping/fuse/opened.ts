import { readdir, readFile, readlink } from 'node:fs/promises'
import { survivorOf } from '../../base/living.ts'
import { now } from '../../base/time.ts'
import type { User } from '../mapping.ts'
import { mountNamespace } from './room-users.ts'

export interface Opener {
  readonly pid: number
  readonly name: string
}

/** How long a look at all processes of a machine may take: a machine may have thousands. */
const LOOK_MS = 1000

/**
 * The processes, as far as we may look into them, that have something at or below a path open, stand in it, or execute it. All of `suspects`; of the others
 * those that were found in the time that such a look may take: first who sees what we see, the youngest before the old.
 */
export async function openedBy(path: string, suspects: readonly number[]): Promise<readonly Opener[]> {
  const openers: Opener[] = []
  const look = async (pid: number): Promise<void> => {
    for await (const to of linksOf(pid)) {
      if (to !== path && !to.startsWith(`${path}/`)) continue
      openers.push({ pid, name: (await nameOf(pid)) ?? 'gone meanwhile' })
      return
    }
  }
  for (const pid of suspects) await look(pid)
  const dueAt = now() + LOOK_MS
  const own = await mountNamespace(process.pid)
  const others = (await readdir('/proc')).map(Number).filter(pid => Number.isInteger(pid) && !suspects.includes(pid))
  const elsewhere: number[] = []
  for (const pid of others.sort((a, b) => b - a)) {
    if (now() > dueAt) break
    if ((await mountNamespace(pid)) === own) await look(pid)
    else elsewhere.push(pid)
  }
  for (const pid of elsewhere) {
    if (now() > dueAt) break
    await look(pid)
  }
  return openers
}

/** What a process has open below a path, from there on, as far as we may look into it. */
export async function openBelow(pid: number, path: string): Promise<readonly string[]> {
  const files = new Set<string>()
  for await (const to of linksOf(pid, [])) if (to.startsWith(`${path}/`)) files.add(to.slice(path.length + 1))
  return [...files]
}

/** Who a user of a mapping is. */
export async function describe(pid: number, points: readonly string[]): Promise<User | undefined> {
  const files = await Promise.all(points.map(point => openBelow(pid, point)))
  const name = await nameOf(pid)
  return name === undefined ? undefined : { name, files: [...new Set(files.flat())] }
}

/** Of its program, for people. */
async function nameOf(pid: number): Promise<string | undefined> {
  return (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim() || undefined
}

/** Where the links of a process lead: its folder, its program, its descriptors. They are read, never followed. */
async function* linksOf(pid: number, besides: readonly string[] = ['cwd', 'root', 'exe']): AsyncGenerator<string> {
  let folder = `/proc/${pid}`
  let descriptors = await readdir(`${folder}/fd`).catch(() => [])
  if (descriptors.length === 0) {
    folder = survivorOf(pid) ?? folder
    descriptors = await readdir(`${folder}/fd`).catch(() => [])
  }
  for (const link of [...besides, ...descriptors.map(fd => `fd/${fd}`)]) {
    try {
      yield await readlink(`${folder}/${link}`)
    } catch {} // closed meanwhile
  }
}
