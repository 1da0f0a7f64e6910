import { NbtrunError } from '../base/errors.ts'
import type { Scope } from '../base/scope.ts'
import { type ChooseOptions, type Chosen, openMapping, type Way, WAYS } from '../mapping/choose.ts'
import type { Attach } from '../mapping/fuse/device.ts'
import { isMountPoint, mappingsOf } from '../mapping/fuse/room-users.ts'
import { serveFuse, type FuseServer } from '../mapping/fuse/server.ts'
import type { Mapping, Point } from '../mapping/mapping.ts'
import { noMapping } from '../mapping/none.ts'
import { makePoints } from '../mapping/points.ts'
import type { Settings } from '../profile/settings.ts'
import type { RunIo } from './events.ts'
import type { Journal } from './journal/journal.ts'
import type { Record } from './record.ts'

/** Closing what a program left open may cost the server some time, ms. */
const MAPPING_MS = 4000

export interface MapOptions {
  readonly settings: Settings
  readonly kind: Settings['mapping']
  /** Of a program that may be one for Windows: what Wine starts for itself. */
  readonly isBystander: ((pid: number) => Promise<boolean>) | undefined
  readonly runId: string
  readonly io: RunIo
  readonly journal: Journal
}

/** Makes the connected shares visible: the folders first, then the mapping, both in the ledger. */
export async function map(scope: Scope, record: Record, { settings, kind, isBystander, runId, io, journal }: MapOptions): Promise<Mapping> {
  const { env, embedding } = io
  if (kind === 'none') {
    const mapping = await scope.acquire('map', 'mapping', {
      open: () => noMapping(runId, settings['kill-after'], isBystander),
      undo: taken => taken.end(),
      undoMs: MAPPING_MS,
    })
    record.mapped(mapping, [])
    return mapping
  }
  const { paths } = await scope.acquire('map', 'folders', {
    open: async () => {
      const wanted = settings.share.map(share => share.point)
      return makePoints({ runId, wanted, runtimeDir: env['XDG_RUNTIME_DIR'], making: path => journal.folder(path) })
    },
    undo: async points => {
      points.remove()
      journal.foldersGone()
    },
    undoMs: 500,
  })
  const points = paths.map((path, i): Point => ({ path, files: record.connected[i]!.files, readOnly: settings['read-only'] }))
  const servers: FuseServer[] = []
  let mapped = false
  let unanswered: NbtrunError | undefined
  const onWarning = (message: string): void => record.tell({ type: 'warning', message })
  const early: string[] = []
  const serve = (attach: Attach, { files, readOnly }: Point, forAll: boolean): FuseServer => {
    const owner = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 }
    const onFailure = (error: NbtrunError): void => {
      if (mapped) record.requestFailed(files.label, error)
      else unanswered ??= error
    }
    const onServerWarning = (message: string): void => (mapped ? onWarning(message) : void early.push(message))
    const timeoutMs = settings['io-timeout']
    const server = serveFuse({ attach, files, ...owner, readOnly, forAll, timeoutMs, onWarning: onServerWarning, onFailure })
    servers.push(server)
    return server
  }
  if (kind === 'drive' || kind === 'unc') throw new TypeError(`the settings let ${kind} through`)
  const killAfterMs = settings['kill-after']
  const only = testedWay(env)
  const embedded = embedding !== undefined
  const blocking = env['NBTRUN_TEST_READ'] === 'blocking'
  const { mapping, refusals } = await scope.acquire<Chosen>('map', 'mapping', {
    open: async signal => {
      const options = { kind, only, points, serve, signal, blocking, runId, warn: onWarning, killAfterMs, isBystander, embedded }
      const chosen = await openNoted(journal, options).catch((thrown: unknown) => {
        const why = record.earlyLoss ?? unanswered
        if (why === undefined) early.forEach(onWarning)
        throw why ?? thrown // of which those are mere consequences
      })
      mapped = true
      early.forEach(onWarning)
      return chosen
    },
    undo: async taken => {
      const how = await taken.mapping.end()
      journal.mountsGone()
      return how
    },
    undoMs: MAPPING_MS,
  })
  for (const refused of refusals) scope.note('map', 'refused', refused)
  record.mapped(
    mapping,
    points.map(({ path }, i) => ({ point: path, counters: servers[i]!.counters })),
  )
  return mapping
}

/** Each mount is in the journal before it is made; where that fails, it stays there for as long as there is one. */
export async function openNoted(journal: Journal, options: ChooseOptions): Promise<Chosen> {
  for (const { path } of options.points) journal.mount(path)
  try {
    return await openMapping(options)
  } catch (thrown) {
    const isLeft = await mappingsOf(journal.run).then(
      mappings => mappings.length > 0,
      () => areMountPoints(options.points), // for want of a descriptor
    )
    if (!isLeft) journal.mountsGone()
    throw thrown
  }
}

async function areMountPoints(points: readonly Point[]): Promise<boolean> {
  for (const { path } of points) if (await isMountPoint(path)) return true
  return false
}

/** For tests: the way that NBTRUN_TEST_WAY names, and no other. */
function testedWay(env: RunIo['env']): Way | undefined {
  const name = env['NBTRUN_TEST_WAY'] ?? ''
  const way = WAYS.find(known => known === name)
  if (way === undefined && name !== '') throw new NbtrunError('USAGE', `NBTRUN_TEST_WAY ${name} is none of ${WAYS.join(', ')}`)
  return way
}
