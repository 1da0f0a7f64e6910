import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/**
 * The descriptors above 2 that were open when nbtrun was started, which the program shall find under the same numbers. Call it before anything else opens
 * one. Node marks what it inherits close-on-exec as it marks its own, so the flag tells nothing; what it opened itself are event polls, event counters, and
 * pipes with both ends in this process. Such a pipe is inherited only where the parent holds it too (the job tokens of make).
 */
export function inheritedDescriptors(parent = process.ppid): readonly number[] {
  const open = links(process.pid)
  let parents: ReadonlySet<string> | undefined
  const isOurs = (to: string): boolean => {
    if (/^anon_inode:\[(eventpoll|eventfd|io_uring)\]$/.test(to)) return true
    if (!to.startsWith('pipe:')) return false
    const ends = [...open].filter(([fd, other]) => fd > 2 && other === to).map(([fd]) => accessMode(fd))
    if (ends.toSorted((a, b) => a - b).join() !== '0,1') return false // O_RDONLY, O_WRONLY
    parents ??= new Set(links(parent).values())
    return !parents.has(to)
  }
  return [...open]
    .filter(([fd, to]) => fd > 2 && !isOurs(to))
    .map(([fd]) => fd)
    .toSorted((a, b) => a - b)
}

type Stdio = number | 'inherit' | 'ignore'
/** A program's descriptors 0, 1 and 2: those of this process, none, or others of it. */
export type Standard = readonly [Stdio, Stdio, Stdio]

/** The `stdio` of a child that has these as 0 to 2, and inherits each descriptor under its own number; the numbers between stay closed. */
export function stdioOf(descriptors: readonly number[], standard: Standard = ['inherit', 'inherit', 'inherit']): Stdio[] {
  const stdio: Stdio[] = [...standard]
  for (const fd of descriptors) {
    while (stdio.length < fd) stdio.push('ignore')
    stdio[fd] = fd
  }
  return stdio
}

/** The last octal digit of the flags says for what it is open. proc_pid_fdinfo(5) */
function accessMode(fd: number): number {
  const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1]
  return Number.parseInt(flags ?? '', 8) & 3
}

function links(pid: number): Map<number, string> {
  const open = new Map<number, string>()
  try {
    for (const fd of readdirSync(`/proc/${pid}/fd`)) {
      try {
        open.set(Number(fd), readlinkSync(`/proc/${pid}/fd/${fd}`))
      } catch {} // the one that listed the folder
    }
  } catch {} // no /proc, or a parent that is not ours to look at
  return open
}
