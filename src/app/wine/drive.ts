import { existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, renameSync, rmdirSync, symlinkSync, unlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { errnoOf, NbtrunError } from '../../base/errors.ts'
import { alone, type Env, readSystem, writeSystem } from './prefix.ts'
import { driveType, withDriveType } from './registry.ts'
import { wineserverOf } from './server.ts'
import { regDriveType } from './tools.ts'

/** What a run changes in a prefix so that one share is a network drive there, and what was there before; null where there was nothing. */
export interface DriveChange {
  readonly prefix: string
  /** As in dosdevices: `p:`. */
  readonly letter: string
  /** Below dosdevices the link that `\\srv\app` is: `unc/srv/app`; null where it is not made. */
  readonly unc: string | null
  /** The folder to which both lead. */
  readonly point: string
  /** Whether the type of the drive was changed to `network`. */
  readonly typed: boolean
  readonly letterBefore: string | null
  readonly uncBefore: string | null
  readonly typeBefore: string | null
}

/** Drives of a prefix that other runs have. */
export interface OtherDrives {
  /** Of runs that live, or that are not proven dead. */
  readonly living: readonly DriveChange[]
  /** Of dead runs, not given back yet. */
  readonly left: readonly DriveChange[]
}

export interface DriveWish {
  readonly prefix: string
  /** `P:`; undefined for the first free. */
  readonly drive: string | undefined
  /** `srv`, `app`, and the folders below, as `\\srv\app\folder` is written. */
  readonly unc: readonly string[]
  readonly point: string
  readonly others: () => OtherDrives
  /** Told of the change before it is made. */
  readonly note: (change: DriveChange) => void
}

/** How Wine is asked to change its registry while its wineserver runs. */
export interface WineTool {
  /** The command; undefined where there is none. */
  readonly wine: string | undefined
  readonly env: Env
}

const NETWORK = 'network'
/** F first, as of old for the network; A to C are diskettes and Wine's own disk, Z is the whole machine. */
const FREE = Array.from('fghijklmnopqrstuvwxyde', letter => `${letter}:`)

/** Makes a share a network drive of the prefix: letter, UNC name, type. Throws POINT_UNUSABLE where the letter cannot be had. */
export function takeDrive(wish: DriveWish): Promise<DriveChange> {
  const { prefix, drive, point, note } = wish
  return alone(prefix, async () => {
    const { living, left } = wish.others()
    const devices = join(prefix, 'dosdevices')
    const letter = drive === undefined ? firstFree(prefix, devices) : requireFree(drive.toLowerCase(), prefix, living)
    const unc = uncFor(devices, wish.unc)
    // what another run made, be it dead, is not what was there before nbtrun: that is what the other one found
    const letterThere = readLink(join(devices, letter))
    const maker = left.find(other => other.letter === letter && targetOf(other) === letterThere)
    const uncThere = unc === null ? null : readLink(join(devices, unc))
    const sharer = [...living, ...left].find(other => other.unc === unc && other.point === uncThere)
    const served = (await wineserverOf(prefix)) !== undefined // it has the registry, and knows its drives by now
    const system = served ? '' : readSystem(prefix)
    const typeThere = served ? null : driveType(system, letter)
    const typeOf = left.find(other => other.letter === letter && other.typed && (served || typeThere === NETWORK))
    const change: DriveChange = {
      prefix,
      letter,
      unc,
      point,
      typed: typeOf !== undefined || (!served && typeThere !== NETWORK),
      letterBefore: maker === undefined ? letterThere : maker.letterBefore,
      uncBefore: sharer === undefined ? uncThere : sharer.uncBefore,
      typeBefore: typeOf === undefined ? typeThere : typeOf.typeBefore,
    }
    note(change)
    if (!served && typeThere !== NETWORK) writeSystem(prefix, withDriveType(system, letter, NETWORK))
    if (unc !== null) {
      mkdirSync(dirname(join(devices, unc)), { recursive: true, mode: 0o755 })
      putLink(join(devices, unc), point)
    }
    putLink(join(devices, letter), targetOf(change))
    return change
  })
}

/** `P:` */
export function driveName({ letter }: DriveChange): string {
  return letter.toUpperCase()
}

/** What the letter's link leads to: only a drive that leads to a UNC name is one that WNetGetConnection knows. */
function targetOf({ unc, point }: DriveChange): string {
  return unc ?? point
}

/**
 * Puts back what was there, unless somebody changed it since, or another run has it now: that stays, and a live run's end puts the same back. Throws what could
 * not be done; what is done then is found done the next time.
 */
export async function giveDriveBack(change: DriveChange, others: () => OtherDrives, tool: WineTool, signal: AbortSignal): Promise<void> {
  const { prefix, letter, unc, point } = change
  if (!existsSync(prefix)) return // with all that was in it
  await alone(prefix, async () => {
    const devices = join(prefix, 'dosdevices')
    const { living } = others()
    const isTaken = living.some(other => other.letter === letter)
    if (!isTaken && readLink(join(devices, letter)) === targetOf(change)) putLink(join(devices, letter), change.letterBefore)
    if (unc !== null) {
      const sharer = living.find(other => other.unc === unc)
      if (readLink(join(devices, unc)) === point) putLink(join(devices, unc), sharer?.point ?? change.uncBefore)
      removeEmpty(devices, dirname(unc))
    }
    if (!isTaken && change.typed) await restoreType(change, tool, signal)
  })
}

async function restoreType({ prefix, letter, typeBefore }: DriveChange, { wine, env }: WineTool, signal: AbortSignal): Promise<void> {
  if ((await wineserverOf(prefix)) !== undefined) {
    if (wine === undefined) throw new NbtrunError('WINE_PREFIX', `the type of ${letter} in ${prefix} is not restored: there is no wine to do it`)
    return regDriveType(wine, prefix, letter, typeBefore, env, signal)
  }
  const system = readSystem(prefix)
  if (driveType(system, letter) === NETWORK) writeSystem(prefix, withDriveType(system, letter, typeBefore))
}

/** Neither a drive nor a device (`d::`), be it one that leads nowhere, nor one whose type somebody chose. */
function firstFree(prefix: string, devices: string): string {
  const taken = new Set(readdirSync(devices).map(name => name.toLowerCase()))
  const system = readSystem(prefix)
  const free = FREE.find(letter => !taken.has(letter) && !taken.has(`${letter}:`) && driveType(system, letter) === null)
  if (free === undefined) throw new NbtrunError('POINT_UNUSABLE', `no drive letter of ${prefix} is free`, { hint: 'remove one in winecfg' })
  return free
}

function requireFree(letter: string, prefix: string, living: readonly DriveChange[]): string {
  const drive = letter.toUpperCase()
  if (letter === 'c:' || letter === 'z:') throw new NbtrunError('POINT_UNUSABLE', `drive ${drive} is Wine's own`, { hint: 'name another letter' })
  if (living.some(other => other.letter === letter))
    throw new NbtrunError('POINT_UNUSABLE', `drive ${drive} of ${prefix} is another run's`, { hint: 'name another letter, or none for the first free' })
  return letter
}

/** The link for a UNC name below dosdevices, in the case of what is there. Null where something is in its way that is not ours to move. */
function uncFor(devices: string, parts: readonly string[]): string | null {
  let path = 'unc'
  for (const part of parts) {
    if (isLink(join(devices, path))) return null
    const there = namesIn(join(devices, path)).find(name => name.toLowerCase() === part.toLowerCase())
    path = join(path, there ?? part)
  }
  const stat = lstatSync(join(devices, path), { throwIfNoEntry: false })
  return stat === undefined || stat.isSymbolicLink() ? path : null
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true
}

/** Where a link leads; null where there is none. */
function readLink(path: string): string | null {
  try {
    return readlinkSync(path)
  } catch {
    return null
  }
}

/** Has the link lead there, or, for null, be gone; there is no moment without it. */
function putLink(path: string, target: string | null): void {
  if (target === null) return unlinkSync(path)
  const draft = `${path}.nbtrun`
  try {
    unlinkSync(draft) // of a run that was killed
  } catch {}
  symlinkSync(target, draft)
  renameSync(draft, path)
}

/** This folder below `devices` and those above it, as long as nothing is in them. */
function removeEmpty(devices: string, folder: string): void {
  for (let below = folder; below !== '.'; below = dirname(below)) {
    try {
      rmdirSync(join(devices, below))
    } catch (thrown) {
      if (errnoOf(thrown) !== 'ENOENT') return
    }
  }
}
