import { createHash } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { errnoOf } from '../../base/errors.ts'

/** Which process, of which start of which machine, an entry is of. Empty texts are not known. */
export interface Origin {
  /** A hash of machine-id(5), which is not to be shown. */
  readonly machine: string
  readonly host: string
  /** random(4): another one with every start of the kernel. */
  readonly boot: string
  /** `pid:[4026531836]`: elsewhere a pid means somebody else. On Windows the logon session, which letters belong to. */
  readonly pids: string
  readonly pid: number
  /** In ticks since boot: with it a pid is nobody else's. proc_pid_stat(5), field 22. Another time namespace counts from another moment. */
  readonly start: string
  /** `time:[4026531834]`; older entries do not have it. */
  readonly time?: string
  /** `net:[4026531840]`: elsewhere an address may be another machine's. Older entries do not have it. */
  readonly net?: string
  readonly uid: number
}

let own: Origin | undefined
let startElsewhere: ((pid: number) => string | undefined) | undefined

/**
 * Who this is where there is no /proc, and when a process began there. Its `start` is a time that no restart repeats, so that a live process is known whatever
 * is said about the boot.
 */
export function useOrigin(origin: Origin, startOfProcess: (pid: number) => string | undefined): void {
  own = origin
  startElsewhere = startOfProcess
}

/** This process. */
export function here(): Origin {
  own ??= {
    machine: machine(),
    host: hostname(),
    boot: line('/proc/sys/kernel/random/boot_id'),
    pids: link('/proc/self/ns/pid'),
    pid: process.pid,
    start: startOf('self') ?? '',
    time: link('/proc/self/ns/time'),
    net: link('/proc/self/ns/net'),
    uid: process.geteuid?.() ?? -1,
  }
  return own
}

/** What can be said of the process of an entry: `why` where nothing is proven, and nothing may be taken from it. */
export type Verdict = { readonly state: 'live' | 'dead' } | { readonly state: 'unknown'; readonly why: string }

const LIVE: Verdict = { state: 'live' }
const DEAD: Verdict = { state: 'dead' }

/**
 * Dead is who ran before this machine started anew, or in our own pid namespace under a pid that is free or another's by now. A number of a pid namespace is
 * used again only when the namespace is gone, and with it whoever was in it. Machines made from one image may have the same machine-id: where only that
 * speaks for this machine, its name must too.
 */
export function judge(origin: Origin, me: Origin = here()): Verdict {
  const unknown = (why: string): Verdict => ({ state: 'unknown', why })
  if (origin.uid !== me.uid) return unknown(`it belongs to another user (uid ${origin.uid})`)
  if (me.boot === '') return unknown('this system does not tell when it was started')
  if (startElsewhere !== undefined && origin.start !== '' && startElsewhere(origin.pid) === origin.start) return LIVE
  if (origin.boot === me.boot) return judgeProcess(origin, me)
  if (origin.machine === '' || me.machine === '') return unknown('it was written on a machine without a machine-id')
  if (origin.machine !== me.machine) return unknown(`it was written on another machine (${origin.host})`)
  if (origin.host !== me.host) return unknown(`it was written under another name of the machine (${origin.host})`)
  return DEAD
}

function judgeProcess({ pids, pid, start, time }: Origin, me: Origin): Verdict {
  const unknown = (why: string): Verdict => ({ state: 'unknown', why })
  if (pids === '' || pids !== me.pids)
    return unknown(startElsewhere === undefined ? 'it runs in another pid namespace' : 'it ran in another logon session of Windows')
  if (!exists(pid)) return DEAD
  if (startElsewhere !== undefined) return startElsewhere(pid) === undefined ? LIVE : DEAD // another one of that number, or one that may not be looked at
  // a /proc of another pid namespace shows others under these numbers
  if (link('/proc/self') !== String(me.pid)) return LIVE
  const began = startOf(pid)
  if (began === undefined || began === start) return LIVE
  return time === me.time ? DEAD : unknown('it may run in another time namespace')
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (thrown) {
    return errnoOf(thrown) !== 'ESRCH'
  }
}

function startOf(pid: number | 'self'): string | undefined {
  const stat = line(`/proc/${pid}/stat`)
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
}

function machine(): string {
  const id = line('/etc/machine-id') || line('/var/lib/dbus/machine-id')
  return /^[0-9a-f]{32}$/.test(id) ? createHash('sha256').update(`nbtrun ${id}`).digest('hex').slice(0, 32) : ''
}

function line(path: string): string {
  try {
    return readFileSync(path, 'latin1').trim()
  } catch {
    return ''
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
