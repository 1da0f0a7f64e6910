import { readdir, readFile, readlink } from 'node:fs/promises'

export interface Opener {
  readonly pid: number
  readonly name: string
}

/** The processes, as far as we may look into them, that have something at or below a path open, stand in it, or execute it. */
export async function openedBy(path: string): Promise<readonly Opener[]> {
  const openers: Opener[] = []
  for (const pid of (await readdir('/proc')).map(Number).filter(Number.isInteger)) {
    for await (const to of linksOf(pid)) {
      if (to !== path && !to.startsWith(`${path}/`)) continue
      openers.push({ pid, name: (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim() || 'gone meanwhile' })
      break
    }
  }
  return openers
}

/** Where the links of a process lead: its folder, its program, its descriptors. They are read, never followed. */
async function* linksOf(pid: number): AsyncGenerator<string> {
  const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => [])
  for (const link of ['cwd', 'root', 'exe', ...descriptors.map(fd => `fd/${fd}`)]) {
    try {
      yield await readlink(`/proc/${pid}/${link}`)
    } catch {} // closed meanwhile
  }
}
