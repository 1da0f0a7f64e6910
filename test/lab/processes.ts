import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** A process that cannot be mistaken for a later one with the same number. */
export interface Process {
  readonly pid: number
  /** Start time in clock ticks since boot. proc(5), stat field 22. */
  readonly started: string
}

/** The living process with this number, or undefined; a zombie is not living, unless it is only its first thread that has ended. */
export function processOf(pid: number): Process | undefined {
  try {
    const [state, started] = statOf(`/proc/${pid}`)
    if (started === undefined) return undefined
    return !isDead(state) || survivorOf(pid) !== undefined ? { pid, started } : undefined
  } catch {
    return undefined
  }
}

/** The folder in /proc of a thread that outlived the first one of its process. That one is a zombie then, of which /proc tells neither namespace nor files. */
function survivorOf(pid: number): string | undefined {
  return readdirSync(`/proc/${pid}/task`)
    .map(thread => `/proc/${pid}/task/${thread}`)
    .find(folder => {
      try {
        return !isDead(statOf(folder)[0])
      } catch {
        return false // it has just ended
      }
    })
}

function statOf(folder: string): [state: string | undefined, started: string | undefined] {
  const stat = readFileSync(`${folder}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return [fields[0], fields[19]]
}

const isDead = (state: string | undefined): boolean => state === 'Z' || state === 'X'

/** Boot and pid namespace: elsewhere the number of a process means nothing. */
export const machine = (): string => `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()} ${readlinkSync('/proc/self/ns/pid')}`

export const isAlive = (process: Process): boolean => processOf(process.pid)?.started === process.started

/** The network namespace a process is in, as the kernel names it: `net:[4026532201]`. */
export function networkOf(pid: number | 'self'): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`)
  } catch {}
  try {
    return pid === 'self' ? undefined : readlinkSync(`${survivorOf(pid)}/ns/net`)
  } catch {
    return undefined
  }
}

/** Every living process in that network namespace. */
export function processesIn(network: string): number[] {
  const pids = readdirSync('/proc').flatMap(entry => (/^\d+$/.test(entry) ? [Number(entry)] : []))
  return pids.filter(pid => networkOf(pid) === network && processOf(pid) !== undefined)
}

/** Kills everything in the network namespaces of these processes, themselves included, and waits until it is gone. */
export function killWith(members: readonly Process[]): void {
  // held open meanwhile: the number of a network that is gone may be another lab's new one
  const held = members.filter(isAlive).flatMap(({ pid }) => networkFile(pid) ?? [])
  try {
    const networks = new Set(held.map(fd => readlinkSync(`/proc/self/fd/${fd}`)))
    networks.delete(networkOf('self') ?? '')
    for (let tries = 0; tries < 5000; tries++) {
      const left = [...networks].flatMap(processesIn)
      if (left.length === 0) return
      for (const pid of left) {
        try {
          process.kill(pid, 'SIGKILL')
        } catch {} // it has gone by itself
      }
      sleep(2)
    }
    throw new Error(`lab: processes ${[...networks].flatMap(processesIn).join(', ')} cannot be killed`)
  } finally {
    for (const fd of held) closeSync(fd)
  }
}

function networkFile(pid: number): number | undefined {
  try {
    return openSync(`${survivorOf(pid)}/ns/net`, 'r')
  } catch {
    return undefined
  }
}

/** Kills a process and those of its group, and waits until it is gone. */
export function killGroup(leader: Process): void {
  for (let tries = 0; tries < 1000 && isAlive(leader); tries++) {
    process.kill(-leader.pid, 'SIGKILL')
    sleep(2)
  }
}

/** Blocks: it serves exit handlers, which cannot wait otherwise. */
function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
