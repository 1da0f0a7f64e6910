import { readdir, readFile } from 'node:fs/promises'
import { errnoOf, outOfDescriptors } from '../base/errors.ts'
import { startOf, survivorOf } from '../base/living.ts'
import { Spare } from '../base/spare.ts'
import { deferred, pause } from '../base/time.ts'

// No look at a process may block this one, and there is one look at a time: a process that waits for our answer on a mapping holds locks that a look at it
// waits for, and of the few threads in which Node waits some must stay free for reading the mapping's requests.

/** How long between two looks. While the program runs nobody waits for what they find, and with a subreaper no orphan is lost between them. */
const POLL_MS = { first: 5, longest: 100, running: 250, adopting: 1000 }

/** Only the first one costs: each later one looks at those who came meanwhile. */
const MOST_SEARCHES = 100

/** linux/sched.h */
const PF_KTHREAD = 0x200000

/** Where a kernel lets orphans become our children. */
export interface Subreaper {
  /** A child of ours that is not the program's: started by us, or by a tool of ours. */
  isOurs(pid: number): Promise<boolean>
  /** Buries a zombie that is nobody else's to bury. */
  bury(pid: number): void
}

export interface FollowersOptions {
  readonly subreaper?: Subreaper | undefined
  readonly isBystander?: (pid: number) => Promise<boolean>
}

/**
 * A program and what it started. They are known by their parents and by `NBTRUN_RUN_ID=<run id>` in their environment, which also a process with a session of its
 * own and no parent left still has; with a subreaper also by having become our children.
 */
export class Followers {
  /** Resolves when none is left, or after `stop`. Never rejects. */
  readonly gone: Promise<void>
  readonly #resolve: () => void
  readonly #mark: string
  readonly #subreaper: Subreaper | undefined
  readonly #isBystander: (pid: number) => Promise<boolean>
  /** Process id to start time, which tells a process from a later one of the same id. */
  readonly #members = new Map<number, string>()
  readonly #stopped = new AbortController()
  /** Files of /proc are read one at a time. */
  readonly #spare = new Spare()
  #program: number | undefined
  /** It was looked at once. */
  #begun = false
  #zombies: ReadonlySet<number> = new Set()
  /** Whose environment was not there to be read, in the last search: zombies stay so. */
  #unread: ReadonlySet<string> = new Set()
  #turn: Promise<unknown> = Promise.resolve()

  /** `isBystander`: started by the program, and waiting for whoever comes; it is nobody's to wait for, nor to end. */
  constructor(runId: string, { subreaper, isBystander = async () => false }: FollowersOptions = {}) {
    this.#mark = `\0NBTRUN_RUN_ID=${runId}\0`
    this.#subreaper = subreaper
    this.#isBystander = isBystander
    const { promise, resolve } = deferred<void>()
    this.gone = promise
    this.#resolve = () => resolve()
  }

  /** Call once the program was spawned; `exited` resolves when its own process is gone. */
  start(pid: number, exited: Promise<unknown> = Promise.resolve()): void {
    this.#program = pid
    const ended = new AbortController()
    void exited.then(() => ended.abort())
    void this.#watch(ended.signal)
  }

  /** All there are now. */
  async list(): Promise<readonly number[]> {
    await this.#look(true)
    return this.#users()
  }

  stop(): void {
    this.#stopped.abort()
    this.#spare.close()
    this.#resolve()
  }

