import { readdir, readFile } from 'node:fs/promises'
import { startOf, survivorOf } from '../base/living.ts'
import { deferred, pause } from '../base/time.ts'

// No look at a process may block this one, and there is one look at a time: a process that waits for our answer on a mapping holds locks that a look at it
// waits for, and of the few threads in which Node waits some must stay free for reading the mapping's requests.

const POLL_MS = { first: 5, longest: 100 }

/** Where a kernel lets orphans become our children. */
export interface Subreaper {
  /** Children of ours that are not the program's: Node waits for them. */
  isOurs(pid: number): boolean
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
  #program: number | undefined
  #zombies: ReadonlySet<number> = new Set()
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

  /** Call once the program was spawned. */
  async start(pid: number): Promise<void> {
    this.#program = pid
    await this.#add(pid)
    void this.#watch()
  }

  /** All there are now. */
  async list(): Promise<readonly number[]> {
    await this.#look(true)
    return this.#users()
  }

  stop(): void {
    this.#stopped.abort()
    this.#resolve()
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stopped
    for (let wait = POLL_MS.first; !signal.aborted; wait = Math.min(POLL_MS.longest, wait * 1.5)) {
      if (!(await this.#look(false))) break
      await pause(wait, signal)
    }
    this.#resolve()
  }

  /** `thorough`: read every environment, which costs; else only when nobody known is left. False when there is nobody. */
  #look(thorough: boolean): Promise<boolean> {
    const look = this.#turn.then(async () => {
      const died = await this.#follow()
      if (thorough || (await this.#users()).length === 0) await this.#search()
      return died || (await this.#users()).length > 0
    })
    this.#turn = look.catch(() => {})
    return look
  }

  async #users(): Promise<readonly number[]> {
    const users: number[] = []
    for (const pid of this.#members.keys()) if (!(await this.#isBystander(pid))) users.push(pid)
    return users
  }

  /** Forgets the dead, adds the children of the living, and the orphans. True when an orphan died, who may have left one of its own meanwhile. */
  async #follow(): Promise<boolean> {
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
      if (pid === this.#program || subreaper.isOurs(pid)) continue
      if (await this.#add(pid)) continue
      if (this.#zombies.has(pid)) subreaper.bury(pid)
      else zombies.add(pid)
    }
    this.#zombies = zombies
    return zombies.size > 0
  }

  async #search(): Promise<void> {
    for (const name of await readdir('/proc')) {
      const pid = Number(name)
      if (Number.isInteger(pid) && `\0${await environmentOf(pid)}`.includes(this.#mark)) await this.#add(pid)
    }
  }

  async #add(pid: number): Promise<boolean> {
    const began = await startOf(pid)
    if (began !== undefined) this.#members.set(pid, began)
    return began !== undefined
  }
}

/** Empty where there is none, or where it is not ours to know. */
async function environmentOf(pid: number): Promise<string> {
  const text = await read(`/proc/${pid}/environ`)
  if (text !== '') return text
  const survivor = await survivorOf(pid)
  return survivor === undefined ? '' : read(`${survivor}/environ`)
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const children: number[] = []
  try {
    for (const thread of await readdir(`/proc/${pid}/task`))
      children.push(...(await read(`/proc/${pid}/task/${thread}/children`)).split(' ').filter(Boolean).map(Number))
  } catch {} // it is gone
  return children
}

/** A file of /proc; empty when its process is gone or not ours to look at. */
async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'latin1')
  } catch {
    return ''
  }
}
