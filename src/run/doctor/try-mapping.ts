import { NbtrunError } from '../../base/errors.ts'
import { fileTimeNow } from '../../mapping/fuse/attributes.ts'
import { serveFuse } from '../../mapping/fuse/server.ts'
import { makePoints } from '../../mapping/points.ts'
import { ATTRIBUTE } from '../../smb/access.ts'
import type { FileInfo, Files } from '../../smb/files.ts'
import { openNoted } from '../map.ts'
import type { Patient } from './patient.ts'

/** How long taking a mapping away may take, ms. */
const MAPPING_MS = 4000

export interface Tried {
  readonly way: string
  /** Why the ways before it were not taken. */
  readonly refusals: readonly string[]
  /** Where it was mapped. */
  readonly path: string
}

/** Maps an empty folder as a run would map a share, and takes it away again. Throws POINT_UNUSABLE or MAPPING_FAILED. */
export async function tryMapping(kind: 'private' | 'shared', { scope, journal, env, settings }: Patient, signal: AbortSignal): Promise<Tried> {
  const mark = scope.mark()
  try {
    const { paths } = await scope.acquire('host', 'folders', {
      open: async () => makePoints({ runId: journal.run, wanted: [undefined], runtimeDir: env['XDG_RUNTIME_DIR'], making: path => journal.folder(path) }),
      undo: async points => {
        points.remove()
        journal.foldersGone()
      },
      undoMs: 500,
    })
    const [path = ''] = paths
    const { mapping, refusals } = await scope.acquire('host', 'mapping', {
      open: () =>
        openNoted(journal, {
          kind,
          points: [{ files: EMPTY, path, readOnly: true }],
          serve: (attach, { files, readOnly }) => serveFuse({ attach, files, uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0, readOnly }),
          signal,
          runId: journal.run,
          warn: () => {},
          killAfterMs: settings['kill-after'],
        }),
      undo: async taken => {
        await taken.mapping.end()
        journal.mountsGone()
      },
      undoMs: MAPPING_MS,
    })
    return { way: mapping.way, refusals, path }
  } finally {
    await scope.retreat(mark)
  }
}

const NOTHING = 'there is nothing in this folder'
const nothing = async (): Promise<never> => {
  throw new NbtrunError('FILE_ERROR', NOTHING, { facts: { errno: 'ENOENT' } })
}

/** A share with nothing in it. */
const EMPTY: Files = {
  label: '//nbtrun/doctor',
  stat: path => (path === '' ? Promise.resolve(root()) : nothing()),
  open: nothing,
  makeDirectory: nothing,
  remove: nothing,
  rename: nothing,
  volume: async () => ({ totalBytes: 0, freeBytes: 0, availableBytes: 0, unitBytes: 4096 }),
}

function root(): FileInfo {
  const time = fileTimeNow()
  return {
    id: 0n,
    size: 0,
    allocation: 0,
    attributes: ATTRIBUTE.DIRECTORY,
    directory: true,
    created: time,
    accessed: time,
    written: time,
    changed: time,
  }
}
