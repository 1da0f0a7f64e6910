import { readFileSync } from 'node:fs'
import { now, pause } from '../base/time.ts'
import type { Mapping } from '../mapping/mapping.ts'
import type { Settings } from '../profile/settings.ts'
import { outcomeOf, type Control } from './control.ts'
import type { Outcome, Survivor } from './events.ts'
import type { Launched } from './launch.ts'
import type { Record } from './record.ts'

/** Where the end of the last user is not exact, as the article asks; a private mapping's is, and every close was acknowledged. */
const DEFAULT_GRACE_MS = 5000

/** Waits for the program, for all it started unless told otherwise, and for the grace. */
export async function untilOver(record: Record, mapping: Mapping, { program, name }: Launched, settings: Settings, control: Control): Promise<Outcome> {
  const exit = await program.exited
  control.ending()
  record.exited(exit)
  const forAll = settings['wait-for'] === 'tree'
  if (forAll) await mapping.unused
  const graceMs = settings.grace ?? (mapping.kind === 'private' ? 0 : DEFAULT_GRACE_MS)
  record.tell({ type: 'ended', program: name, exit: exit.code, signal: exit.signal, graceMs })
  if (graceMs > 0) {
    record.tell({ type: 'progress', doing: 'holding the share for the grace', worthSayingAfterMs: 2000 })
    const began = now()
    await pause(graceMs, control.impatient)
    record.graceMs = now() - began
    record.tell({ type: 'progress' })
  }
  const survivors = forAll ? [] : (await mapping.users()).map(named)
  if (survivors.length > 0) record.survived(name, survivors)
  return outcomeOf(exit)
}

function named(pid: number): Survivor {
  try {
    return { pid, name: readFileSync(`/proc/${pid}/comm`, 'utf8').trim() }
  } catch {
    return { pid, name: 'gone meanwhile' }
  }
}
