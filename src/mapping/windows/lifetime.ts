import type koffiType from 'koffi'
import { deferred, pause } from '../../base/time.ts'
import type { Mapping } from '../mapping.ts'
import { Asker } from './asker.ts'
import { imageNames } from './image.ts'
import { Job } from './job.ts'

type Koffi = typeof koffiType

/** How long a program and all it started live. */
export interface Lifetime extends Pick<Mapping, 'entered' | 'unused' | 'users' | 'describe' | 'askUsers' | 'endUsers'> {
  /** Undefined where there is none: koffi does not load. */
  readonly job: Job | undefined
  /** Whoever lives on lives on without us; idempotent. */
  release(): void
}

/** By a job object: a launcher that starts itself anew is waited for, and nobody outlives a killed nbtrun. */
export function jobLifetime(koffi: Koffi): Lifetime {
  const job = new Job(koffi)
  let asker: Asker | undefined // most runs ask nobody
  let nameOf: ReturnType<typeof imageNames> | undefined // nor for names
  return {
    job,
    unused: job.empty,
    entered: async () => {},
    users: async () => job.pids(),
    async describe(pid) {
      nameOf ??= imageNames(koffi)
      const name = nameOf(pid)
      return name === undefined ? undefined : { name, files: [] } // of what is open Windows tells the owner of a file alone
    },
    askUsers(heard) {
      try {
        asker ??= new Asker(koffi)
        asker.ask(job.pids(), heard)
      } catch {} // who cannot be asked is ended all the same
    },
    endUsers: () => job.terminate(),
    release: () => job.release(),
  }
}

const POLL_MS = 100

/** Without one: as long as the program's own process, and its children are not known. */
export function processLifetime(): Lifetime {
  const unused = deferred<void>()
  const over = new AbortController()
  return {
    job: undefined,
    unused: unused.promise,
    entered: async pid => {
      void (async () => {
        while (!over.signal.aborted && lives(pid)) await pause(POLL_MS, over.signal)
        unused.resolve()
      })()
    },
    users: async () => [],
    describe: undefined,
    askUsers: undefined,
    endUsers: undefined,
    release: () => {
      over.abort()
      unused.resolve()
    },
  }
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** `--mapping none`: our own session is held, and nothing is to be seen. */
export function noDrive(lifetime: Lifetime): Mapping {
  return {
    kind: 'none',
    way: 'none',
    enter: () => [],
    entered: pid => lifetime.entered(pid),
    unused: lifetime.unused,
    users: () => lifetime.users(),
    describe: lifetime.describe,
    askUsers: lifetime.askUsers,
    endUsers: lifetime.endUsers,
    end: async () => lifetime.release(),
  }
}
