import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { pause } from '../../src/base/time.ts'
import type { Lab } from './index.ts'

/** The processes on a client whose words match. */
export function processesLike(lab: Lab, words: RegExp, client = 'client1'): number[] {
  return lab.processes(client).filter(pid => words.test(commandOf(pid)))
}

/** Until no process of a run is left on a client; fails after 30 s. */
export async function untilGone(lab: Lab, client = 'client1'): Promise<void> {
  const dueAt = performance.now() + 30_000
  while (lab.processes(client).length > 0 && performance.now() < dueAt) await pause(20)
  assert.deepEqual(lab.processes(client).map(commandOf), [])
}

/** Kills what runs on a client. */
export function killAll(lab: Lab, client = 'client1'): void {
  for (const pid of lab.processes(client)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {} // it has gone by itself
  }
}

/** Until a process has its own handler for a signal: before that it would die of it. Node itself has one for SIGTERM. proc(5) */
export async function untilCatches(pid: number | undefined, signal: number): Promise<void> {
  const is = (mask: string): boolean => ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n
  while (!is(/^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? '0')) await pause(20)
}

/** Until a signal that was sent to all of them waits at none of them: a second one would be the same as the first till then. proc(5) */
export async function untilDelivered(pids: readonly number[], signal: number): Promise<void> {
  const waits = (pid: number): boolean => {
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'latin1')
      return [...status.matchAll(/^(?:SigPnd|ShdPnd):\s*([0-9a-f]+)$/gm)].some(([, mask]) => ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n)
    } catch {
      return false
    }
  }
  while (pids.some(waits)) await pause(5)
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

/** For a shell: descendants that are deaf to TERM, in sessions of their own, without a parent, in namespaces of their own; their environment is still theirs. */
export const DEAF = `
trap "" TERM
setsid sleep 100 &
(setsid sh -c "sleep 101 & exit" &)
setsid unshare -Um sleep 102 &
sh -c "sleep 103 & sleep 104 & wait" &
`
/** Of the parents of these only the mapping knows. */
export const FORGOTTEN = `(setsid env -i sleep 105 &) ; (setsid env -i unshare -Um sleep 106 &)`