  async #watch(ended: AbortSignal): Promise<void> {
    const stopped = this.#stopped.signal
    const over = AbortSignal.any([stopped, ended])
    const running = this.#subreaper === undefined ? POLL_MS.running : POLL_MS.adopting
    for (let wait: number = POLL_MS.first; !over.aborted; wait = Math.min(running, wait * 1.5)) {
      await this.#look(false)
      await pause(wait, over)
    }
    for (let wait: number = POLL_MS.first; !stopped.aborted; wait = Math.min(POLL_MS.longest, wait * 1.5)) {
      if (!(await this.#look(false))) break
      await pause(wait, stopped)
    }
    this.#resolve()
  }

  /** `thorough`: read every environment, which costs; else only when nobody known is left. False when there is nobody. */
  #look(thorough: boolean): Promise<boolean> {
    const look = this.#turn.then(async () => {
      try {
        return await this.#lookNow(thorough)
      } catch {
        return this.#spare.with(() => this.#lookNow(thorough)).catch(() => true) // nobody is dead of not having been looked at
      }
    })
    this.#turn = look
    return look
  }

  async #lookNow(thorough: boolean): Promise<boolean> {
    const died = await this.#follow()
    if (thorough) {
      await this.#search(1)
      return true // who asks for this asks who they are, too
    }
    if ((await this.#users()).length === 0) await this.#search(MOST_SEARCHES)
    return died || (await this.#users()).length > 0
  }

  async #users(): Promise<readonly number[]> {
    const users: number[] = []
    for (const pid of this.#members.keys()) if (!(await this.#isBystander(pid))) users.push(pid)
    return users
  }

  /** Forgets the dead, adds the children of the living, and the orphans. True when an orphan died, who may have left one of its own meanwhile. */
  async #follow(): Promise<boolean> {
    if (this.#program !== undefined && !this.#begun) {
      await this.#add(this.#program)
      this.#begun = true
    }
    for (const [pid, began] of this.#members) {
      if ((await startOf(pid)) === began) for (const child of await childrenOf(pid)) await this.#add(child)
      else this.#members.delete(pid)
    }
    return this.#subreaper !== undefined && (await this.#adopt(this.#subreaper))
  }

  /** A child of ours that is a zombie in two looks, between which Node has buried those it waits for, is an orphan's end. */
  async #adopt(subreaper: Subreaper): Promise<boolean> {
    const zombies = new Set<number>()
    for (const pid of await childrenOf(process.pid)) {
      if (pid === this.#program || this.#members.has(pid) || (await subreaper.isOurs(pid))) continue
      if (await this.#add(pid)) continue
      if (this.#zombies.has(pid)) subreaper.bury(pid)
      else zombies.add(pid)
    }
    this.#zombies = zombies
    return zombies.size > 0
  }

  /**
   * Adds all who have the mark. Who goes, or becomes another program, while it is looked has none to be read, and may leave one behind where it was looked
   * before: then it is looked again, `most` times in all, at whoever is new.
   */
  async #search(most: number): Promise<void> {
    const known = new Set<string>()
    for (let looks = 0; looks < most; looks++) {
      const unread = new Set<string>()
      for (const name of await readdir('/proc')) {
        const pid = Number(name)
        if (!Number.isInteger(pid) || known.has(name)) continue
        const environment = await environmentOf(name)
        const isKnown = environment !== undefined && (!`\0${environment}`.includes(this.#mark) || (await this.#add(pid)))
        if (isKnown) known.add(name)
        else unread.add(name)
      }
      const isSure = [...unread].every(name => this.#unread.has(name))
      this.#unread = unread
      if (isSure || this.#members.size > 0) return
    }
  }

  async #add(pid: number): Promise<boolean> {
    const began = await startOf(pid)
    if (began !== undefined) this.#members.set(pid, began)
    return began !== undefined
  }
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const children: number[] = []
  try {
    for (const thread of await readdir(`/proc/${pid}/task`))
      children.push(...(await read(`/proc/${pid}/task/${thread}/children`)).split(' ').filter(Boolean).map(Number))
  } catch {} // it is gone
  return children
}

/** Empty where it is not ours to look at, and for a thread of the kernel; undefined for one that is gone, or just becoming another program. */
async function environmentOf(pid: string): Promise<string | undefined> {
  let refused = false
  try {
    const text = await readFile(`/proc/${pid}/environ`, 'latin1')
    if (text !== '') return text
  } catch (thrown) {
    if (outOfDescriptors(thrown) !== undefined) throw thrown
    refused = !['ENOENT', 'ESRCH'].includes(errnoOf(thrown) ?? '')
  }
  const survivor = await survivorOf(Number(pid))
  if (survivor !== undefined) return read(`${survivor}/environ`)
  // one of ours is closed to us for a moment while it becomes another program, and may be gone before it is asked whose it is
  if (refused) return [process.getuid?.(), undefined].includes(await ownerOf(pid)) ? undefined : ''
  return (await isKernels(pid)) ? '' : undefined
}

/** The real user id; undefined when it is gone. proc_pid_status(5) */
async function ownerOf(pid: string): Promise<number | undefined> {
  const uid = /^Uid:\s+(\d+)/m.exec(await read(`/proc/${pid}/status`))?.[1]
  return uid === undefined ? undefined : Number(uid)
}

/** proc_pid_stat(5), field 9. */
async function isKernels(pid: string): Promise<boolean> {
  const stat = await read(`/proc/${pid}/stat`)
  return (Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[6]) & PF_KTHREAD) !== 0
}

/** A file of /proc; empty when its process is gone or not ours to look at. */
async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'latin1')
  } catch {
    return ''
  }
}
