import { readdir, readFile } from 'node:fs/promises'
import { outOfDescriptors } from './errors.ts'

// A process whose first thread has ended while others live is shown as a zombie, without folder, descriptors, environment and namespaces. All of them are
// still there, and /proc tells of them with each thread that lives. pthread_exit(3), proc_pid_task(5)

/**
 * When a process began, in ticks since boot; undefined when none of its threads lives. Throws where no descriptor is left to look with: nobody is dead of that.
 * proc_pid_stat(5), fields 3 and 22.
 */
export async function startOf(pid: number): Promise<string | undefined> {
  const { state, began } = await statOf(`/proc/${pid}`)
  if (isAlive(state)) return began
  return (await survivor(pid)) === undefined ? undefined : began
}

/** The folder in /proc of a living thread of a process whose first one has ended. Undefined for every other process, and for one that is gone. */
export async function survivorOf(pid: number): Promise<string | undefined> {
  return survivor(pid).catch(() => undefined)
}

async function survivor(pid: number): Promise<string | undefined> {
  for (const thread of await readdir(`/proc/${pid}/task`).catch(none<string[]>([]))) {
    const folder = `/proc/${pid}/task/${thread}`
    const alive = isAlive((await statOf(folder)).state)
    if (thread === `${pid}` && alive) return undefined
    if (alive) return folder
  }
  return undefined
}

interface Stat {
  readonly state: string | undefined
  readonly began: string | undefined
}

async function statOf(folder: string): Promise<Stat> {
  const stat = await readFile(`${folder}/stat`, 'latin1').catch(none(''))
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0], began: fields[19] }
}

/** What is to be read of one that is gone. */
function none<T>(empty: T): (thrown: unknown) => T {
  return thrown => {
    if (outOfDescriptors(thrown) !== undefined) throw thrown
    return empty
  }
}

function isAlive(state: string | undefined): boolean {
  return state !== undefined && state !== '' && state !== 'Z' && state !== 'X'
}
