import { isIP } from 'node:net'
import type { DriveChange } from '../../app/wine/drive.ts'
import type { NodeType } from '../../nbt/name-packets.ts'
import type { NetbiosName } from '../../nbt/names.ts'
import type { Ends } from '../../nbt/tcp-table.ts'
import type { Origin } from './origin.ts'

/** A session that a server named; it counts once the login has gone on. */
export interface SessionLine {
  readonly what: 'session'
  /** As the user wrote it. */
  readonly server: string
  /** ServerGuid in hexadecimal, and the time at which the server says that it was started, 0 where it does not. [MS-SMB2] 2.2.4 */
  readonly guid: string
  readonly serverStart: string
  readonly user: string
  readonly domain: string
  /** SessionId in hexadecimal. */
  readonly id: string
  /** Its connection; older entries do not have it. */
  readonly ends?: Ends
  /** ms since 1970. */
  readonly at: number
}

/** A NetBIOS name of `--hold-name`, of which name servers may know for longer than this machine. */
export interface NameLine extends NetbiosName {
  readonly what: 'name'
  /** Under which it is to be found, IPv4. */
  readonly addresses: readonly string[]
  /** Where it was registered, or may be. */
  readonly wins: readonly string[]
  readonly node: NodeType
  /** ms since 1970. */
  readonly at: number
  /** Its user was told why it cannot be given back. */
  readonly told?: true
}

/** A session of SMB1, whose number says nothing outside of its connection: it is listed, and no login can end it. */
export interface Smb1Line {
  readonly what: 'smb1'
  /** As the user wrote it. */
  readonly server: string
  readonly user: string
  readonly domain: string
  readonly uid: number
  /** ms since 1970. */
  readonly at: number
}

/** One line of an entry. Each is written before the thing is taken, and one beginning with `no-` after it was given back. */
export type Line =
  | SessionLine
  | { readonly what: 'no-session'; readonly id: string }
  | { readonly what: 'folder'; readonly path: string }
  | { readonly what: 'no-folder'; readonly path: string }
  /** Its source has the run's id. */
  | { readonly what: 'mount'; readonly path: string }
  | { readonly what: 'no-mount'; readonly path: string }
  | Smb1Line
  | { readonly what: 'no-smb1'; readonly server: string; readonly uid: number }
  | ({ readonly what: 'drive' } & DriveChange)
  | { readonly what: 'no-drive'; readonly prefix: string; readonly letter: string }
  | NameLine
  | ({ readonly what: 'no-name' } & NetbiosName)
  | ConnectionLine
  | { readonly what: 'no-connection'; readonly device: string; readonly remote: string }

/** A connection of Windows' own client. */
export interface ConnectionLine {
  readonly what: 'connection'
  /** `P:`; empty where it has no letter. */
  readonly device: string
  /** `\\srv\app` */
  readonly remote: string
  /** By nbtrun: the last run that has it ends it. */
  readonly made: boolean
  /** When the first run made it, ms since 1970. */
  readonly since?: number
}

/** The first line. */
export interface Head {
  readonly journal: 1
  readonly run: string
  readonly origin: Origin
  /** ms since 1970. */
  readonly began: number
  /** `//srv/app` */
  readonly shares: readonly string[]
  /** Its name alone: arguments may be secret. */
  readonly program: string
}

/** What an entry says: who wrote it, and what was not given back. */
export interface Entry extends Head {
  readonly sessions: readonly SessionLine[]
  readonly folders: readonly string[]
  readonly mounts: readonly string[]
  readonly connections: readonly ConnectionLine[]
  /** Drives of Wine prefixes. */
  readonly drives: readonly DriveChange[]
  readonly names: readonly NameLine[]
  readonly smb1: readonly Smb1Line[]
}

/** An entry that is longer is not read. */
export const MAX_ENTRY = 256 * 1024

/** An entry whose first line is not understood. */
export class BadEntry extends Error {}

/** Reads an entry. A last line without its end was cut off before what it names was taken. Throws BadEntry; lines of other kinds are passed over. */
export function parseEntry(text: string): Entry {
  const [first = '', ...lines] = text.split('\n').slice(0, -1).map(json)
  if (!isHead(first))
    throw new BadEntry(
      isRecord(first) && typeof first['journal'] === 'number' && first['journal'] !== 1 ? 'it is of another version of nbtrun' : 'it cannot be read',
    )
  const sessions = new Map<string, SessionLine>()
  const folders = new Set<string>()
  const mounts = new Set<string>()
  const connections = new Map<string, ConnectionLine>()
  const drives = new Map<string, DriveChange>()
  const names = new Map<string, NameLine>()
  const smb1 = new Map<string, Smb1Line>()
  for (const line of lines) {
    if (!isLine(line)) continue
    switch (line.what) {
      case 'session':
        sessions.set(line.id, line)
        break
      case 'no-session':
        sessions.delete(line.id)
        break
      case 'folder':
        folders.add(line.path)
        break
      case 'no-folder':
        folders.delete(line.path)
        break
      case 'mount':
        mounts.add(line.path)
        break
      case 'no-mount':
        mounts.delete(line.path)
        break
      case 'connection':
        connections.set(`${line.device} ${line.remote}`, line)
        break
      case 'no-connection':
        connections.delete(`${line.device} ${line.remote}`)
        break
      case 'smb1':
        smb1.set(smb1Id(line), line)
        break
      case 'no-smb1':
        smb1.delete(smb1Id(line))
        break
      case 'drive':
        drives.set(driveKey(line), line)
        break
      case 'no-drive':
        drives.delete(driveKey(line))
        break
      case 'name':
        names.set(nameId(line), line)
        break
      case 'no-name':
        names.delete(nameId(line))
        break
    }
  }
  const { journal, run, origin, began, shares, program } = first
  const local = { folders: [...folders], mounts: [...mounts], drives: [...drives.values()], connections: [...connections.values()] }
  const elsewhere = { sessions: [...sessions.values()], smb1: [...smb1.values()], names: [...names.values()] }
  return { journal, run, origin, began, shares, program, ...local, ...elsewhere }
}

