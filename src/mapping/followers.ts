import { readdirSync, readFileSync } from 'node:fs'
import { Spare } from '../base/spare.ts'
import { deferred, pause } from '../base/time.ts'
import { Marked } from './marked.ts'
import { Member } from './member.ts'

// No look at a process may block this one, and there is one look at a time: a process that waits for our answer on a mapping holds locks that a look at it
// waits for, and of the few threads in which Node waits some must stay free for reading the mapping's requests.

/** How long between two looks. While the program runs nobody waits for what they find, and with a subreaper no orphan is lost between them. */
const POLL_MS = { first: 5, longest: 100, running: 250, adopting: 1000 }

/** Who asks who there is asks again. */
const FEW_LOOKS = 3

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
  readonly #marked: Marked
  readonly #subreaper: Subreaper | undefined
  readonly #isBystander: (pid: number) => Promise<boolean>
  readonly #members = new Map<number, Member>()
  readonly #stopped = new AbortController()
  /** Files of /proc are read one at a time. */
  readonly #spare = new Spare()
  #program: number | undefined
  /** It was looked at once. */
  #begun = false
  /** None is left. */
  #over = false
  #zombies: ReadonlySet<number> = new Set()
  #turn: Promise<unknown> = Promise.resolve()

  /** `isBystander`: started by the program, and waiting for whoever comes; it is nobody's to wait for, nor to end. */
  constructor(runId: string, { subreaper, isBystander = async () => false }: FollowersOptions = {}) {
    const isEnough = async (): Promise<boolean> => (await this.#users()).length > 0
    this.#marked = new Marked(runId, { add: pid => this.#add(pid), isEnough, isHelped: subreaper !== undefined })
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

  /** All there are now. Who has found before that none is left does not search again. */
  async list(): Promise<readonly number[]> {
    if (this.#over) return []
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
      if (!(await this.#look(false))) {
        this.#over = true
        break
      }
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
      await this.#marked.search(FEW_LOOKS)
      return true // who asks for this asks who they are, too
    }
    const isSure = (await this.#users()).length > 0 || (await this.#marked.search())
    return died || !isSure || (await this.#users()).length > 0
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
    for (const [pid, member] of this.#members) {
      if (await member.lives()) for (const child of childrenOf(pid)) await this.#add(child)
      else this.#members.delete(pid)
    }
    return this.#subreaper !== undefined && (await this.#adopt(this.#subreaper))
  }

  /** A child of ours that is a zombie in two looks, between which Node has buried those it waits for, is an orphan's end. */
  async #adopt(subreaper: Subreaper): Promise<boolean> {
    const zombies = new Set<number>()
    for (const pid of childrenOf(process.pid)) {
      if (pid === this.#program || this.#members.has(pid) || (await subreaper.isOurs(pid))) continue
      if (await this.#add(pid)) continue
      if (this.#zombies.has(pid)) subreaper.bury(pid)
      else zombies.add(pid)
    }
    this.#zombies = zombies
    return zombies.size > 0
  }

  async #add(pid: number): Promise<boolean> {
    const member = await Member.of(pid)
    if (member !== undefined) this.#members.set(pid, member)
    return member !== undefined
  }
}

/** At once: what /proc tells of threads and children never keeps who asks waiting, as what it tells of a process's memory does. */
function childrenOf(pid: number): readonly number[] {
  const children: number[] = []
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`))
      children.push(...readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').split(' ').filter(Boolean).map(Number))
  } catch {} // it is gone, or that thread is: the next look finds the others
  return children
}
