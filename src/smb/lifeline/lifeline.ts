import { asError, type Code, NbtrunError } from '../../base/errors.ts'
import { now, pause, within } from '../../base/time.ts'
import { unlessAborted } from '../../nbt/dial.ts'
import { reach, type Reached } from '../reach.ts'
import type { Connection, Session, Tree } from '../resources.ts'
import { Keepalive } from './keepalive.ts'
import type { Gap } from './known.ts'
import type { Login } from './login.ts'

/** What a run wants to hear of its connection to one server. */
export interface Listener {
  /** It is gone while it was needed, and stays so, or was not to be had again within the time of a request. Told once for each loss. */
  lost(error: NbtrunError): void
  /** It was set up anew, which took so long from the loss being met, ms. */
  reconnected(ms: number): void
}

/** Moves what stands on the old trees over to the new ones, before anybody else uses them. Rejects only when the new connection is lost too. */
export type Revive = (tree: Tree, gap: Gap) => Promise<void>

/** Failures to connect that another try may mend. All others are final: above all a refused login, which is never tried twice. */
const MENDABLE: ReadonlySet<Code> = new Set([
  'CONNECT_FAILED',
  'CONNECTION_LOST',
  'CLOSED',
  'TIMED_OUT',
  'HOST_NOT_FOUND',
  'CALLED_NAME_REFUSED',
  'SHARE_FULL',
  'SHARE_NOT_FOUND',
  'OUT_OF_DESCRIPTORS',
])
const PAUSE_MS = { first: 100, most: 2000 }
/** The first try to connect may take so long, the next ones twice as long each: a packet lost in a dead network is repeated by the kernel ever more rarely. */
const FIRST_TRY_MS = 2000
/** A connection that lived longer begins with short pauses again. */
const STABLE_MS = 5000

/**
 * A server as a run holds it: one connection and one session, shared by all its trees, and set up anew when they were lost: at the next request, once for
 * all who wait, with the lost session's id, so that the server never has two. What is given back in the end is what is there then.
 */
export class Lifeline {
  readonly login: Login
  /** How often it was set up anew. */
  reconnects = 0
  /** How many requests wait for an answer. */
  busy = 0
  listener: Listener = { lost() {}, reconnected() {} }
  /** Nobody asks for files: the session itself is what is needed, so it is set up anew at once. */
  holds = false
  #reached: Reached | undefined
  #session: Session | undefined
  /** Sessions that a server may hold for us by their ids, or, while the login is under way, the connection. */
  readonly #taken = new Map<bigint, Session | Connection>()
  readonly #trees = new Map<string, Tree>()
  readonly #revivals = new Map<string, Revive>()
  #keepalive: Keepalive | undefined
  /** When and how the present connection was lost. */
  #lostAt = 0
  #loss: NbtrunError | undefined
  #madeAt = 0
  #pauseMs = PAUSE_MS.first
  #renewal: Promise<void> | undefined
  /** Until when somebody waits for the renewal. */
  #wantedUntil = 0
  /** Nobody could be reached for as long as a request may wait: the next ones do not wait for several tries. */
  #givenUp: { readonly error: NbtrunError; readonly at: number } | undefined
  #final: NbtrunError | undefined
  #toldLost = false
  readonly #stop = new AbortController()

  constructor(login: Login) {
    this.login = login
  }

  get host(): string {
    return this.login.host
  }
  get transport(): Reached['transport'] {
    return this.#needed(this.#reached).transport
  }
  get connection(): Connection {
    return this.#needed(this.#reached).connection
  }
  get session(): Session {
    return this.#needed(this.#session)
  }
  tree(share: string): Tree {
    return this.#needed(this.#trees.get(share))
  }

  /** The first connection; it is in no ledger until this returns. */
  async connect(signal: AbortSignal): Promise<void> {
    this.#reached = await reach({ ...this.login.transport, signal }, this.login)
  }

  async logIn(signal: AbortSignal): Promise<void> {
    const { book, resetClient } = this.login
    if (resetClient !== undefined) {
      requireSmb1(this.connection)
      resetClient()
    }
    try {
      this.#session = await this.#enter(this.connection, (await book?.orphans(this.connection)) ?? [], signal, resetClient !== undefined)
    } finally {
      book?.settled()
    }
    if (this.login.reconnect !== true) this.login.credentials.wipe()
    this.#settled()
  }

  async addTree(share: string): Promise<Tree> {
    const tree = await this.session.connect(share)
    this.#trees.set(share, tree)
    return tree
  }

