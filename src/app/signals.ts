import { readFileSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { constants } from 'node:os'

/** SIGBREAK is Windows' Ctrl-Break, which other systems do not have. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGBREAK'] as const
export type RunSignal = (typeof SIGNALS)[number]

/** Before the program started; while it lives; after its own end, while others use the mapping, the grace runs or the teardown. */
export type Phase = 'before' | 'running' | 'ending'

export interface Received {
  readonly phase: Phase
  readonly signal: RunSignal
  /** We are in the foreground of a terminal, which gives its Ctrl-C and Ctrl-\ to the program, too. */
  readonly terminal: boolean
  /** 1 for the first of this signal. */
  readonly count: number
}

/**
 * What a signal asks of the run: to stop before the program starts; to pass it on; nothing; to send TERM to every user, ending the grace when there is
 * none; to send KILL to every user and skip the grace; to cut the teardown short; to do both, for what time there is.
 */
export type Action = 'cancel' | 'forward' | 'leave' | 'term' | 'kill' | 'hurry' | 'rush'

/** What a system's signals ask for. */
export type Policy = (received: Received) => Action

/** The policy, without any effect. */
export function decide({ phase, signal, terminal, count }: Received): Action {
  switch (phase) {
    case 'before':
      return count === 1 ? 'cancel' : 'hurry'
    case 'running':
      if (!terminal) return 'forward'
      if (signal === 'SIGQUIT') return 'leave'
      if (signal !== 'SIGINT') return 'forward'
      return count === 1 ? 'leave' : count === 2 ? 'term' : 'kill'
    case 'ending':
      if (signal === 'SIGUSR1' || signal === 'SIGUSR2') return 'leave'
      return count <= 2 ? 'term' : count === 3 ? 'kill' : 'hurry'
  }
}

export interface SignalWatch {
  phase: Phase
  /** Gives the signals back to the system. */
  stop(): void
}

/** Takes the signals; `act` is told what each asks for. Start it before anything is acquired: from now on no signal ends nbtrun by itself. */
export function watchSignals(act: (action: Exclude<Action, 'leave'>, signal: RunSignal) => void, policy: Policy = decide): SignalWatch {
  const counts = new Map<RunSignal, number>()
  const watch: SignalWatch = {
    phase: 'before',
    stop: () => {
      for (const signal of SIGNALS) process.removeListener(signal, receive)
    },
  }
  const receive = (name: NodeJS.Signals): void => {
    const signal = SIGNALS.find(known => known === name)
    if (signal === undefined) return
    const count = (counts.get(signal) ?? 0) + 1
    counts.set(signal, count)
    const action = policy({ phase: watch.phase, signal, count, terminal: inForeground() })
    if (action !== 'leave') act(action, signal)
  }
  for (const signal of SIGNALS) process.on(signal, receive)
  return watch
}

/** The same for a run that is a part of another program: what ends it is an abort, which is no more than one TERM. The process's signals are left alone. */
export function watchAbort(signal: AbortSignal, act: (action: 'cancel' | 'term', reason: unknown) => void): SignalWatch {
  const abort = (): void => act(watch.phase === 'before' ? 'cancel' : 'term', signal.reason)
  const watch: SignalWatch = { phase: 'before', stop: () => signal.removeEventListener('abort', abort) }
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
  return watch
}

/** Whether this process group has the foreground of its terminal. proc_pid_stat(5), fields 5, 7 and 8. */
export function inForeground(): boolean {
  try {
    const stat = readFileSync('/proc/self/stat', 'latin1')
    const [, , group, , terminal, foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return terminal !== '0' && group === foreground
  } catch {
    return process.stdin.isTTY || process.stderr.isTTY
  }
}

/** Whether a process is in our process group, which has a key of the terminal when we have it. proc_pid_stat(5), field 5. */
export async function isOfOurGroup(pid: number): Promise<boolean> {
  const [theirs, ours] = await Promise.all([pid, process.pid].map(each => readFile(`/proc/${each}/stat`, 'latin1').then(groupIn, () => undefined)))
  return theirs !== undefined && theirs === ours
}

function groupIn(stat: string): string | undefined {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]
}

/** The exit code that stands for a signal. */
export function codeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal]
}

/**
 * Ends this process as the program ended: of HUP, INT, QUIT or TERM it dies, so that a shell's loop stops, too; of another it exits with 128+n.
 * Call it last.
 */
export function dieOf(signal: NodeJS.Signals): never {
  if (signal === 'SIGHUP' || signal === 'SIGINT' || signal === 'SIGQUIT' || signal === 'SIGTERM') {
    if (signal === 'SIGQUIT') leaveNoMemory()
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  }
  process.exit(codeOf(signal))
}

/** The program's core is the one of interest; ours could hold keys. core(5) */
function leaveNoMemory(): void {
  try {
    writeFileSync('/proc/self/coredump_filter', '0')
  } catch {} // no /proc: no such file to fear either
}
