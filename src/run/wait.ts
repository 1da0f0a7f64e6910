import { readFileSync } from 'node:fs'
import { awake, now } from '../base/time.ts'
import type { Exit } from '../app/start.ts'
import type { Mapping } from '../mapping/mapping.ts'
import type { Settings } from '../profile/settings.ts'
import { outcomeOf, type Control } from './control.ts'
import type { Outcome, Survivor } from './events.ts'
import type { Launched } from './launch.ts'
import { TimeLimit } from './limit.ts'
import type { Record } from './record.ts'

/** Where the end of the last user is not exact, as the article asks; a private mapping's is, and every close was acknowledged. */
const DEFAULT_GRACE_MS = 5000

/** As timeout(1) has it. */
const TIME_LIMIT_EXIT = 124

/** A program that not even KILL ended: it waits in the kernel. */
const STUCK: Exit = { code: null, signal: null }

/** Waits for the program, for all it started unless told otherwise, and for the grace. */
export async function untilOver(record: Record, mapping: Mapping, { program, name }: Launched, settings: Settings, control: Control): Promise<Outcome> {
  const limitMs = settings['time-limit']
  const limit = new TimeLimit(limitMs, () => {
    record.timedOut(name, limitMs ?? 0)
    return control.end(false)
  })
  const exit = (await Promise.race([program.exited, limit.enforced])) ?? STUCK
  control.ending()
  record.exited(exit)
  const forAll = settings['wait-for'] === 'tree'
  if (forAll) await Promise.race([mapping.unused, limit.enforced])
  limit.lift()
  const graceMs = settings.grace ?? (mapping.kind === 'private' ? 0 : DEFAULT_GRACE_MS)
  record.tell({ type: 'ended', program: name, exit: exit.code, signal: exit.signal, graceMs })
  if (graceMs > 0) {
    record.tell({ type: 'progress', doing: 'holding the share for the grace', worthSayingAfterMs: 2000 })
    const began = now()
    await awake(graceMs, control.impatient)
    record.graceMs = now() - began
    record.tell({ type: 'progress' })
  }
  const survivors = forAll ? [] : (await mapping.users()).map(named)
  if (survivors.length > 0) record.survived(name, survivors)
  return limit.expired ? { exit: TIME_LIMIT_EXIT } : outcomeOf(exit)
}

function named(pid: number): Survivor {
  try {
    return { pid, name: readFileSync(`/proc/${pid}/comm`, 'utf8').trim() }
  } catch {
    return { pid, name: 'gone meanwhile' }
  }
}