  /** Called for a share whenever its tree is a new one. */
  onRevival(share: string, revive: Revive): void {
    this.#revivals.set(share, revive)
  }

  get isUp(): boolean {
    return this.#session?.isOpen === true
  }

  /**
   * Did a request on this tree fail for want of the connection? Then whether the server may have heard of it: `refused`, it told that session or
   * tree are no more, or `under way`. Undefined: the failure has nothing to do with it.
   */
  lossOf(tree: Tree, thrown: unknown): 'refused' | 'under way' | undefined {
    const { connection } = tree.session
    const error = asError(thrown)
    if (error.facts['status'] === undefined) return connection.isOpen ? undefined : 'under way'
    if (error.code !== 'CONNECTION_LOST') return undefined
    connection.abort(error, error.message)
    return 'refused'
  }

  /** Until there is a connection; sets it up anew where it is lost. Rejects, with errno EIO or ETIMEDOUT, when there is none before `dueAt`. */
  async ready(dueAt: number): Promise<void> {
    if (this.isUp) return
    if (this.#final !== undefined) throw this.#final
    if (this.#givenUp !== undefined && now() - this.#givenUp.at < PAUSE_MS.most) throw this.#givenUp.error
    this.#wantedUntil = Math.max(this.#wantedUntil, dueAt)
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = undefined
    })
    try {
      await within(Math.max(1, dueAt - now()), () => this.#needed(this.#renewal), `reaching ${this.host} again`)
    } catch (thrown) {
      this.#tellLost()
      throw thrown
    }
  }

  /** Nothing is set up any more; resolves once an attempt under way has given back what it had. Idempotent. */
  async seal(): Promise<void> {
    this.#final ??= new NbtrunError('CLOSED', `${this.host} is being given back`, { facts: { errno: 'EIO' } })
    this.#toldLost = true
    this.#stop.abort(this.#final)
    this.login.credentials.wipe()
    await this.#renewal?.catch(() => {})
  }

  #needed<T>(value: T | undefined): T {
    if (value === undefined) throw new NbtrunError('INTERNAL', `${this.host} is not connected`)
    return value
  }

