import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { NbtrunError } from '../base/errors.ts'
import type { Scope } from '../base/scope.ts'
import { credentials as complete, findCredentials, type Credentials as Given, type Found } from '../profile/credentials.ts'
import type { Settings } from '../profile/settings.ts'
import type { Share } from '../profile/share.ts'
import { connectTree, logIn } from '../smb/acquire.ts'
import { Credentials } from '../smb/auth/credentials.ts'
import { Secret } from '../smb/auth/secret.ts'
import type { Files } from '../smb/files.ts'
import { Folder } from '../smb/folder.ts'
import { LastingFiles } from '../smb/lifeline/files.ts'
import type { Lifeline } from '../smb/lifeline/lifeline.ts'
import { TERMS, type Terms } from '../smb/terms.ts'
import { hostFinder } from '../nbt/find.ts'
import type { EndNode } from '../nbt/node.ts'
import type { TransportOptions } from '../smb/transport.ts'
import type { RunIo } from './events.ts'
import type { Journal } from './journal/journal.ts'
import { Keeper } from './journal/keeper.ts'
import type { Record } from './record.ts'
import { tracer } from './trace.ts'

/** A share that was connected, and the files that the program shall see. */
export interface Connected {
  readonly share: Share
  readonly server: Lifeline
  /** The whole share; `files` may be a folder of it. */
  readonly disk: LastingFiles
  readonly files: Files
}

/** Who logs in on each server, by its name. */
export type Logins = ReadonlyMap<string, Given>

/** Finds the passwords, or asks for them: before anything is taken, and once, however often it is tried. The caller zeroes them. */
export async function findLogins(settings: Settings, { cwd, embedding }: RunIo, signal: AbortSignal): Promise<Logins> {
  const logins = new Map<string, Given>()
  const found = await findCredentials(settings, cwd)
  const ask = embedding === undefined ? (host: string) => complete(found, host, signal) : () => given(found, embedding.password)
  for (const [key, { host }] of hostsOf(settings)) logins.set(key, await ask(host))
  return logins
}

/** Without asking anybody. */
function given({ kind, user, domain, password }: Found, own: Buffer | undefined): Given {
  const known = password ?? own
  if (known === undefined) throw new NbtrunError('NO_PASSWORD', `no password for ${user}`, { hint: 'give password, authFile or passwordFile' })
  return { kind, user, domain, password: Buffer.from(known) }
}

/** The shares' servers, each once. */
function hostsOf({ share: shares }: Settings): ReadonlyMap<string, Share> {
  const hosts = new Map<string, Share>()
  for (const share of shares) if (!hosts.has(share.host.toLowerCase())) hosts.set(share.host.toLowerCase(), share)
  return hosts
}

/** Logs in on each server once and connects every share. */
export async function connectShares(scope: Scope, settings: Settings, record: Record, logins: Logins, journal: Journal): Promise<readonly Connected[]> {
  const clientGuid = randomBytes(16)
  const servers = new Map<string, Lifeline>()
  for (const [key, { host }] of hostsOf(settings)) {
    record.tell({ type: 'progress', doing: `connecting to ${host}` })
    const by = { journal, through: record.node, resetClient: settings['reset-client'] ? resetOnce(host, record) : undefined }
    const server = await enter(scope, settings, host, clientGuid, logins.get(key)!, by)
    record.watch(server, scope)
    server.holds = settings.mapping === 'none'
    servers.set(key, server)
  }
  const disks = new Map<string, LastingFiles>()
  const connected: Connected[] = []
  for (const share of settings.share) {
    const server = servers.get(share.host.toLowerCase())!
    const key = `${share.host}/${share.share}`.toLowerCase()
    const disk = disks.get(key) ?? (await connectDisk(scope, server, share, record))
    disks.set(key, disk)
    connected.push({ share, server, disk, files: share.folder === '' ? disk : await folderOf(disk, share) })
  }
  record.tell({ type: 'progress' })
  return connected
}

/** Once a run, however often it is tried; nobody is hit who was not warned of. */
function resetOnce(host: string, record: Record): (() => void) | undefined {
  if (record.resets.has(host)) return undefined
  return () => {
    record.resets.add(host)
    record.tell({
      type: 'warning',
      message: `--reset-client: ${host} ends all other sessions of this machine there, other users' and other machines' behind the same address too`,
      hint: 'what they had open is closed',
    })
  }
}

