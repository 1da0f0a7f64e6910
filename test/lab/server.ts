import { readFileSync } from 'node:fs'
import { pause } from '../../src/base/time.ts'
import { enter, type Host } from './host.ts'
import { confOf, sambaTool, shareFolder } from './samba.ts'

/** A session as smbstatus tells it. */
export interface ServerSession {
  readonly id: string
  readonly user: string
  /** Address of the client. */
  readonly address: string
  /** `SMB3_11`, `NT1` … */
  readonly dialect: string
  readonly encryption: string
  readonly signing: string
}

export interface ServerTree {
  readonly id: string
  readonly session: string
  readonly share: string
  readonly address: string
}

/** On a busy machine a process may be late by seconds, and so may be what Samba writes down of it. */
const PATIENCE_MS = 30_000

interface Status {
  readonly sessions: Record<string, RawSession>
  readonly tcons: Record<string, RawTree>
}
interface RawSession {
  readonly session_id: string
  readonly username: string
  /** `ipv4:198.18.1.101:40796` */
  readonly hostname: string
  readonly session_dialect: string
  readonly encryption: { readonly cipher: string }
  readonly signing: { readonly cipher: string }
}
interface RawTree {
  readonly tcon_id: string
  readonly session_id: string
  readonly service: string
  readonly machine: string
}

/** A server of the lab, and its own account of who uses it. */
export class Server {
  readonly host: Host
  readonly #words: readonly string[]
  readonly #conf: string

  /** `words` lead Samba's tools to where the server is. */
  constructor(host: Host, words: readonly string[] = enter(host)) {
    this.host = host
    this.#words = words
    this.#conf = confOf(host.folder)
  }

  get name(): string {
    return this.host.name
  }

  get address(): string {
    return this.host.address
  }

  /** Where the server keeps that share. */
  diskPath(share: string): string {
    return shareFolder(this.host.folder, share)
  }

  async sessions(): Promise<ServerSession[]> {
    const { sessions } = await this.#status()
    return Object.values(sessions).map(raw => ({
      id: raw.session_id,
      user: raw.username,
      address: raw.hostname.split(':')[1] ?? '',
      dialect: raw.session_dialect,
      encryption: raw.encryption.cipher,
      signing: raw.signing.cipher,
    }))
  }

  async treeConnects(): Promise<ServerTree[]> {
    const { tcons } = await this.#status()
    return Object.values(tcons).map(raw => ({ id: raw.tcon_id, session: raw.session_id, share: raw.service, address: raw.machine }))
  }

  /** Asks until the server counts exactly `n` sessions; throws after `ms`. Returns how long it took, to about 60 ms. */
  async untilSessions(n: number, ms = PATIENCE_MS): Promise<number> {
    return until(ms, async () => (await this.sessions()).length, n, `sessions on ${this.name}`)
  }

  /** The same of tree connects: a session that is counted may have none yet. */
  async untilTrees(n: number, ms = PATIENCE_MS): Promise<number> {
    return until(ms, async () => (await this.treeConnects()).length, n, `tree connects on ${this.name}`)
  }

  /** The smbd processes that serve a client now: connections rather than sessions, but known to the millisecond. */
  workers(): number[] {
    const smbd = this.host.daemons?.smbd.pid
    if (smbd === undefined) return []
    const children = readFileSync(`/proc/${smbd}/task/${smbd}/children`, 'latin1').trim().split(' ')
    return children.filter(pid => pid !== '' && hasClient(pid)).map(Number)
  }

  /** Looks every millisecond until exactly `n` workers are left; throws after `ms`. Returns how long it took. */
  async untilWorkers(n: number, ms = PATIENCE_MS): Promise<number> {
    return until(ms, () => this.workers().length, n, `smbd workers on ${this.name}`)
  }

  /** Runs a Samba tool on the server with the server's configuration. */
  tool(name: string, ...args: readonly string[]): Promise<string> {
    return sambaTool(this.#words, [name, '-s', this.#conf, ...args])
  }

  async #status(): Promise<Status> {
    return JSON.parse(await this.tool('smbstatus', '--json')) as Status
  }
}

/** smbd's other children have names of their own: `smbd-notifyd`, `cleanupd`. */
function hasClient(pid: string): boolean {
  try {
    return /^smbd(\[|$)/m.test(readFileSync(`/proc/${pid}/comm`, 'latin1'))
  } catch {
    return false
  }
}

async function until(ms: number, count: () => number | Promise<number>, want: number, what: string): Promise<number> {
  const began = performance.now()
  for (;;) {
    const got = await count()
    const took = performance.now() - began
    if (got === want) return took
    if (took > ms) throw new Error(`${got} ${what} after ${ms} ms, not ${want}`)
    await pause(1)
  }
}
