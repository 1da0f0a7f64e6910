import { awake, now, pause } from '../base/time.ts'
import type { Exit, Program } from '../app/start.ts'
import type { Mapping } from '../mapping/mapping.ts'
import type { Settings } from '../profile/settings.ts'
import { BURIED_MS, outcomeOf, type Control } from './control.ts'
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
export async function untilOver(record: Record, mapping: Mapping, { program, name, wine }: Launched, settings: Settings, control: Control): Promise<Outcome> {
  const limitMs = settings['time-limit']
  const limit = new TimeLimit(limitMs, () => {
    record.timedOut(name, limitMs ?? 0)
    return control.end(false)
  })
  const exit = (await Promise.race([program.exited, Promise.race([limit.enforced, control.enforced]).then(() => buried(program))])) ?? STUCK
  control.ending()
  record.exited(name, exit)
  const forAll = settings['wait-for'] === 'tree'
  const over = new AbortController()
  if (forAll) {
    wine?.hasten(mapping, over.signal)
    await Promise.race([untilUnused(record, mapping, name), limit.enforced, control.enforced])
  }
  over.abort()
  limit.lift()
  const graceMs = settings.grace ?? (mapping.kind === 'private' ? 0 : DEFAULT_GRACE_MS)
  record.tell({ type: 'unused', program: name, exit: exit.code, signal: exit.signal, graceMs })
  if (graceMs > 0) {
    record.tell({ type: 'lingering', program: name, cause: 'grace', users: [], graceMs })
    record.tell({ type: 'progress', doing: 'holding the share for the grace', worthSayingAfterMs: 2000 })
    const began = now()
    await awake(graceMs, control.impatient)
    record.graceMs = now() - began
    record.tell({ type: 'progress' })
  }
  const survivors = forAll ? [] : await known(mapping, record.points)
  if (survivors.length > 0) record.survived(name, survivors)
  return limit.expired ? { exit: TIME_LIMIT_EXIT } : outcomeOf(exit)
}

/** How a program ended that nobody sees any more: its end is told a moment later, unless it waits in the kernel. */
async function buried({ exited }: Program): Promise<Exit | undefined> {
  const told = new AbortController()
  const end = exited.finally(() => told.abort())
  return (await Promise.race([end, pause(BURIED_MS, told.signal)])) ?? undefined
}

/** A program whose children outlive it by less is not worth an event. */
const AFTER_MS = 200

/** Until nobody uses the mapping; says who does, once, where that takes a while. */
async function untilUnused(record: Record, mapping: Mapping, program: string): Promise<void> {
  const over = new AbortController()
  const unused = mapping.unused.then(() => over.abort())
  await pause(AFTER_MS, over.signal)
  const users = over.signal.aborted ? [] : await known(mapping, [])
  if (users.length > 0) record.tell({ type: 'lingering', program, cause: 'users', users, graceMs: 0 })
  await unused
}

/** Who its users are, and what they have open at or below these points. */
async function known(mapping: Mapping, points: readonly string[]): Promise<readonly Survivor[]> {
  const pids = await mapping.users()
  return Promise.all(pids.map(async pid => ({ pid, ...((await mapping.describe?.(pid, points)) ?? { name: 'gone meanwhile', files: [] }) })))
}
