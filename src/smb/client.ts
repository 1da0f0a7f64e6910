import { randomBytes } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { hostname } from 'node:os'
import { Scope, type Step } from '../base/scope.ts'
import { connectTree, logIn } from './acquire.ts'
import { Credentials } from './auth/credentials.ts'
import { Secret } from './auth/secret.ts'
import type { DirEntry, Files } from './files.ts'
import type { Lifeline } from './lifeline/lifeline.ts'
import { ServerService } from './rpc/srvsvc/service.ts'
import type { Session } from './resources.ts'
import type { Terms } from './terms.ts'
import { withOpen } from './with-open.ts'

export interface ConnectOptions extends Partial<Terms> {
  /** `alice`; a domain goes into `domain`. */
  readonly user: string
  readonly password: string
  readonly domain?: string
  /** Default `auto`: port 445, then 139. */
  readonly transport?: 'auto' | 'nbt' | 'tcp'
  readonly port?: number
  /** For finding and reaching the server, ms. Default 10,000. */
  readonly connectTimeoutMs?: number
  /** For each answer, ms. Default 20,000. */
  readonly ioTimeoutMs?: number
  readonly signal?: AbortSignal
}

export interface CallOptions {
  readonly signal?: AbortSignal
}

/** Logs in on a server. Throws NbtrunError; after a failure nothing is held. */
export async function connect(host: string, options: ConnectOptions): Promise<Client> {
  const { user, password, domain = '', transport: mode = 'auto', port, connectTimeoutMs = 10_000, ioTimeoutMs = 20_000, signal, ...terms } = options
  const scope = new Scope(signal ?? neverAborted())
  const credentials = Credentials.fromPassword(
    { user, domain, workstation: (hostname().split('.', 1)[0] ?? '').toUpperCase() },
    Secret.fromText(password),
    terms.authLevel,
  )
  const transport = { host, mode, port, timeoutMs: connectTimeoutMs }
  try {
    const lifeline = await logIn(scope, {
      ...terms,
      host,
      transport,
      ioTimeoutMs,
      clientGuid: randomBytes(16),
      credentials,
      who: user,
      allowUnsigned: false,
    })
    return new Client(scope, lifeline)
  } catch (thrown) {
    await scope.unwind()
    throw thrown
  } finally {
    credentials.wipe()
  }
}

/** For as many calls at once as there may be. */
function neverAborted(): AbortSignal {
  const { signal } = new AbortController()
  setMaxListeners(0, signal)
  return signal
}

/** A session on a server, with what is held through it. */
export class Client implements AsyncDisposable {
  readonly session: Session
  readonly #scope: Scope
  readonly #lifeline: Lifeline

  constructor(scope: Scope, lifeline: Lifeline) {
    this.#scope = scope
    this.#lifeline = lifeline
    this.session = lifeline.session
  }

  /** Connects to a share, `app` or `IPC$`. */
  async tree(share: string, { signal }: CallOptions = {}): Promise<Share> {
    signal?.throwIfAborted()
    return new Share(await connectTree(this.#scope, this.#lifeline, share))
  }

  /** The server's own account of who uses it, over IPC$; most of it is for its administrators. It ends with this client. */
  async service({ signal }: CallOptions = {}): Promise<ServerService> {
    signal?.throwIfAborted()
    return ServerService.open(await connectTree(this.#scope, this.#lifeline, 'IPC$'))
  }

  /** TREE_DISCONNECT, LOGOFF, FIN; resolves to all steps, those of the teardown last, and never rejects. */
  close(): Promise<readonly Step[]> {
    return this.#scope.unwind()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** A connected share, by whole files; `files` has everything else. Paths may use either slash. */
export class Share {
  readonly files: Files

  constructor(files: Files) {
    this.files = files
  }

  async readFile(path: string, { signal }: CallOptions = {}): Promise<Buffer> {
    return withOpen(await this.files.open(smbPath(path), { read: true, directory: false }), async file => {
      const parts: Buffer[] = []
      for (let at = 0; ; ) {
        signal?.throwIfAborted()
        const part = await file.read(at, CHUNK)
        if (part.length === 0) return Buffer.concat(parts)
        parts.push(part)
        at += part.length
      }
    })
  }

  async writeFile(path: string, data: Uint8Array, { signal }: CallOptions = {}): Promise<void> {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.length)
    await withOpen(await this.files.open(smbPath(path), { write: true, directory: false, disposition: 'overwrite-or-create' }), async file => {
      for (let at = 0; at < bytes.length; at += CHUNK) {
        signal?.throwIfAborted()
        await file.write(at, bytes.subarray(at, at + CHUNK))
      }
    })
  }

  async *list(path = '', { signal }: CallOptions = {}): AsyncGenerator<DirEntry> {
    const folder = await this.files.open(smbPath(path), { read: true, directory: true })
    try {
      for (let batch = await folder.entries(true); batch.length > 0; batch = await folder.entries(false)) {
        signal?.throwIfAborted()
        yield* batch
      }
    } finally {
      await folder.close()
    }
  }
}

/** What is read or written at a time: several requests under way at once. */
const CHUNK = 4 * 1024 * 1024

function smbPath(path: string): string {
  return path
    .split(/[/\\]/)
    .filter(part => part !== '' && part !== '.')
    .join('\\')
}