  /** Logs in, and has the server end these sessions, where it still has them: one with each login, so that all but the last are given back at once. */
  async #enter(connection: Connection, previous: readonly bigint[], signal: AbortSignal, resetClient = false): Promise<Session> {
    for (const id of previous.slice(0, -1)) {
      const session = await this.#logIn(connection, id, signal)
      if ((await session.close()).how === 'clean') this.givenBack(session)
    }
    return this.#logIn(connection, previous.at(-1) ?? 0n, signal, resetClient)
  }

  /** The server ends the previous session of that id, where it still has it. */
  async #logIn(connection: Connection, previousSessionId: bigint, signal: AbortSignal, resetClient = false): Promise<Session> {
    const { book, ...login } = this.login
    const taking = async (id: bigint): Promise<void> => {
      this.#taken.set(id, connection)
      await book?.taking(connection, id)
    }
    const session = await unlessAborted(signal, connection.logIn(login.credentials, { ...login, previousSessionId, resetClient, taking }))
    this.#taken.set(session.id, session)
    if (previousSessionId !== 0n) this.#gone(previousSessionId)
    return session
  }

  /** It was closed, and the server agreed: so its sessions are no more. */
  givenBack(resource: Session | Connection | Tree): void {
    for (const [id, owner] of this.#taken) if (owner === resource || ('connection' in owner && owner.connection === resource)) this.#gone(id)
  }

  #gone(id: bigint): void {
    this.#taken.delete(id)
    this.login.book?.gone(id)
  }

  /** The present connection stands. */
  #settled(): void {
    const { connection } = this
    this.#madeAt = now()
    this.#toldLost = false
    this.#loss = undefined
    const { keepaliveMs = 0, ioTimeoutMs } = this.login
    if (keepaliveMs > 0) this.#keepalive = new Keepalive(connection, { idleMs: keepaliveMs, ioTimeoutMs, busy: () => this.busy > 0 })
    void connection.closed.then(({ how, error }) => this.#over(connection, how === 'lost' ? asError(error) : undefined))
  }

  #over(connection: Connection, error: NbtrunError | undefined): void {
    this.#keepalive?.stop()
    if (error === undefined || connection !== this.connection || this.#stop.signal.aborted) return
    this.#lostAt = Date.now()
    this.#loss = error
    if (this.login.reconnect !== true || !MENDABLE.has(error.code)) return this.#end(error)
    if (this.holds) void this.ready(now() + this.login.ioTimeoutMs).catch(() => {})
  }

  /** For good. */
  #end(error: NbtrunError): void {
    this.#final ??= failed(this.host, error)
    this.login.credentials.wipe()
    this.#tellLost(error)
  }

  /** A program's request failed because there was no connection in time. */
  inVain(): void {
    if (!this.isUp && this.#loss !== undefined) this.#tellLost()
  }

  /** One request met so many losses, and is given up. */
  futile(times: number, cause: unknown): NbtrunError {
    const { message } = asError(cause)
    const error = new NbtrunError('CONNECTION_LOST', `${message}, ${times} times under one request`, { cause, facts: { errno: 'EIO' } })
    this.#loss = error
    this.#tellLost()
    return error
  }

  /** Somebody needed the connection in vain; `then` is what became of setting it up anew. */
  #tellLost(then?: NbtrunError): void {
    if (this.#toldLost) return
    this.#toldLost = true
    const why = this.#loss ?? this.#needed(then)
    const more = then === undefined || then === why ? '' : `, then ${then.message}`
    this.listener.lost(new NbtrunError(why.code, why.message + more, { cause: then ?? why }))
  }

  async #renew(): Promise<void> {
    const { signal } = this.#stop
    const began = now()
    if (began - this.#madeAt > STABLE_MS) this.#pauseMs = PAUSE_MS.first
    else await this.#pause() // it was hardly there: not at once again
    for (let tryMs = FIRST_TRY_MS; ; tryMs *= 2) {
      try {
        signal.throwIfAborted()
        await this.#attempt(Math.min(tryMs, this.login.transport.timeoutMs), signal)
        this.#givenUp = undefined
        this.reconnects++
        return this.listener.reconnected(now() - began)
      } catch (thrown) {
        const error = asError(thrown)
        if (!signal.aborted && !MENDABLE.has(error.code)) this.#end(error)
        if (this.#final !== undefined) throw this.#final // sealed, or refused for good
        if (this.#givenUp !== undefined || now() + this.#pauseMs >= this.#wantedUntil) {
          this.#givenUp = { error: failed(this.host, error), at: now() }
          this.#tellLost(error)
          throw this.#givenUp.error
        }
      }
      await this.#pause()
    }
  }

  async #pause(): Promise<void> {
    await pause(this.#pauseMs, this.#stop.signal)
    this.#pauseMs = Math.min(2 * this.#pauseMs, PAUSE_MS.most)
  }

  /** A whole new connection, or none at all. */
  async #attempt(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const since = Date.now()
    // by the same port: that the other one answers first says nothing after a cut
    const { kind: mode, dialled: port } = this.transport
    const reached = await reach({ ...this.login.transport, mode, port, timeoutMs, signal }, this.login)
    const { connection } = reached
    const clock = { server: connection.serverTime, local: Date.now() }
    const stop = (): void => connection.abort(signal.reason, 'all is being given back')
    signal.addEventListener('abort', stop, { once: true })
    try {
      // more than one where a login was cut off, and may have been granted for all that; SMB1 cannot name them
      const before = [...this.#taken.keys()]
      const session = await this.#enter(connection, connection.dialect === 'NT1' ? [] : before, signal)
      if (connection.dialect === 'NT1') for (const id of before) if (id !== session.id) this.#gone(id)
      const trees: [string, Tree][] = []
      for (const share of this.#trees.keys()) trees.push([share, await session.connect(share)])
      const gap: Gap = { lostAt: this.#lostAt, since, clock }
      for (const [share, tree] of trees) await this.#revivals.get(share)?.(tree, gap)
      connection.requireOpen()
      this.#reached = reached
      this.#session = session
      for (const [share, tree] of trees) this.#trees.set(share, tree)
      this.#settled()
    } catch (thrown) {
      if ((await connection.close('it was of no use', 1000)).how === 'clean') this.givenBack(connection)
      throw thrown
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }
}

function requireSmb1({ dialect, host }: Connection): void {
  if (dialect === 'NT1') return
  throw new NbtrunError('DIALECT_REFUSED', `${host} speaks SMB ${dialect}, which knows no --reset-client`, {
    hint: 'leave it out: what a dead run of yours left there ends with the next login; or say --max-dialect NT1',
    facts: { dialect },
  })
}

/** What a program's request fails of. */
function failed(host: string, cause: NbtrunError): NbtrunError {
  const { code, message, hint } = cause
  return new NbtrunError(code, `${host} is lost: ${message}`, { cause, facts: { errno: 'EIO' }, ...(hint === undefined ? {} : { hint }) })
}
