import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { pause } from '../../src/base/time.ts'
import type { Lab } from './index.ts'

/** The processes on a client whose words match. */
export function processesLike(lab: Lab, words: RegExp, client = 'client1'): number[] {
  return lab.processes(client).filter(pid => words.test(commandOf(pid)))
}

/** Until no process of a run is left on a client; fails after 5 s. */
export async function untilGone(lab: Lab, client = 'client1'): Promise<void> {
  const dueAt = performance.now() + 5000
  while (lab.processes(client).length > 0 && performance.now() < dueAt) await pause(20)
  assert.deepEqual(lab.processes(client).map(commandOf), [])
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}
