import { errnoOf } from '../base/errors.ts'
import { Awake, pause } from '../base/time.ts'

/** By which signals a process is asked to end, and made to. None: it goes by itself with the others, or was asked another way. */
export interface Manner {
  /** `heard`: those of our process group had a Ctrl-C from the terminal. */
  ask(pid: number, heard: boolean): Promise<NodeJS.Signals | undefined>
  end(pid: number): Promise<NodeJS.Signals | undefined>
}

const PLAIN: Manner = { ask: async () => 'SIGTERM', end: async () => 'SIGKILL' }

export interface EndOptions {
  /** From TERM to KILL. */
  readonly killAfterMs: number
  /** KILL at once. */
  readonly kill?: boolean
  /** TERM and KILL unless told. */
  readonly manner?: Manner | undefined
  /** A Ctrl-C of the terminal is why they are asked. */
  readonly heard?: boolean
  /** Ends the waiting, not the users. */
  readonly signal?: AbortSignal
}

/** A process that KILL did not end within this, nor within so many looks, is stuck in the kernel. */
const STUCK_MS = 2000
const STUCK_LOOKS = 3

/**
 * Ends all users of a mapping: TERM to each, again to those that appear meanwhile, and KILL to all after `killAfterMs`, until there is none.
 * Resolves to those left: stuck in the kernel or not ours to end.
 */
export async function endUsers(
  users: () => readonly number[] | Promise<readonly number[]>,
  { killAfterMs, kill = false, manner = PLAIN, heard = false, signal }: EndOptions,
): Promise<readonly number[]> {
  const told = new Set<number>()
  const clock = new Awake()
  const killAt = kill ? 0 : killAfterMs
  const unwatch = clock.watch() // a look at the users takes a while where the machine is busy
  try {
    let left = await users()
    let killed = { at: Infinity, looks: 0 }
    const isStuck = (at: number): boolean => at >= killed.at + STUCK_MS && killed.looks >= STUCK_LOOKS
    for (let wait = 5, at = clock.ms; left.length > 0 && !isStuck(at); wait = Math.min(100, wait * 1.5), at = clock.ms) {
      if (signal?.aborted === true) return left
      const killing = at >= killAt
      if (killing) killed = { at: Math.min(killed.at, at), looks: killed.looks + 1 }
      for (const pid of left) {
        const asked = told.has(pid)
        told.add(pid)
        const by = killing ? await manner.end(pid) : asked ? undefined : await manner.ask(pid, heard)
        if (by === undefined) continue
        send(pid, by)
        send(pid, 'SIGCONT') // one that is stopped would not hear it
      }
      await pause(killing ? wait : Math.min(wait, Math.max(1, killAt - at)), signal)
      left = await users()
    }
    return left
  } finally {
    unwatch()
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (thrown) {
    const errno = errnoOf(thrown)
    if (errno !== 'ESRCH' && errno !== 'EPERM') throw thrown
  }
}

/** Signals a process and its descendants where no mapping knows its users: with the help of `ps` or `taskkill`, or the process alone where they are missing. */
export async function signalTree(pid: number, signal: NodeJS.Signals): Promise<void> {
  const { spawnSync } = await import('node:child_process')
  const known = ['ps', 'taskkill'].some(tool => spawnSync(tool, ['--help'], { stdio: 'ignore' }).error === undefined)
  if (!known) return send(pid, signal)
  const { default: treeKill } = await import('tree-kill')
  await new Promise<void>(resolve => treeKill(pid, signal, () => resolve()))
}
