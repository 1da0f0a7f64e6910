import { isSea } from 'node:sea'
import { fileURLToPath } from 'node:url'
import { WindowsGuardian } from '../../app/windows/guardian.ts'
import { asError } from '../../base/errors.ts'
import type { Scope } from '../../base/scope.ts'
import { loadNative } from '../../mapping/windows/native.ts'
import type { RunIo } from '../events.ts'
import type { Journal } from '../journal/journal.ts'

/** The first word of a single executable that is to give back what a run left: it has no file beside it. */
export const AFTERWARDS_WORD = '--give-back-after'

/** It may only just have been started, ms. */
const GUARDIAN_MS = 4000

/**
 * From now on what the journal says of this run is given back should nbtrun be killed. The last to go. A run that can have no guardian does without: what it
 * leaves is for the next one, or `nbtrun reap`.
 */
export async function guard(scope: Scope, journal: Journal, { env }: RunIo): Promise<void> {
  const { koffi } = await loadNative()
  if (koffi === undefined || journal.place === undefined) return // then nobody could be proven dead, or what they had
  await scope.acquire<WindowsGuardian | undefined>('connect', 'guardian', {
    open: async () => {
      try {
        return WindowsGuardian.start(koffi, { words: afterwards(journal.run), env: known(env) })
      } catch (thrown) {
        scope.note('connect', 'refused', asError(thrown).message)
        return undefined
      }
    },
    undo: async taken => taken?.leave(),
    undoMs: GUARDIAN_MS,
  })
}

/** The words that give back what a dead run had: another Node, as a file of its own beside this one. */
function afterwards(run: string): readonly [string, string, string] {
  return [process.execPath, isSea() ? AFTERWARDS_WORD : fileURLToPath(new URL('afterwards.js', import.meta.url)), run]
}

function known(env: RunIo['env']): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
}
