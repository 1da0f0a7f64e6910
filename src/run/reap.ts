import { endFolder, endMapping, type Fate } from '../mapping/leftovers.ts'
import type { ConnectionLine, Entry, Line } from './journal/entry.ts'
import { type Asked, fallenOf } from './journal/fallen.ts'
import { mappingsOf } from '../mapping/fuse/room-users.ts'
import { held, heldSmb1, namesLeft } from './journal/keeper.ts'
import { here } from './journal/origin.ts'
import type { Filed, Place } from './journal/place.ts'

/** What was done about a dead run's entry. */
export interface Reaped {
  /** Its id. */
  readonly dead: string
  /** What was there and is no more: `folder /run/user/1000/nbtrun/7f3a0b1c`. */
  readonly gone: readonly string[]
  /** What cannot be given back here, and what to do. */
  readonly left: readonly string[]
}

export interface ReapOptions {
  /** The run that claims, or an id like one. */
  readonly by: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Sessions that fell with their connections, for certain. All others are left to a login, as those from before a power cut are. */
  readonly fallen?: ReadonlySet<string>
}

/**
 * Gives back what a dead run left on this machine: drives of Wine, mappings, then folders. Its sessions are the business of a login, its names that of
 * `LeftNames`. Of several who try it at once one does it. Undefined where there is nothing to do, or somebody else does it.
 */
async function reapHere(place: Place, filed: Filed, { by, env, fallen = new Set() }: ReapOptions): Promise<Reaped | undefined> {
  if (filed.verdict.state !== 'dead' || filed.entry === undefined) return undefined
  const { run } = filed.entry
  const mayHold = (entry: Entry): boolean => held(entry).some(({ id }) => !fallen.has(sessionKey(run, id)))
  const fell = ({ sessions }: Entry): readonly Line[] =>
    sessions.filter(({ id }) => fallen.has(sessionKey(run, id))).map(({ id }) => ({ what: 'no-session', id }))
  const { folders, mounts, drives, connections, origin } = filed.entry
  const sameBoot = origin.boot === here().boot
  const mapped = sameBoot ? await mappingsOf(run).catch(() => undefined) : []
  if (mapped === undefined) return undefined // nobody knows what there is
  const local = folders.length + mounts.length + mapped.length + drives.length + connections.length + fell(filed.entry).length
  if (local === 0 && (mayHold(filed.entry) || elsewhere(filed.entry) > 0)) return undefined
  const claimed = place.claim(filed, by)
  if (claimed === undefined) return undefined
  const { entry } = claimed
  const whose = { run: entry.run, runtimeDir: env['XDG_RUNTIME_DIR'] }
  const gone: string[] = []
  const left: string[] = []
  const lines: Line[] = [...fell(entry)]
  const note = (what: string, fate: Fate, line: Line): void => {
    if (!fate.gone) return void left.push(fate.why)
    if (fate.found) gone.push(what)
    lines.push(line)
  }
  for (const drive of entry.drives) {
    const { endDrive } = await import('./drives.ts')
    const { prefix, letter } = drive
    note(`drive ${letter.toUpperCase()} of ${prefix}`, await endDrive(drive, place, env), { what: 'no-drive', prefix, letter })
  }
  // also one that the disk had no space for
  for (const path of new Set([...entry.mounts, ...mapped.map(mount => mount.path)]))
    note(`mapping ${path}`, await endMapping(path, mapped, whose), { what: 'no-mount', path })
  if (entry.connections.length > 0) {
    const { endConnection } = await import('../mapping/windows/leftovers.ts')
    const { inTurn } = await import('./windows/turn.ts')
    for (const { device, remote, made } of entry.connections) {
      const fate = await inTurn(place, async (): Promise<Fate> => {
        const isElsewhere =
          device === '' && connectionsOf(place, entry.run).some(other => other.device === '' && other.remote.toLowerCase() === remote.toLowerCase())
        return sameBoot && made && !isElsewhere ? endConnection({ device, remote }) : { gone: true, found: false }
      })
      note(`${device} ${remote}`.trim(), fate, { what: 'no-connection', device, remote })
    }
  }
  // the folder of all runs comes first in an entry, and goes last; what is not ours to remove is said once
  let stays = left.length > 0
  for (const path of [...entry.folders].reverse()) {
    if (stays) break // what lies deeper is in it for as long as this
    const fate = endFolder(path, whose)
    const line = { what: 'no-folder', path } as const
    note(`folder ${path}`, fate, line)
    if (!fate.gone && fate.forGood === true) lines.push(line)
    stays = !fate.gone && fate.forGood !== true
  }
  place.settle(claimed, lines, !stays && !mayHold(entry) && elsewhere(entry) === 0)
  return { dead: entry.run, gone, left }
}

/** One text for each session of each run. */
const sessionKey = (run: string, id: string): string => `${run} ${id}`

/** The sessions of dead runs that fell with their connections, for certain: those of this boot, which had this network, are asked for. */
export function fallenHere(filed: readonly Filed[]): Promise<ReadonlySet<string>> {
  const { boot, net } = here()
  const asked: Asked[] = []
  for (const { entry, verdict } of filed) {
    if (verdict.state !== 'dead' || entry === undefined || entry.origin.boot !== boot || entry.origin.net !== net) continue
    for (const { id, ends } of held(entry)) if (ends !== undefined) asked.push({ key: sessionKey(entry.run, id), ends })
  }
  return fallenOf(asked)
}

/**
 * What other runs of this logon session have, to which connections belong: those that live; `all`: also those that died, or whose things are given back just now.
 */
export function connectionsOf(place: Place, but: string, which: 'living' | 'all' = 'living'): readonly ConnectionLine[] {
  const { pids, boot } = here()
  return place.list().flatMap(({ name, entry, verdict }) => {
    if (entry === undefined || entry.run === but || entry.origin.pids !== pids) return []
    const lives = verdict.state !== 'dead' && !name.includes('~')
    return lives || (which === 'all' && entry.origin.boot === boot) ? entry.connections : []
  })
}

/** How much others hold for it, which is not given back here. */
function elsewhere(entry: Entry): number {
  return namesLeft(entry).length + heldSmb1(entry).length
}

/** The same for all the dead of a journal. */
export async function reapPlace(place: Place, filed: readonly Filed[], options: ReapOptions): Promise<readonly Reaped[]> {
  const reaped: Reaped[] = []
  for (const each of filed) {
    const one = await reapHere(place, each, options)
    if (one !== undefined) reaped.push(one)
  }
  return reaped
}

/** The dead runs whose names a name server may still have. */
export function withNames(filed: readonly Filed[]): readonly Filed[] {
  return filed.filter(({ verdict, entry }) => verdict.state === 'dead' && entry !== undefined && namesLeft(entry).length > 0)
}
