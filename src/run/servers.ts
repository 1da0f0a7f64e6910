import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { NbtrunError } from '../base/errors.ts'
import type { Scope } from '../base/scope.ts'
import { credentials as complete, findCredentials, type Credentials as Given } from '../profile/credentials.ts'
import type { Settings } from '../profile/settings.ts'
import type { Share } from '../profile/share.ts'
import { connectTree, logIn, type Server } from '../smb/acquire.ts'
import { Credentials } from '../smb/auth/credentials.ts'
import { Secret } from '../smb/auth/secret.ts'
import type { Files } from '../smb/files.ts'
import { Folder } from '../smb/folder.ts'
import { TERMS, type Terms } from '../smb/terms.ts'
import type { TransportOptions } from '../smb/transport.ts'
import type { Tree } from '../smb/tree.ts'
import type { Record } from './record.ts'

/** A share that was connected: the tree it lives on, and the files that the program shall see. */
export interface Connected {
  readonly share: Share
  readonly server: Server
  readonly tree: Tree
  readonly files: Files
}

/** Logs in on each server once, asking for passwords before anything is taken, and connects every share. */
export async function connectShares(scope: Scope, settings: Settings, record: Record, cwd: string, signal: AbortSignal): Promise<readonly Connected[]> {
  const hosts = new Map<string, Share>()
  for (const share of settings.share) if (!hosts.has(share.host.toLowerCase())) hosts.set(share.host.toLowerCase(), share)
  const logins = new Map<string, Given>()
  const found = await findCredentials(settings, cwd)
  for (const [key, { host }] of hosts) logins.set(key, await complete(found, host, signal))

  const clientGuid = randomBytes(16)
  const servers = new Map<string, Server>()
  try {
    for (const [key, { host }] of hosts) {
      record.tell({ type: 'progress', doing: `connecting to ${host}` })
      const server = await enter(scope, settings, host, clientGuid, logins.get(key)!)
      record.watch(server)
      servers.set(key, server)
    }
  } finally {
    for (const { password } of logins.values()) password.fill(0)
  }
  const trees = new Map<string, Tree>()
  const connected: Connected[] = []
  for (const share of settings.share) {
    const server = servers.get(share.host.toLowerCase())!
    const key = `${share.host}/${share.share}`.toLowerCase()
    const tree = trees.get(key) ?? (await connectDisk(scope, server, share))
    trees.set(key, tree)
    connected.push({ share, server, tree, files: share.folder === '' ? tree : await folderOf(tree, share) })
  }
  record.tell({ type: 'progress' })
  return connected
}

/** IPC$ comes first, so that it is given back last, after the shares. */
async function enter(scope: Scope, settings: Settings, host: string, clientGuid: Buffer, given: Given): Promise<Server> {
  const server = await login(scope, settings, host, clientGuid, given)
  await connectTree(scope, server.session, 'IPC$')
  return server
}

/** Connects and logs in. The password stays its owner's, who zeroes it. */
export async function login(scope: Scope, settings: Settings, host: string, clientGuid: Buffer, given: Given): Promise<Server> {
  const { kind, user, domain } = given
  const who = kind === 'anonymous' ? 'nobody' : domain === '' ? user : `${domain}/${user}`
  const identity = { user, domain, workstation: (hostname().split('.', 1)[0] ?? '').toUpperCase() }
  const credentials = kind === 'anonymous' ? Credentials.anonymous() : Credentials.fromPassword(identity, Secret.fromUtf8(Buffer.from(given.password)))
  try {
    return await logIn(scope, {
      host,
      transport: transportOf(settings, host),
      ioTimeoutMs: settings['io-timeout'],
      clientGuid,
      ...termsOf(settings),
      credentials,
      who,
      allowUnsigned: kind !== 'user',
      ...(domain === '' && kind === 'user' ? { logonHint: `a domain account is written DOMAIN/${user}` } : {}),
    })
  } finally {
    credentials.wipe()
  }
}

/** How the server is reached. */
export function transportOf(settings: Settings, host: string): Omit<TransportOptions, 'signal'> {
  return {
    host,
    mode: settings.transport,
    port: settings.port,
    calledName: settings['called-name'],
    callingName: settings['calling-name'],
    scope: settings.scope,
    timeoutMs: settings['connect-timeout'],
  }
}

function termsOf(settings: Settings): Terms {
  return {
    minDialect: settings['min-dialect'],
    maxDialect: settings['max-dialect'],
    signing: settings['signing-algorithms'] ?? TERMS.signing,
    ciphers: settings.ciphers ?? TERMS.ciphers,
    requireSigning: settings.signing === 'required',
    requireEncryption: settings.encrypt,
  }
}

async function connectDisk(scope: Scope, { session }: Server, share: Share): Promise<Tree> {
  const tree = await connectTree(scope, session, share.share)
  if (!tree.isDisk) throw new NbtrunError('SHARE_NOT_FOUND', `${share.label} is a printer or a pipe, not a folder`, { hint: 'name a share that holds files' })
  return tree
}

async function folderOf(tree: Tree, share: Share): Promise<Files> {
  const info = await tree.stat(share.folder)
  if (!info.directory) throw new NbtrunError('SHARE_NOT_FOUND', `${share.label} is a file`, { hint: 'name the folder that it lies in' })
  return new Folder(tree, share.folder)
}
