import { createHash } from 'node:crypto'
import { hostname } from 'node:os'
import { NbtrunError } from '../../base/errors.ts'
import { loadNative } from '../../mapping/windows/native.ts'
import { whereabouts } from '../../mapping/windows/place.ts'
import { useGround } from '../../seat/ground.ts'
import { pipes } from '../../seat/windows/pipes.ts'
import type { RunIo } from '../events.ts'
import { useOrigin } from '../journal/origin.ts'

/** Finds out which process, logon session and start of Windows this is, for the journal, and where runs queue. Where that cannot be said, no run is held for dead. */
export async function locate(): Promise<void> {
  useGround(pipes(process.env))
  const { koffi } = await loadNative()
  const unknown = { boot: '', logon: '', startOf: (): undefined => undefined }
  const { boot, logon, startOf } = koffi === undefined ? unknown : (attempt(() => whereabouts(koffi)) ?? unknown)
  const host = hostname()
  const machine = createHash('sha256').update(`nbtrun ${host}`).digest('hex').slice(0, 32)
  useOrigin({ machine, host, boot, pids: logon === '' ? '' : `logon:${logon}`, pid: process.pid, start: startOf(process.pid) ?? '', uid: -1 }, startOf)
}

/** What a run needs before anything else. Throws USAGE where it is a part of another program. */
export async function prepare({ embedding }: RunIo): Promise<void> {
  if (embedding !== undefined) throw new NbtrunError('USAGE', 'the library does not run programs on Windows', { hint: 'start nbtrun itself' })
  await locate()
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}
