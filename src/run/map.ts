import type { NbtrunError } from '../base/errors.ts'
import type { Scope } from '../base/scope.ts'
import { openRoom } from '../mapping/fuse/room.ts'
import { serveFuse, type FuseServer } from '../mapping/fuse/server.ts'
import type { Mapping, Point } from '../mapping/mapping.ts'
import { noMapping } from '../mapping/none.ts'
import { makePoints } from '../mapping/points.ts'
import type { Settings } from '../profile/settings.ts'
import type { Record } from './record.ts'

/** Closing what a program left open may cost the server some time, ms. */
const MAPPING_MS = 4000

export interface MapOptions {
  readonly settings: Settings
  readonly runId: string
  /** XDG_RUNTIME_DIR */
  readonly runtimeDir: string | undefined
}

/** Makes the connected shares visible: the folders first, then the mapping, both in the ledger. */
export async function map(scope: Scope, record: Record, { settings, runId, runtimeDir }: MapOptions): Promise<Mapping> {
  if (settings.mapping === 'none') {
    const mapping = await scope.acquire('map', 'mapping', { open: async () => noMapping(runId), undo: taken => taken.end(), undoMs: MAPPING_MS })
    record.mapped(mapping, [])
    return mapping
  }
  const { paths } = await scope.acquire('map', 'folders', {
    open: async () => makePoints({ runId, wanted: settings.share.map(share => share.point), runtimeDir }),
    undo: async points => points.remove(),
    undoMs: 500,
  })
  const points = paths.map((path, i): Point => ({ path, files: record.connected[i]!.files, readOnly: settings['read-only'] }))
  const servers: FuseServer[] = []
  let mapped = false
  let unanswered: NbtrunError | undefined
  const serve = (fd: number, { files, readOnly }: Point): FuseServer => {
    const owner = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 }
    const onWarning = (message: string): void => record.tell({ type: 'warning', message })
    const onFailure = (error: NbtrunError): void => {
      if (mapped) record.requestFailed(files.label, error)
      else unanswered ??= error
    }
    const server = serveFuse({ fd, files, ...owner, readOnly, timeoutMs: settings['io-timeout'], onWarning, onFailure })
    servers.push(server)
    return server
  }
  const mapping = await scope.acquire('map', 'mapping', {
    open: async signal => {
      const room = await openRoom({ points, serve, signal }).catch((thrown: unknown) => {
        throw unanswered ?? thrown
      })
      mapped = true
      return room
    },
    undo: taken => taken.end(),
    undoMs: MAPPING_MS,
  })
  record.mapped(
    mapping,
    points.map(({ path }, i) => ({ point: path, counters: servers[i]!.counters })),
  )
  return mapping
}