/** The same text for the same session: one run has one connection to a server. */
export function smb1Id({ server, uid }: Pick<Smb1Line, 'server' | 'uid'>): string {
  return JSON.stringify([server.toLowerCase(), uid])
}

/** The same text for the same name; without `nbt`, which a run does not load for nothing. */
export function nameId({ text, suffix, scope }: NetbiosName): string {
  return JSON.stringify([text, suffix, scope])
}

export function driveKey({ prefix, letter }: Pick<DriveChange, 'prefix' | 'letter'>): string {
  return `drive ${letter} ${prefix}`
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Windows' are 32 bits; PID_MAX_LIMIT of Linux is less, proc_sys_kernel(5). */
const MAX_PID = 2 ** 32 - 1

type Shape = Readonly<Record<string, (value: unknown) => boolean>>

const text = (value: unknown): boolean => typeof value === 'string' && value.length <= 4096
const number = (value: unknown): boolean => typeof value === 'number' && Number.isSafeInteger(value)
const like = (pattern: RegExp) => (value: unknown) => typeof value === 'string' && pattern.test(value)
const path = (value: unknown): boolean => text(value) && like(/^\/[^\0]*$/s)(value)
const connection: Shape = { device: like(/^(?:[A-Z]:)?$/), remote: value => text(value) && like(/^\\\\[^\\\0]+\\[^\0]+$/s)(value) }
const orAbsent = (is: (value: unknown) => boolean) => (value: unknown) => value === undefined || is(value)
const port = (value: unknown): boolean => number(value) && Number(value) > 0 && Number(value) <= 0xffff
const address = (value: unknown): boolean => typeof value === 'string' && isIP(value) !== 0
const ENDS: Shape = { local: address, localPort: port, address, port }
const sessionId = like(/^[0-9a-f]{1,16}$/)
const orNull = (is: (value: unknown) => boolean) => (value: unknown) => value === null || is(value)
const letter = like(/^[abd-y]:$/)
const addresses = (value: unknown): boolean => Array.isArray(value) && value.length <= 64 && value.every(like(/^(\d{1,3}\.){3}\d{1,3}$/))
const NAME: Shape = {
  text: like(/^[\0-\xff]{1,15}$/),
  suffix: value => number(value) && Number(value) >= 0 && Number(value) <= 0xff,
  scope: like(/^[\0-\xff]{0,220}$/),
}

const ORIGIN: Shape = {
  machine: text,
  host: text,
  boot: text,
  pids: text,
  pid: value => number(value) && Number(value) > 0 && Number(value) <= MAX_PID,
  start: text,
  time: orAbsent(text),
  net: orAbsent(text),
  uid: number,
}
const HEAD: Shape = {
  journal: value => value === 1,
  run: like(/^[0-9a-f]{8}$/),
  origin: value => fits(ORIGIN, value),
  began: number,
  shares: value => Array.isArray(value) && value.length <= 1000 && value.every(text),
  program: text,
}
const LINES: Readonly<Record<Line['what'], Shape>> = {
  session: {
    server: text,
    guid: like(/^[0-9a-f]{32}$/),
    serverStart: like(/^\d{1,20}$/),
    user: text,
    domain: text,
    id: sessionId,
    ends: orAbsent(value => fits(ENDS, value)),
    at: number,
  },
  'no-session': { id: sessionId },
  folder: { path },
  'no-folder': { path },
  mount: { path },
  'no-mount': { path },
  connection: { ...connection, made: value => typeof value === 'boolean' },
  'no-connection': connection,
  smb1: { server: text, user: text, domain: text, uid: number, at: number },
  'no-smb1': { server: text, uid: number },
  drive: {
    prefix: path,
    letter,
    // no part of it leads out of the folder
    unc: orNull(like(/^unc(\/(?!\.{1,2}(\/|$))[^/\0]{1,255}){2,32}$/s)),
    point: path,
    typed: value => typeof value === 'boolean',
    letterBefore: orNull(text),
    uncBefore: orNull(text),
    typeBefore: orNull(like(/^[\x20-\x21\x23-\x5b\x5d-\x7e]{0,100}$/)),
  },
  'no-drive': { prefix: path, letter },
  name: { ...NAME, addresses, wins: addresses, node: like(/^[BPMH]$/), at: number },
  'no-name': NAME,
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function fits(shape: Shape, value: unknown): boolean {
  return isRecord(value) && Object.entries(shape).every(([name, is]) => is(value[name]))
}

function isHead(value: unknown): value is Head {
  return fits(HEAD, value)
}

function isLine(value: unknown): value is Line {
  if (!isRecord(value) || typeof value['what'] !== 'string' || !Object.hasOwn(LINES, value['what'])) return false
  return fits(LINES[value['what'] as Line['what']], value)
}
