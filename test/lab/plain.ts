import { spawn } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { TOOL_PATH } from './packages.ts'
import { killGroup, type Process, processOf } from './processes.ts'
import { addUsers, globalLines, untilBound, writeConf } from './samba.ts'
import { Server } from './server.ts'

/** smbstatus wants to be root; in a user namespace of its own anybody is. */
const AS_ROOT = ['unshare', '--user', '--map-root-user', '--']

/** A Samba without namespaces: one server on a high port of this machine's loopback, one share `app`, this user alone. */
export interface PlainServer {
  readonly server: Server
  readonly port: number
  readonly authFile: string
  readonly dispose: () => void
}

export async function startPlainServer(): Promise<PlainServer> {
  const folder = mkdtempSync(join(tmpdir(), 'nbtplain-'))
  const port = await freePort()
  const { username } = userInfo()
  const password = `Pw-${randomBytes(9).toString('base64url')}`
  const authFile = join(folder, 'auth')
  writeFileSync(authFile, `username = ${username}\npassword = ${password}\n`, { mode: 0o600 })
  writeConf(folder, [...globalLines('localhost', folder), 'interfaces = lo', `smb ports = ${port}`], { app: ['read only = no'] })
  await addUsers([], folder, { [username]: password })
  const smbd = startWatched(folder)
  const dispose = (): void => {
    process.off('exit', dispose)
    killGroup(smbd)
    rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', dispose)
  await untilBound(smbd, folder, 'tcp', port)
  const host = { name: 'localhost', role: 'server', address: '127.0.0.1', folder, keeper: smbd, daemons: { smbd, nmbd: smbd } } as const
  return { server: new Server(host, process.getuid?.() === 0 ? [] : AS_ROOT), port, authFile, dispose }
}

/** Becomes smbd. A child of it waits for the end of this process (its input is a pipe from here) and takes server and folder along. */
const WATCHED = `
exec 3<&0 </dev/null
{ cat <&3; rm -rf "$1"; kill -KILL 0; } &
exec smbd --foreground --no-process-group -s "$1/smb.conf" 3<&-`

function startWatched(folder: string): Process {
  const log = openSync(join(folder, 'smbd.out'), 'a')
  const child = spawn('sh', ['-c', WATCHED, 'sh', folder], { stdio: ['pipe', log, log], env: { PATH: TOOL_PATH }, detached: true })
  closeSync(log)
  child.unref()
  const { stdin, pid } = child
  if (stdin !== null && 'unref' in stdin && typeof stdin.unref === 'function') stdin.unref()
  const smbd = pid === undefined ? undefined : processOf(pid)
  if (smbd === undefined) throw new Error('lab: smbd did not start')
  return smbd
}

/** Below those that the kernel gives away by itself, so that none of these takes it before smbd does. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + randomInt(10_000)
    const isFree = await new Promise<boolean>(resolve => {
      const probe = createServer().once('error', () => resolve(false))
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
    })
    if (isFree) return port
  }
}
