import { NbtrunError } from '../base/errors.ts'
import type { Scope, Step } from '../base/scope.ts'
import { now } from '../base/time.ts'
import type { Journal } from './journal/journal.ts'
import type { Record } from './record.ts'
import { judge } from './receipt.ts'

export interface Released {
  readonly ms: number
  /** TEARDOWN_FAILED, naming every step that failed and why the first did. */
  readonly failed: NbtrunError | undefined
  /** All of it failed of a lost connection, which was told when it happened. */
  readonly told: boolean
}

/** Gives everything back, newest first, and says so. A hurried one (the user pressed Ctrl-C again) cuts each step short. */
export async function tearDown(scope: Scope, record: Record, hurried: AbortSignal): Promise<Released> {
  const hurry = (): void => scope.hurry(HURRIED_STEP_MS)
  hurried.addEventListener('abort', hurry, { once: true })
  record.over()
  const began = now()
  const before = scope.steps.length
  await scope.unwind()
  hurried.removeEventListener('abort', hurry)
  const undone = scope.steps.slice(before)
  const ms = now() - began
  const bad = undone.filter(s => !s.ok)
  const failed = notGivenBack(bad)
  record.tell({ type: 'returned', ms, what: undone.filter(s => s.ok).map(spoken), end: judge(scope.steps), error: failed })
  return { ms, failed, told: bad.every(s => record.knowsLoss(s.error)) }
}

/** The steps that failed as one error; undefined where none did. */
export function notGivenBack(bad: readonly Step[]): NbtrunError | undefined {
  const [first] = bad
  if (first === undefined) return undefined
  return new NbtrunError('TEARDOWN_FAILED', `${bad.map(s => s.name).join(', ')} failed: ${first.error ?? first.status ?? 'no reason given'}`, {
    hint: 'the server frees what is left when it notices',
    facts: first.code === undefined ? {} : { why: first.code },
  })
}

const HURRIED_STEP_MS = 200

/** Takes off the disk what was given back. The servers of lost connections are asked, unless nobody waits for that; `noSessions`: all said that they have none. */
export async function endJournal(journal: Journal, steps: readonly Step[], hurried: AbortSignal, noSessions = false): Promise<void> {
  // Samba itself hangs up on who is met without a share at the end of one of its minutes, which may be between the last share and LOGOFF
  if (judge(steps) === 'lost' && !hurried.aborted) await journal.dropFallen()
  journal.end(noSessions)
}

/** A step of the teardown in people's words: `LOGOFF srv` gives back the session. */
function spoken({ name }: Step): string {
  if (name === 'name service') return name
  const [what = name] = name.split(' ')
  const of = name.slice(what.length + 1)
  return { TREE_DISCONNECT: of, LOGOFF: 'session', FIN: 'connection', RELEASE: of, drive: of }[what] ?? what
}
