import type { Scope } from '../base/scope.ts'
import { asError } from '../base/errors.ts'
import type { Settings } from '../profile/settings.ts'
import { queueFolders } from '../seat/folder.ts'
import { tellFree } from '../seat/free.ts'
import { Patience } from '../seat/patience.ts'
import { busy } from '../seat/refusal.ts'
import type { RunIo } from './events.ts'
import type { Journal } from './journal/journal.ts'
import type { Names } from './names.ts'
import type { Record } from './record.ts'
import { connectShares, findLogins } from './servers.ts'
import { notGivenBack } from './teardown.ts'

interface Taking {
  readonly journal: Journal
  /** The run's own names; undefined where it has none. */
  readonly names: Names | undefined
}

/** Takes the names of the run's own and connects every share, waiting as long as `--wait` says for what is not to be had at once. */
export async function takeSeats(scope: Scope, settings: Settings, record: Record, io: RunIo, signal: AbortSignal, { journal, names }: Taking): Promise<void> {
  const logins = await findLogins(settings, io, signal)
  const attempt = async (): Promise<void> => {
    await names?.hold(scope, record, journal) // before a seat is: whoever waits for a name shall not have one
    record.connected = await connectShares(scope, settings, record, logins, journal)
  }
  try {
    await patiently(scope, settings, record, signal, { attempt, lines: lines(settings, io.env) })
  } finally {
    for (const { password } of logins.values()) password.fill(0)
  }
  record.obtained()
}

interface Attempt<T> {
  readonly attempt: () => Promise<T>
  /** The lines to queue in: for each share the folders where its line may be. */
  readonly lines: readonly (readonly string[])[]
}

/** Tries as long as `--wait` says, with nothing held in between. */
export async function patiently<T>(scope: Scope, settings: Settings, record: Record, signal: AbortSignal, { attempt, lines: queues }: Attempt<T>): Promise<T> {
  const share = settings.share.map(({ label }) => label).join(', ')
  let queued = false
  const patience = new Patience({
    ms: settings.wait,
    lines: queues,
    signal,
    tell: waiting => {
      queued = true
      record.tell({ type: 'queued', share, waitMs: settings.wait, ...waiting })
    },
  })
  const mark = scope.mark()
  try {
    return await patience.until(attempt, async () => {
      const left = notGivenBack(await scope.retreat(mark))
      if (left !== undefined) record.tell({ type: 'warning', message: left.message })
      record.earlyLoss = undefined
    })
  } catch (thrown) {
    throw busy(asError(thrown), { waitMs: settings.wait, busyExit: settings['busy-exit-code'], share: settings.share[0]?.label ?? '' })
  } finally {
    record.waited = patience.waited
    if (queued) record.tell({ type: 'dequeued', waitedMs: record.waited.ms, attempts: record.waited.attempts })
  }
}

/** The first in line on this machine need not wait until its next try. */
export async function giveSeatsBack(settings: Settings, { env }: RunIo): Promise<void> {
  await Promise.all(lines(settings, env).flat().map(tellFree))
}

/** One line for each share; where it is kept. */
export function lines({ share: shares }: Settings, env: RunIo['env']): string[][] {
  const folders = shares.map(({ host, share }) => queueFolders(host, share, env['XDG_RUNTIME_DIR']))
  return folders.filter((some, at) => folders.findIndex(([first]) => first === some[0]) === at)
}
