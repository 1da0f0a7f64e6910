import { readdirSync, readFileSync } from 'node:fs'
import { deferred, pause } from '../base/time.ts'
import { findTool } from './fuse/room-tools.ts'
import type { Mapping } from './mapping.ts'

const POLL_MS = { first: 5, longest: 100 }

/**
 * No mapping at all: the session alone is held while the program and what it started lives. They are known by their parents and by
 * `NBTRUN_RUN_ID=<run id>` in their environment, which also a process with a session of its own and no parent left still has.
 */
export function noMapping(runId: string): Mapping {
  return new NoMapping(runId)
}

class NoMapping implements Mapping {
  readonly kind = 'none'
  readonly way = 'none'
  readonly unused: Promise<void>
  readonly #resolve: () => void
  readonly #mark: string
  /** Process id to start time, which tells a process from a later one of the same id. */
  readonly #members = new Map<number, string>()
  readonly #ended = new AbortController()

  constructor(runId: string) {
    this.#mark = `\0NBTRUN_RUN_ID=${runId}\0`
    const { promise, resolve } = deferred<void>()
    this.unused = promise
    this.#resolve = () => resolve()
  }

  enter(cwd: string): readonly string[] {
    const env = findTool('env')
    const setpriv = findTool('setpriv')
    return [
      ...(cwd === process.cwd() || env === undefined ? [] : [env, `--chdir=${cwd}`, '--']),
      ...(setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'TERM', '--']),
    ]
  }

  entered(pid: number): Promise<void> {
    this.#add(pid)
    void this.#watch()
    return Promise.resolve()
  }

  users(): Promise<readonly number[]> {
    this.#follow()
    this.#search()
    return Promise.resolve([...this.#members.keys()])
  }

  end(): Promise<void> {
    this.#ended.abort()
    this.#resolve()
    return Promise.resolve()
  }

  async #watch(): Promise<void> {
    const { signal } = this.#ended
    for (let wait = POLL_MS.first; !signal.aborted; wait = Math.min(POLL_MS.longest, wait * 1.5)) {
      this.#follow()
      // only when nobody known is left: reading every environment costs
      if (this.#members.size === 0) this.#search()
      if (this.#members.size === 0) break
      await pause(wait, signal)
    }
    this.#resolve()
  }

  /** Forgets the dead, adds the children of the living. */
  #follow(): void {
    for (const [pid, began] of this.#members) {
      if (startOf(pid) === began) for (const child of childrenOf(pid)) this.#add(child)
      else this.#members.delete(pid)
    }
  }

  #search(): void {
    for (const name of readdirSync('/proc')) {
      const pid = Number(name)
      if (Number.isInteger(pid) && `\0${read(`/proc/${name}/environ`)}`.includes(this.#mark)) this.#add(pid)
    }
  }

  #add(pid: number): void {
    const began = startOf(pid)
    if (began !== undefined) this.#members.set(pid, began)
  }
}

/** When a process began, in ticks since boot; undefined when it is gone or a zombie. proc_pid_stat(5), fields 3 and 22. */
function startOf(pid: number): string | undefined {
  const stat = read(`/proc/${pid}/stat`)
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
}

function childrenOf(pid: number): readonly number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap(thread => read(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number))
  } catch {
    return []
  }
}

/** A file of /proc; empty when its process is gone or not ours to look at. */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
