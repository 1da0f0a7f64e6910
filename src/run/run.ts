import { randomBytes } from 'node:crypto'
import { inheritedDescriptors } from '../app/descriptors.ts'
import { asError, NbtrunError } from '../base/errors.ts'
import { isWindows } from '../base/platform.ts'
import { Scope } from '../base/scope.ts'
import type { Mapping } from '../mapping/mapping.ts'
import type { Settings } from '../profile/settings.ts'
import { sweepLines } from '../seat/sweep.ts'
import { Control } from './control.ts'
import { plan } from './dry-run.ts'
import type { Outcome, RunIo } from './events.ts'
import { Journal } from './journal/journal.ts'
import type { LeftNames } from './left-names.ts'
import type { Names } from './names.ts'
import { launch, type Launched, mayNeedWine } from './launch.ts'
import { map } from './map.ts'
import { reapPlace, withNames } from './reap.ts'
import { Record } from './record.ts'
import { giveSeatsBack, takeSeats } from './seats.ts'
import { endJournal, tearDown } from './teardown.ts'
import type { Verifier } from './verify.ts'
import { untilOver } from './wait.ts'

/**
 * One run: connect, map, launch, wait, hold for the grace, give everything back. Resolves with how nbtrun shall end; throws NbtrunError where the run
 * failed before or outside the program. Either way everything was given back, or the receipt's steps say what was not.
 */
export async function run(settings: Settings, words: readonly string[], io: RunIo): Promise<Outcome> {
  const { embedding } = io
  const descriptors = embedding === undefined ? inheritedDescriptors() : [] // first: nothing else is open yet
  if (settings['dry-run']) {
    io.tell({ type: 'plan', lines: await plan(settings, words, io) })
    return { exit: 0 }
  }
  const windows = isWindows ? await import('./windows/index.ts') : undefined
  await windows?.prepare(io)
  const control = new Control(settings['kill-after'], { abort: embedding?.signal, policy: windows?.policy })
  try {
    return await story(settings, words, io, { control, descriptors, windows })
  } finally {
    control.stop()
  }
}

interface Stage {
  readonly control: Control
  readonly descriptors: readonly number[]
  /** Undefined on all other systems. */
  readonly windows: typeof import('./windows/index.ts') | undefined
}

async function story(settings: Settings, words: readonly string[], io: RunIo, { control, descriptors, windows }: Stage): Promise<Outcome> {
  const runId = randomBytes(4).toString('hex')
  const lingering = windows?.Lingering.of(settings, io.cwd)
  const verifier = settings.verify === 'no' || lingering !== undefined ? undefined : new (await import('./verify.ts')).Verifier(settings, io.cwd)
  const asker = lingering ?? verifier
  const names = settings['hold-name'].length === 0 ? undefined : new (await import('./names.ts')).Names(settings, io.env)
  const record = new Record(runId, settings, io, verifier)
  const journal = openJournal(runId, settings, words, io, record)
  const scope = new Scope(control.cancelled, step => record.done(step), settings['teardown-timeout'])
  let outcome: Outcome | undefined
  let failure: NbtrunError | undefined
  let left: LeftNames | undefined
  record.tell({ type: 'requested', shares: settings.share.map(({ label }) => label), program: words[0] ?? '', waitMs: settings.wait })
  try {
    await asker?.prepare()
    left = await reap(journal, record, io, names)
    const launching = { settings, words, runId, io, descriptors: names?.without(descriptors) ?? descriptors, control, journal }
    let mapping: Mapping
    let launched: Launched
    if (windows === undefined || windows.usesOwnClient(settings)) await takeSeats(scope, settings, record, io, control.cancelled, { journal, names })
    void left?.reap() // not before: the login may need the same entries
    if (windows === undefined) {
      const wine = mayNeedWine(settings, words) ? new (await import('./wine.ts')).WineSide({ settings, io, journal, record }) : undefined
      const kind = (await wine?.mappingFor(settings.mapping)) ?? settings.mapping
      mapping = await map(scope, record, { settings, kind, isBystander: wine?.isBystander, runId, io, journal })
      launched = await launch(scope, record, mapping, { ...launching, wine })
    } else {
      const { cancelled, hurried } = control
      const watched = await windows.takeDrives(scope, record, { settings, io, journal, names, cancelled, hurried, lingering })
      mapping = watched.mapping
      launched = await windows.launchInJob(scope, record, watched, { ...launching, wine: undefined })
    }
    outcome = await untilOver(record, mapping, launched, settings, control)
    control.throwIfAborted()
  } catch (thrown) {
    failure = asError(thrown)
    if (record.program === null) record.tell({ type: 'denied', error: failure })
  }
  const released = await tearDown(scope, record, control.hurried)
  if (record.connected.length + record.redirected.length > 0) await giveSeatsBack(settings, io)
  record.heldMs = scope.elapsed - record.waited.ms
  for (const reaped of (await left?.end()) ?? []) if (reaped.news) record.tell({ type: 'reaped', ...reaped })
  const kept = asker === undefined ? undefined : await verified(asker, record, settings['teardown-timeout'], control.hurried)
  await endJournal(journal, scope.steps, control.hurried, record.verification?.verified === true)
  await record.finish(scope, released.ms, failure)
  if (released.failed !== undefined) {
    if (failure === undefined && settings['strict-teardown']) failure = released.failed
    else if (failure !== undefined && !released.told) failure = alsoFailed(failure, released.failed)
    else if (!released.told) record.tell({ type: 'not-given-back', error: released.failed })
  }
  if (kept !== undefined && settings['strict-teardown']) failure = failure === undefined ? kept : alsoFailed(failure, kept)
  if (failure !== undefined) throw failure
  return outcome ?? { exit: 125 }
}

/** The first thing that is taken, and the last given back. */
function openJournal(run: string, settings: Settings, [program = '']: readonly string[], { env }: RunIo, record: Record): Journal {
  const warn = (message: string, hint: string): void => record.tell({ type: 'warning', message, hint })
  return new Journal({ run, shares: settings.share.map(({ label }) => label), program, env, warn })
}

/** What dead runs left on this machine; their sessions end with the logins of this one. Resolves to what of it is still under way. */
async function reap({ place, run: by }: Journal, record: Record, { env }: RunIo, names: Names | undefined): Promise<LeftNames | undefined> {
  void sweepLines(env['XDG_RUNTIME_DIR'])
  if (place === undefined) return undefined
  const options = { by, env }
  const filed = place.list()
  for (const reaped of await reapPlace(place, filed, options)) record.tell({ type: 'reaped', ...reaped })
  const dead = withNames(filed)
  return dead.length === 0 ? undefined : new (await import('./left-names.ts')).LeftNames(place, by, dead, names?.ids)
}

/** Has the servers asked whether they let go. Returns what they still have. */
async function verified(verifier: Pick<Verifier, 'verify'>, record: Record, ms: number, hurried: AbortSignal): Promise<NbtrunError | undefined> {
  record.tell({ type: 'progress', doing: 'asking whether the session is gone' })
  const found = await verifier.verify(ms, hurried)
  record.tell({ type: 'progress' })
  record.verification = found
  record.tell({ type: 'verified', ...found })
  return found.verified === false ? new NbtrunError('TEARDOWN_FAILED', found.text) : undefined
}

/** One failure, one line: what became of the teardown goes behind what the run failed of. */
function alsoFailed(failure: NbtrunError, teardown: NbtrunError): NbtrunError {
  const hint = failure.hint === undefined ? teardown.message : `${failure.hint}; ${teardown.message}`
  return new NbtrunError(failure.code, failure.message, { cause: failure.cause, facts: failure.facts, hint })
}
