import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { pause } from '../../src/base/time.ts'
import type { Lab } from './index.ts'

/** The processes on a client whose words match. */
export function processesLike(lab: Lab, words: RegExp, client = 'client1'): number[] {
  return lab.processes(client).filter(pid => words.test(commandOf(pid)))
}

/** Until no process of a run is left on a client; fails after 20 s. */
export async function untilGone(lab: Lab, client = 'client1'): Promise<void> {
  const dueAt = performance.now() + 20_000
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
