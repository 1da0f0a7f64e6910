import { statSync } from 'node:fs'
import { type DriveChange, giveDriveBack, type OtherDrives, type WineTool } from '../app/wine/drive.ts'
import { findWine } from '../app/wine/tools.ts'
import { asError } from '../base/errors.ts'
import type { Fate } from '../mapping/leftovers.ts'
import type { RunIo } from './events.ts'
import { judge } from './journal/origin.ts'
import type { Filed, Place } from './journal/place.ts'

/** The drives that the runs of the journal have in that prefix. A dead run's are that, too, while somebody gives them back. */
export function drivesOf(entries: readonly Filed[], prefix: string): OtherDrives {
  const living: DriveChange[] = []
  const left: DriveChange[] = []
  for (const { entry } of entries) {
    if (entry === undefined) continue
    const ours = entry.drives.filter(drive => drive.prefix === prefix)
    if (ours.length > 0) (judge(entry.origin).state === 'dead' ? left : living).push(...ours)
  }
  return { living, left }
}

export async function wineTool(env: RunIo['env']): Promise<WineTool> {
  return { wine: await findWine({ places: [], cwd: '/', path: env['PATH'] }).catch(() => undefined), env }
}

/** Wine may have to start for it, ms. */
const LEFT_MS = 20_000

/** Puts back what a dead run changed in a Wine prefix. */
export async function endDrive(drive: DriveChange, place: Place, env: RunIo['env']): Promise<Fate> {
  const { prefix, letter } = drive
  if (statSync(prefix, { throwIfNoEntry: false })?.uid !== process.geteuid?.()) return { gone: true, found: false } // with all that was in it, or no more ours
  try {
    await giveDriveBack(drive, () => drivesOf(place.list(), prefix), await wineTool(env), AbortSignal.timeout(LEFT_MS))
    return { gone: true, found: true }
  } catch (thrown) {
    return { gone: false, why: `drive ${letter.toUpperCase()} of ${prefix} is not given back (${asError(thrown).message})` }
  }
}
