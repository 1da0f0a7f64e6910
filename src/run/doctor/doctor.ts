import { randomBytes } from 'node:crypto'
import { Scope } from '../../base/scope.ts'
import { now, within } from '../../base/time.ts'
import { limited, unlessAborted } from '../../nbt/dial.ts'
import type { Settings } from '../../profile/settings.ts'
import { Journal } from '../journal/journal.ts'
import { type Check, failed, type Facts, type Group, type Seen, type State } from './check.ts'
import { HOST } from './host.ts'
import { NAMES } from './names.ts'
import type { Patient, Target } from './patient.ts'
import { PORTS } from './ports.ts'
import { SERVER } from './server.ts'
import { giveBack, SHARE } from './share.ts'

/** One line of the account. Null: it was not timed, has no code, needs no cure. */
export interface Row {
  readonly group: Group
  readonly check: string
  readonly state: State
  readonly text: string
  readonly ms: number | null
  readonly code: string | null
  readonly cure: string | null
  readonly facts: Facts
}

export interface Examining {
  readonly settings: Settings
  readonly env: Patient['env']
  readonly cwd: string
  /** Undefined: this machine alone. */
  readonly target: Target | undefined
  readonly ask: Patient['ask']
  readonly signal: AbortSignal
  /** Told of each row as it is known. */
  readonly tell: (row: Row) => void
}

/** Begun after that, no check is worth waiting for: each has its own limit, and both together bound the whole. */
const BUDGET_MS = 60_000

/**
 * Looks at one thing after the other, as a run would come to it, and gives everything back. Whatever is wrong is a row: it rejects with the signal's reason
 * alone, and has given everything back then, too.
 */
export async function examine({ signal, tell, ...about }: Examining): Promise<readonly Row[]> {
  const { target, env, settings } = about
  const journal = new Journal({
    run: randomBytes(4).toString('hex'),
    shares: target === undefined ? [] : [target.label],
    program: 'nbtrun',
    env,
    warn: () => {},
  })
  const patient: Patient = { ...about, scope: new Scope(signal, () => {}, settings['teardown-timeout']), journal }
  let dueAt = now() + BUDGET_MS
  const rows: Row[] = []
  const add = (row: Row): void => {
    rows.push(row)
    tell(row)
  }
  try {
    for (const check of target === undefined ? HOST : [...HOST, ...NAMES, ...PORTS, ...SERVER, ...SHARE]) {
      signal.throwIfAborted()
      const why = check.needless?.(patient) ?? (now() > dueAt ? 'it has taken too long already' : undefined)
      if (why !== undefined) add(rowOf(check, { state: 'skipped', text: why }, null))
      else {
        const began = now()
        for (const row of await look(check, patient, signal)) add(row)
        if (check.limitMs === undefined) dueAt += now() - began // a person's time is their own
      }
    }
  } finally {
    patient.credentials?.password.fill(0)
    const gaveBack = now()
    const seen = await giveBack(patient)
    journal.end()
    if (target !== undefined && !signal.aborted) add(rowOf({ group: 'share', check: 'teardown' }, seen, now() - gaveBack))
  }
  return rows
}

/** A failed look is a row; a cancelled one has given back what it took. */
async function look(check: Check, patient: Patient, signal: AbortSignal): Promise<Row[]> {
  const { limitMs, settleMs = 0 } = check
  const began = now()
  let looking: Promise<Seen | readonly Seen[]> | undefined
  const start = (limit: AbortSignal): Promise<Seen | readonly Seen[]> => {
    looking = check.look(patient, limit)
    return unlessAborted(limit, looking)
  }
  let seen: Seen | readonly Seen[]
  try {
    seen = await (limitMs === undefined ? start(signal) : limited(signal, limitMs, `looking at ${check.check}`, start))
  } catch (thrown) {
    if (settleMs > 0) await within(settleMs, () => Promise.allSettled([looking])).catch(() => {})
    signal.throwIfAborted()
    seen = failed(thrown)
  }
  const ms = now() - began
  return Array.isArray(seen) ? (seen as readonly Seen[]).map(each => rowOf(check, each, each.ms ?? null)) : [rowOf(check, seen as Seen, ms)]
}

function rowOf({ group, check }: Pick<Check, 'group' | 'check'>, seen: Seen, ms: number | null): Row {
  const { state, text, code = null, cure = null, facts = {} } = seen
  const round = (value: number): number => Math.round(value * 100) / 100
  return { group, check: seen.check ?? check, state, text, ms: ms === null ? null : round(seen.ms ?? ms), code, cure, facts }
}
