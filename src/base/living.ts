import { closeSync, openSync, read, readdirSync, readFileSync, statSync } from 'node:fs'
import { promisify } from 'node:util'
import { errnoOf, outOfDescriptors } from './errors.ts'

// A process whose first thread has ended while others live is shown as a zombie, without folder, descriptors, environment and namespaces. All of them are
// still there, and /proc tells of them with each thread that lives. pthread_exit(3), proc_pid_task(5)
//
// While a process becomes another program the kernel locks it, closes those of its descriptors that are marked so, and on a mapping of ours that waits for our
// answer. Until then whoever asks /proc for more than its state, threads, children and descriptors is kept waiting, and must not be who has to answer: its
// stat, environment, maps and links are read by one of Node's threads.

/** As much as a stat has, and more. */
const STAT_LENGTH = 1024

const readInThread = promisify(read)

/**
 * When a process began, in ticks since boot; undefined when none of its threads lives. Throws where no descriptor is left to look with: nobody is dead of that.
 * proc_pid_stat(5), fields 3 and 22.
 */
export async function startOf(pid: number): Promise<string | undefined> {
  const stat = await statOf(pid).catch(none(''))
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ', 20)
  return isAlive(fields[0]) || survivor(pid) !== undefined ? fields[19] : undefined
}

/** Opened and closed at once, which never waits: of a whole /proc that takes a fifth of the time. */
async function statOf(pid: number): Promise<string> {
  const fd = openSync(`/proc/${pid}/stat`, 'r')
  try {
    const { bytesRead, buffer } = await readInThread(fd, Buffer.allocUnsafe(STAT_LENGTH), 0, STAT_LENGTH, 0)
    return buffer.toString('latin1', 0, bytesRead)
  } finally {
    closeSync(fd)
  }
}

/** Whether any of its threads lives; at once. Throws where no descriptor is left. */
export function isLiving(pid: number): boolean {
  return livesIn(`/proc/${pid}`) || survivor(pid) !== undefined
}

/** What /proc calls a process's folder for as long as it remembers that: with the same one it is the same process. At once; undefined for one that is gone. */
export function inodeOf(pid: number): number | undefined {
  try {
    return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.ino
  } catch (thrown) {
    if (errnoOf(thrown) === 'ESRCH') return undefined
    throw thrown
  }
}

/** The folder in /proc of a living thread of a process whose first one has ended. Undefined for every other process, and for one that is gone. */
export function survivorOf(pid: number): string | undefined {
  try {
    return survivor(pid)
  } catch {
    return undefined
  }
}

function survivor(pid: number): string | undefined {
  for (const thread of listNow(`/proc/${pid}/task`)) {
    const folder = `/proc/${pid}/task/${thread}`
    const lives = livesIn(folder)
    if (thread === `${pid}` && lives) return undefined
    if (lives) return folder
  }
  return undefined
}

function listNow(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch (thrown) {
    return none<string[]>([])(thrown)
  }
}

/** proc_pid_status(5) */
function livesIn(folder: string): boolean {
  try {
    return isAlive(/^State:\s*(.)/m.exec(readFileSync(`${folder}/status`, 'latin1'))?.[1])
  } catch (thrown) {
    return none(false)(thrown)
  }
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
