import { readdirSync, readlinkSync } from 'node:fs'

/**
 * The descriptors above 2 that were open when nbtrun was started, which the program shall find under the same numbers. Call it before anything else opens
 * one. Node marks what it inherits close-on-exec as it marks its own, so the flag tells nothing; what it opened itself are event polls, event counters, and
 * pipes with both ends in this process. Such a pipe is inherited only where the parent holds it too (the job tokens of make).
 */
export function inheritedDescriptors(parent = process.ppid): readonly number[] {
  const open = links(process.pid)
  const ends = new Map<string, number>()
  for (const to of open.values()) ends.set(to, (ends.get(to) ?? 0) + 1)
  let parents: ReadonlySet<string> | undefined
  return [...open]
    .filter(([fd, to]) => {
      if (fd <= 2 || /^anon_inode:\[(eventpoll|eventfd|io_uring)\]$/.test(to)) return false
      if (!to.startsWith('pipe:') || ends.get(to) === 1) return true
      parents ??= new Set(links(parent).values())
      return parents.has(to)
    })
    .map(([fd]) => fd)
    .toSorted((a, b) => a - b)
}

/** The `stdio` of a child that inherits 0 to 2 and each of these under its own number; the numbers between stay closed. */
export function stdioOf(descriptors: readonly number[]): (number | 'inherit' | 'ignore')[] {
  const stdio: (number | 'inherit' | 'ignore')[] = ['inherit', 'inherit', 'inherit']
  for (const fd of descriptors) {
    while (stdio.length < fd) stdio.push('ignore')
    stdio[fd] = fd
  }
  return stdio
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
