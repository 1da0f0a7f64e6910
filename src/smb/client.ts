import { randomBytes } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { hostname } from 'node:os'
import { Scope, type Step } from '../base/scope.ts'
import { unlessAborted } from '../nbt/dial.ts'
import { connectTree, logIn } from './acquire.ts'
import { Credentials } from './auth/credentials.ts'
import { Secret } from './auth/secret.ts'
import type { DirEntry, Files, OpenFile } from './files.ts'
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
  /** Ends the connecting. Once there is a client it means nothing any more. */
  readonly signal?: AbortSignal
}

export interface CallOptions {
  /** Ends this call, which rejects with the signal's reason at once. */
  readonly signal?: AbortSignal | undefined
}

/** Logs in on a server. Rejects with NbtrunError or the signal's reason; nothing is held then. */
export async function connect(host: string, options: ConnectOptions): Promise<Client> {
  const { user, password, domain = '', transport: mode = 'auto', port, connectTimeoutMs = 10_000, ioTimeoutMs = 20_000, signal, ...terms } = options
  signal?.throwIfAborted()
  const connecting = new AbortController()
  setMaxListeners(0, connecting.signal) // for as many calls at once as there may be
  const scope = new Scope(connecting.signal)
  const credentials = Credentials.fromPassword(
    { user, domain, workstation: (hostname().split('.', 1)[0] ?? '').toUpperCase() },
    Secret.fromText(password),
    terms.authLevel,
  )
  const transport = { host, mode, port, timeoutMs: connectTimeoutMs }
  const abort = (): void => connecting.abort(signal?.reason)
  signal?.addEventListener('abort', abort, { once: true })
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
    signal?.removeEventListener('abort', abort)
    credentials.wipe()
  }
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
    return new Share(await unless(signal, () => connectTree(this.#scope, this.#lifeline, share)))
  }

  /** The server's own account of who uses it, over IPC$; most of it is for its administrators. It ends with this client. */
  async service({ signal }: CallOptions = {}): Promise<ServerService> {
    return unless(signal, async () => ServerService.open(await connectTree(this.#scope, this.#lifeline, 'IPC$')))
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

  readFile(path: string, { signal }: CallOptions = {}): Promise<Buffer> {
    return unless(signal, async () =>
      withOpen(await this.files.open(smbPath(path), { read: true, directory: false }), async file => {
        const parts: Buffer[] = []
        for (let at = 0; ; ) {
          signal?.throwIfAborted() // nobody waits any more: what is open is closed
          const part = await file.read(at, CHUNK)
          if (part.length === 0) return Buffer.concat(parts)
          parts.push(part)
          at += part.length
        }
      }),
    )
  }

  writeFile(path: string, data: Uint8Array, { signal }: CallOptions = {}): Promise<void> {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.length)
    return unless(signal, async () =>
      withOpen(await this.files.open(smbPath(path), { write: true, directory: false, disposition: 'overwrite-or-create' }), async file => {
        for (let at = 0; at < bytes.length; at += CHUNK) {
          signal?.throwIfAborted()
          await file.write(at, bytes.subarray(at, at + CHUNK))
        }
      }),
    )
  }

  async *list(path = '', { signal }: CallOptions = {}): AsyncGenerator<DirEntry> {
    const opening = (): Promise<OpenFile> => this.files.open(smbPath(path), { read: true, directory: true })
    const folder = await unless(signal, opening, late => late.close())
    try {
      for (let first = true; ; first = false) {
        const batch = await unless(signal, () => folder.entries(first))
        if (batch.length === 0) return
        yield* batch
      }
    } finally {
      const closed = folder.close()
      if (signal?.aborted !== true) await closed
    }
  }
}

/** Rejects with the signal's reason as soon as it aborts; `late` is given what the work comes to after that. */
async function unless<T>(signal: AbortSignal | undefined, work: () => Promise<T>, late?: (value: T) => unknown): Promise<T> {
  signal?.throwIfAborted()
  if (signal === undefined) return work()
  const working = work()
  if (late !== undefined) working.then(value => (signal.aborted ? late(value) : undefined)).catch(() => {})
  return unlessAborted(signal, working)
}

/** What is read or written at a time: several requests under way at once. */
const CHUNK = 4 * 1024 * 1024

function smbPath(path: string): string {
  return path
    .split(/[/\\]/)
    .filter(part => part !== '' && part !== '.')
    .join('\\')
}
