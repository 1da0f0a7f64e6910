import { spawn } from 'node:child_process'
import { chmodSync, chownSync, closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { pause } from '../../src/base/time.ts'
import { TOOL_PATH } from './packages.ts'
import { isAlive, processOf, type Process } from './processes.ts'
import { UIDS, type User, WORKGROUP } from './users.ts'

/** smb.conf lines, such as `max connections = 1`. */
export interface ServerOptions {
  /** More lines for [global]. */
  readonly global?: readonly string[]
  /** More lines for a share, or a share of that name with them. */
  readonly shares?: Readonly<Record<string, readonly string[]>>
}

const WRITABLE = ['read only = no']

/** What each server shares by itself. `cad` is metered: one tree connect at a time. Only boss may use `private`. */
export const SHARES: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  srv: { app: WRITABLE, cad: [...WRITABLE, 'max connections = 1'], readonly: ['read only = yes'], private: [...WRITABLE, 'valid users = boss'] },
  srv2: { files: WRITABLE },
}

export const confOf = (folder: string): string => join(folder, 'smb.conf')
export const shareFolder = (folder: string, share: string): string => join(folder, 'shares', share)

/** All of Samba's state lies under `folder`; nothing of the machine's own Samba is read or written. */
export function globalLines(name: string, folder: string): string[] {
  const state = join(folder, 'state')
  const places = ['private dir', 'lock directory', 'state directory', 'cache directory', 'pid directory'].map(key => `${key} = ${state}`)
  return [
    `workgroup = ${WORKGROUP}`,
    `netbios name = ${name.toUpperCase()}`,
    'server role = standalone server',
    `passdb backend = tdbsam:${state}/passdb.tdb`,
    ...places,
    `ncalrpc dir = ${state}/ncalrpc`,
    `nmbd:socket dir = ${state}/nmbd`,
    `log file = ${folder}/samba.log`,
    'load printers = no',
    'printcap name = /dev/null',
    'disable spoolss = yes',
    'dns proxy = no',
    'bind interfaces only = yes',
  ]
}

/** Writes smb.conf and makes the shares' folders, which everybody may write to as far as Unix is concerned. */
export function writeConf(folder: string, global: readonly string[], shares: Readonly<Record<string, readonly string[]>>): void {
  mkdirSync(join(folder, 'state'), { recursive: true })
  const sections = Object.entries(shares).map(([share, lines]) => [`[${share}]`, `path = ${shareFolder(folder, share)}`, ...lines])
  for (const share of Object.keys(shares)) {
    mkdirSync(shareFolder(folder, share), { recursive: true })
    chmodSync(shareFolder(folder, share), 0o777)
  }
  writeFileSync(confOf(folder), `${[['[global]', ...global], ...sections].map(lines => lines.join('\n')).join('\n\n')}\n`)
}

/** Runs a Samba tool on the host (`words` lead into it); throws when it fails. */
export async function sambaTool(words: readonly string[], argv: readonly string[], input = ''): Promise<string> {
  const [file = '', ...args] = [...words, ...argv]
  const { stdout } = await execa(file, args, { input, env: { PATH: TOOL_PATH } })
  return stdout
}

/** Users known to smbd, and boss as an administrator of it. */
export async function addUsers(words: readonly string[], folder: string, passwords: Readonly<Record<string, string>>): Promise<void> {
  const conf = confOf(folder)
  for (const [user, password] of Object.entries(passwords)) {
    await sambaTool(words, ['pdbedit', '-s', conf, '--create', '--password-from-stdin', '--user', user], `${password}\n${password}\n`)
  }
}

export async function addAdministrators(words: readonly string[], folder: string, group: User): Promise<void> {
  await sambaTool(words, ['net', '-s', confOf(folder), 'groupmap', 'add', 'sid=S-1-5-32-544', `unixgroup=${group}`, 'type=builtin'])
  const owned = shareFolder(folder, 'private')
  try {
    chownSync(owned, UIDS[group], UIDS[group])
    chmodSync(owned, 0o700)
  } catch {} // this server has no such share
}

/** Starts smbd or nmbd in the foreground; it ends by being killed. */
export function startDaemon(words: readonly string[], daemon: 'smbd' | 'nmbd', folder: string): Process {
  const log = openSync(join(folder, `${daemon}.out`), 'a')
  const [file, ...args] = [...words, daemon, '--foreground', '--no-process-group', '-s', confOf(folder)]
  const child = spawn(file, args, { stdio: ['ignore', log, log], env: { PATH: TOOL_PATH }, detached: true })
  closeSync(log)
  child.unref()
  const process = child.pid === undefined ? undefined : processOf(child.pid)
  if (process === undefined) throw new Error(`lab: ${daemon} did not start`)
  return process
}

/** Waits until the daemon has its port. /proc tells sooner than trying, and without a connection that the server would count. */
export async function untilBound(daemon: Process, folder: string, protocol: 'tcp' | 'udp', port: number): Promise<void> {
  // proc(5), /proc/net/tcp: local address and port in hexadecimal, state 0A is LISTEN, 07 is a bound UDP socket
  const bound = new RegExp(`: [0-9A-F]{8}:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 (0A|07)`)
  for (let tries = 0; tries < 2000 && isAlive(daemon); tries++) {
    if (bound.test(readFileSync(`/proc/${daemon.pid}/net/${protocol}`, 'latin1'))) return
    await pause(5)
  }
  throw new Error(`lab: Samba does not answer on port ${port}: ${tail(join(folder, 'samba.log'))}${tail(join(folder, 'smbd.out'))}`)
}

function tail(path: string): string {
  try {
    return readFileSync(path, 'utf8').slice(-1000)
  } catch {
    return ''
  }
}
