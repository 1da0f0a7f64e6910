import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { killGroup } from './processes.ts'
import { addUsers, globalLines, startDaemon, untilBound, writeConf } from './samba.ts'
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
  const folder = mkdtempSync(join(tmpdir(), 'nbtlab-plain-'))
  const port = await freePort()
  const { username } = userInfo()
  const password = `Pw-${randomBytes(9).toString('base64url')}`
  const authFile = join(folder, 'auth')
  writeFileSync(authFile, `username = ${username}\npassword = ${password}\n`, { mode: 0o600 })
  writeConf(folder, [...globalLines('localhost', folder), 'interfaces = lo', `smb ports = ${port}`], { app: ['read only = no'] })
  await addUsers([], folder, { [username]: password })
  const smbd = startDaemon([], 'smbd', folder)
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

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo
      probe.close(() => resolve(port))
    })
  })
}
