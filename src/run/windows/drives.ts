import type { Scope } from '../../base/scope.ts'
import { loadNative } from '../../mapping/windows/native.ts'
import { openDrives, type Drives } from '../../mapping/windows/drives.ts'
import { explainOn, serverOf } from '../../mapping/windows/errors.ts'
import { type Book, Held } from '../../mapping/windows/held.ts'
import { jobLifetime, noDrive, processLifetime, type Lifetime } from '../../mapping/windows/lifetime.ts'
import type { Connection, Login, Network } from '../../mapping/windows/network.ts'
import { openNetwork } from '../../mapping/windows/open.ts'
import type { Mapping } from '../../mapping/mapping.ts'
import { credentials as complete, findCredentials } from '../../profile/credentials.ts'
import type { Settings } from '../../profile/settings.ts'
import { type Share, uncOf } from '../../profile/share.ts'
import type { RunIo } from '../events.ts'
import type { Journal } from '../journal/journal.ts'
import type { Names } from '../names.ts'
import type { ShareReceipt } from '../receipt.ts'
import type { Record } from '../record.ts'
import { lines, patiently } from '../seats.ts'
import { guard } from './guardian.ts'
import { bookOf } from './book.ts'
import type { Lingering } from './lingering.ts'
import { usesOwnClient } from './own-client.ts'

/** Waiting for open files, and Windows' own goodbyes, ms. */
const MAPPING_MS = 4500

export interface TakeOptions {
  readonly settings: Settings
  readonly io: RunIo
  readonly journal: Journal
  /** The run's own names; undefined where it has none. */
  readonly names: Names | undefined
  /** Aborted when the run is cancelled. */
  readonly cancelled: AbortSignal
  /** Aborted when the teardown is cut short. */
  readonly hurried: AbortSignal
  /** Whoever asks for the sessions afterwards. */
  readonly lingering: Lingering | undefined
}

/** A mapping that knows where it keeps the program and all it starts. */
export interface Watched {
  readonly mapping: Mapping
  readonly lifetime: Lifetime
}

/** Connects IPC$ of each server, then every share, by Windows' own client, waiting as long as `--wait` says; for `--mapping none` nothing but a job. */
export async function takeDrives(scope: Scope, record: Record, { settings, io, journal, names, cancelled, hurried, lingering }: TakeOptions): Promise<Watched> {
  const lifetime = await openLifetime()
  if (usesOwnClient(settings)) {
    const mapping = await scope.acquire('map', 'mapping', { open: async () => noDrive(lifetime), undo: taken => taken.end(), undoMs: MAPPING_MS })
    record.mapped(mapping, [])
    return { mapping, lifetime }
  }
  const network = await openNetwork(io.env)
  const book = bookOf(journal)
  const logins = await findLogins(settings, io.cwd, cancelled)
  await guard(scope, journal, io)
  const met = async (held: Held): Promise<void> => {
    const host = serverOf(held.connection.remote)
    await lingering?.met(host, held, logins.get(host.toLowerCase()), network, journal)
  }
  const attempt = async (): Promise<Drives> => {
    await names?.hold(scope, record, journal)
    for (const [key, { host }] of hostsOf(settings)) await connectIpc(scope, { network, book, host, login: logins.get(key), hurried, met })
    const wanted = settings.share.map(share => ({ remote: uncOf(share), device: deviceOf(share, settings), login: logins.get(share.host.toLowerCase()) }))
    return scope.acquire('map', 'mapping', {
      open: () => openDrives({ network, book, wanted, lifetime, force: settings['wait-for'] === 'app', hurried, taken: met }),
      undo: taken => taken.end(),
      undoMs: MAPPING_MS,
    })
  }
  try {
    const mapping = await patiently(scope, settings, record, cancelled, { attempt, lines: lines(settings, io.env) })
    record.redirected = settings.share.map((share, i) => receiptOf(share, mapping, mapping.points[i]!))
    record.obtained()
    record.mapped(
      mapping,
      mapping.points.map(point => ({ point, counters: { bytesRead: 0, bytesWritten: 0 } })),
    )
    return { mapping, lifetime }
  } finally {
    for (const login of logins.values()) login?.password.fill(0)
  }
}

async function openLifetime(): Promise<Lifetime> {
  const { koffi } = await loadNative()
  return koffi === undefined ? processLifetime() : jobLifetime(koffi)
}

interface Ipc {
  readonly network: Network
  readonly book: Book
  readonly host: string
  readonly login: Login | undefined
  readonly hurried: AbortSignal
  readonly met: (held: Held) => Promise<void>
}

/** IPC$ comes first, and goes last, as Q153070 asks for it. A server that lets nobody there may let us into the share. */
async function connectIpc(scope: Scope, { network, book, host, login, hurried, met }: Ipc): Promise<void> {
  const connection: Connection = { device: '', remote: `\\\\${host}\\IPC$` }
  await scope.acquire<Held | undefined>('connect', `IPC$ ${host}`, {
    open: async () => {
      try {
        const held = await Held.take(network, book, connection, login)
        await met(held)
        return held
      } catch (thrown) {
        const error = await explainOn(network, thrown, connection)
        if (error.code !== 'ACCESS_DENIED') throw error
        scope.note('connect', 'refused', error.message)
        return undefined
      }
    },
    undo: async taken => taken?.end({ force: true, hurried }), // no file can be open in it
    undoMs: MAPPING_MS,
  })
}

function hostsOf({ share: shares }: Settings): ReadonlyMap<string, Share> {
  return new Map(shares.toReversed().map(share => [share.host.toLowerCase(), share]))
}

function deviceOf({ drive }: Share, { mapping }: Settings): string {
  return drive ?? (mapping === 'unc' ? '' : '*')
}

const LOGIN_OPTIONS = ['user', 'auth-file', 'password-file', 'password-fd', 'anonymous', 'guest'] as const

/** Who logs in on each server; whoever is logged in to Windows where nothing was said. */
async function findLogins(settings: Settings, cwd: string, signal: AbortSignal): Promise<ReadonlyMap<string, Login | undefined>> {
  const logins = new Map<string, Login | undefined>()
  const isGiven = LOGIN_OPTIONS.some(name => settings.given[name] !== undefined)
  const found = isGiven ? await findCredentials(settings, cwd) : undefined
  for (const [key, { host }] of hostsOf(settings)) {
    if (found === undefined) logins.set(key, undefined)
    else {
      const { user, domain, password } = await complete(found, host, signal)
      logins.set(key, { user: domain === '' ? user : `${domain}\\${user}`, password: Buffer.from(password.toString('utf8'), 'utf16le') })
      password.fill(0)
    }
  }
  found?.password?.fill(0)
  return logins
}

/** The session is Windows' own: how it reaches the server, it does not say. */
function receiptOf(share: Share, { kind, way }: Mapping, point: string): ShareReceipt {
  return {
    share: share.label,
    server: share.host,
    address: '',
    foundBy: 'windows',
    transport: 'windows',
    calledName: null,
    dialect: '',
    signing: null,
    guest: false,
    encryption: null,
    mapping: kind,
    way,
    point,
    drive: /^[A-Z]:$/.test(point) ? point : null,
    bytesRead: 0,
    bytesWritten: 0,
  }
}
