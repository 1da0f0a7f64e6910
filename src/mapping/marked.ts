import { readdir, readFile } from 'node:fs/promises'
import { errnoOf, outOfDescriptors } from '../base/errors.ts'
import { startOf, survivorOf } from '../base/living.ts'
import { now } from '../base/time.ts'

/** Only the first one costs: each later one looks at those who came meanwhile. */
const MOST_LOOKS = 100

/** Who lives and shows no environment for so long is not just becoming another program, but hides it. */
const BECOMING_MS = 1000

/** linux/sched.h */
const PF_KTHREAD = 0x200000

export interface MarkedOptions {
  /** Takes one that has the mark. False when it is gone. */
  add(pid: number): Promise<boolean>
  /** Whether the search may end, although there may be more. */
  isEnough(): Promise<boolean>
  /** Somebody else tells of those who are missed while they become another program. */
  readonly isHelped: boolean
}

/** The processes that have `NBTRUN_RUN_ID=<run id>` in their environment, as the program has and who it started. */
export class Marked {
  readonly #mark: string
  readonly #options: MarkedOptions
  /** Whose environment was not there to be read in the last look. */
  #unread: ReadonlyMap<string, Unread> = new Map()
  /** When this process began: who is older has no mark. */
  #eldest: number | undefined

  constructor(runId: string, options: MarkedOptions) {
    this.#mark = `\0NBTRUN_RUN_ID=${runId}\0`
    this.#options = options
  }

  /**
   * Adds them all. Who goes, or becomes another program, while it is looked has no environment to be read, and may leave one behind where it was looked before:
   * then it is looked again at whoever is new, `most` times in all. False when somebody may have been missed for all that.
   */
  async search(most = MOST_LOOKS): Promise<boolean> {
    const known = new Set<string>()
    for (let looks = 0; looks < most; looks++) {
      const before = this.#unread
      const unread = await this.#look(known)
      if (await this.#options.isEnough()) return true
      if ([...unread.keys()].every(key => before.has(key))) return this.#options.isHelped || ![...unread.values()].some(isBecoming)
    }
    return false
  }

  /** Looks at those that are not known yet. */
  async #look(known: Set<string>): Promise<ReadonlyMap<string, Unread>> {
    const unread = new Map<string, Unread>()
    const eldest = (this.#eldest ??= Number(await startOf(process.pid)))
    for (const name of await readdir('/proc')) {
      const pid = Number(name)
      if (!Number.isInteger(pid) || known.has(name)) continue
      const began = await startOf(pid)
      if (pid === process.pid || (began !== undefined && (Number(began) < eldest || (await this.#judge(pid))))) {
        known.add(name)
        continue
      }
      const key = `${name} ${began ?? ''}`
      unread.set(key, this.#unread.get(key) ?? { lives: began !== undefined, since: now() })
    }
    this.#unread = unread
    return unread
  }

  /** Adds a process that has the mark. False when that is not known of it. */
  async #judge(pid: number): Promise<boolean> {
    const environment = await environmentOf(pid)
    return environment !== undefined && (!`\0${environment}`.includes(this.#mark) || this.#options.add(pid))
  }
}

interface Unread {
  /** Neither gone nor a zombie, which stay what they are. */
  readonly lives: boolean
  /** ms */
  readonly since: number
}

function isBecoming({ lives, since }: Unread): boolean {
  return lives && now() - since < BECOMING_MS
}

/** Empty where it has none or is not ours to look at, and for a thread of the kernel; undefined for one that is gone, or just becoming another program. */
async function environmentOf(pid: number): Promise<string | undefined> {
  let refused = false
  try {
    const text = await readFile(`/proc/${pid}/environ`, 'latin1')
    if (text !== '') return text
  } catch (thrown) {
    if (outOfDescriptors(thrown) !== undefined) throw thrown
    refused = !['ENOENT', 'ESRCH'].includes(errnoOf(thrown) ?? '')
  }
  const survivor = survivorOf(pid)
  if (survivor !== undefined) return read(`${survivor}/environ`)
  // one of ours is closed to us for a moment while it becomes another program, and may be gone before it is asked whose it is
  if (refused) return [process.getuid?.(), undefined].includes(await ownerOf(pid)) ? undefined : ''
  return (await hasNone(pid)) ? '' : undefined
}

/** The real user id; undefined when it is gone. proc_pid_status(5) */
async function ownerOf(pid: number): Promise<number | undefined> {
  const uid = /^Uid:\s+(\d+)/m.exec(await read(`/proc/${pid}/status`))?.[1]
  return uid === undefined ? undefined : Number(uid)
}

/** A thread of the kernel, or a program started with an empty one. That of one just becoming a program has no place yet. proc_pid_stat(5), fields 9, 50 and 51. */
async function hasNone(pid: number): Promise<boolean> {
  const stat = await read(`/proc/${pid}/stat`)
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
  const [flags = 0, start = 0, end = 0] = [fields[6], fields[47], fields[48]]
  return (flags & PF_KTHREAD) !== 0 || (end !== 0 && end === start)
}

/** A file of /proc; empty when its process is gone or not ours to look at. */
function read(path: string): Promise<string> {
  return readFile(path, 'latin1').catch(() => '')
}