/** IPC$ comes first, so that it is given back last, after the shares. */
async function enter(scope: Scope, settings: Settings, host: string, clientGuid: Buffer, given: Given, by: By): Promise<Lifeline> {
  const server = await login(scope, settings, host, clientGuid, given, by)
  await connectTree(scope, server, 'IPC$')
  return server
}

/** A NetBIOS node of ours, whose port asks for names; without it a port for each question. */
export type Through = Pick<EndNode, 'network' | 'status'>

/** What a login goes by. */
interface By {
  readonly through?: Through | undefined
  /** Undefined: its session is in no journal, and ends none of a dead run. */
  readonly journal?: Journal | undefined
  /** `--reset-client`: told when it is done. */
  readonly resetClient?: (() => void) | undefined
}

/** Connects and logs in. The password stays its owner's, who zeroes it. */
export async function login(scope: Scope, settings: Settings, host: string, clientGuid: Buffer, given: Given, by: By = {}): Promise<Lifeline> {
  const { through, journal, resetClient } = by
  const { kind, user, domain } = given
  const who = kind === 'anonymous' ? 'nobody' : domain === '' ? user : `${domain}/${user}`
  const identity = { user, domain, workstation: (hostname().split('.', 1)[0] ?? '').toUpperCase() }
  const credentials =
    kind === 'anonymous' ? Credentials.anonymous() : Credentials.fromPassword(identity, Secret.fromUtf8(Buffer.from(given.password)), settings['auth-level'])
  try {
    return await logIn(scope, {
      host,
      transport: { ...transportOf(settings, host, through), trace: tracer(scope) },
      ioTimeoutMs: settings['io-timeout'],
      keepaliveMs: settings.keepalive,
      reconnect: !settings['no-reconnect'],
      clientGuid,
      ...termsOf(settings),
      credentials,
      who,
      book: journal === undefined ? undefined : new Keeper(journal, { server: host, user: kind === 'anonymous' ? '' : user, domain }),
      resetClient,
      allowUnsigned: kind !== 'user',
      ...(domain === '' && kind === 'user' ? { logonHint: `a domain account is written DOMAIN/${user}` } : {}),
    })
  } catch (thrown) {
    credentials.wipe()
    throw thrown
  }
}

/** How the server is reached. */
export function transportOf(settings: Settings, host: string, through?: Through): Omit<TransportOptions, 'signal'> {
  const { wins, scope, 'name-order': order } = settings
  return {
    host,
    mode: settings.transport,
    port: settings.port,
    calledName: settings['called-name'],
    callingName: settings['calling-name'],
    scope,
    byAddress: settings['by-address'],
    find: hostFinder({ order, wins, scope, network: through?.network }),
    status: through === undefined ? undefined : (address, signal) => through.status(address, signal),
    timeoutMs: settings['connect-timeout'],
  }
}

export function termsOf(settings: Settings): Terms {
  return {
    minDialect: settings['min-dialect'],
    maxDialect: settings['max-dialect'],
    signing: settings['signing-algorithms'] ?? TERMS.signing,
    ciphers: settings.ciphers ?? TERMS.ciphers,
    authLevel: settings['auth-level'],
    extendedSecurity: settings['smb1-login'] === 'auto',
    requireSigning: settings.signing === 'required',
    requireEncryption: settings.encrypt,
  }
}

async function connectDisk(scope: Scope, server: Lifeline, share: Share, record: Record): Promise<LastingFiles> {
  const tree = await connectTree(scope, server, share.share)
  if (!tree.isDisk) throw new NbtrunError('SHARE_NOT_FOUND', `${share.label} is a printer or a pipe, not a folder`, { hint: 'name a share that holds files' })
  return new LastingFiles(server, share.share, {
    stale: (path, why) => record.tell({ type: 'stale', file: `${tree.label}/${path.replaceAll('\\', '/')}`, why }),
    unsure: message => record.tell({ type: 'warning', message }),
  })
}

async function folderOf(disk: Files, share: Share): Promise<Files> {
  const info = await disk.stat(share.folder)
  if (!info.directory) throw new NbtrunError('SHARE_NOT_FOUND', `${share.label} is a file`, { hint: 'name the folder that it lies in' })
  return new Folder(disk, share.folder)
}
