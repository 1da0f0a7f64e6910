import { asError } from '../../base/errors.ts'
import { Resource } from '../../base/resource.ts'
import type { SecurityContext } from '../auth/spnego.ts'
import type { Connection } from './connection.ts'
import type { Channel } from '../crypto/channel.ts'
import type { Sealer } from '../crypto/sealer.ts'
import type { Signer } from '../crypto/signer.ts'
import { establish, giveUp, type Granted, protection, requireGoodEnough } from './login.ts'
import type { Call, Reply } from './exchange.ts'
import { FLAG } from './header.ts'
import { SESSION_FLAG } from './session-setup.ts'
import { empty } from './tree-connect.ts'
import type * as server from '../resources.ts'
import type { SessionOptions } from '../resources.ts'
import { ALREADY_GONE, refused, STATUS, statusName } from '../status.ts'
import { askEcho } from './echo.ts'
import { Tree } from './tree.ts'
import { sessionProof } from './proof.ts'
import type { SigningAlgorithm } from '../crypto/signer.ts'

/** A logged-in user on a connection. [MS-SMB2] 3.2.4.2.3. Closing it sends LOGOFF, signed, and checks the answer. */
export class Session extends Resource implements server.Session {
  readonly connection: Connection
  /** As shown to people: `alice`, `DOM/alice`. */
  readonly who: string
  /** SessionId, the server's name for it: what a later session names as its `previousSessionId`. */
  readonly id: bigint
  readonly guest: boolean
  readonly anonymous: boolean
  /** Whether everything in it is encrypted: we asked for that, or the server did. Single shares may be where it is not. */
  readonly encrypted: boolean
  /** What the server answered to LOGOFF. */
  farewell: string | undefined
  /** Whether the server said that it has ended it. */
  isLoggedOff = false
  readonly #channel: Channel | undefined

  private constructor(connection: Connection, who: string, { id, answer, channel, encrypted }: Granted) {
    super(`session of ${who} on ${connection.host}`, connection)
    this.connection = connection
    this.who = who
    this.id = id
    this.#channel = channel
    this.guest = (answer.sessionFlags & SESSION_FLAG.IS_GUEST) !== 0
    this.anonymous = (answer.sessionFlags & SESSION_FLAG.IS_NULL) !== 0
    this.encrypted = encrypted
    if (this.sealer !== undefined) connection.sealers.set(id, this.sealer)
  }

  /** Undefined in a guest or anonymous session. */
  get signer(): Signer | undefined {
    return this.#channel?.signer
  }
  get signing(): SigningAlgorithm | undefined {
    return this.signer?.algorithm
  }
  /** Undefined where nothing can be encrypted. */
  get sealer(): Sealer | undefined {
    return this.#channel?.sealer
  }

  /** Logs in, once. The context is wiped when this returns or throws; a session that is granted but not good enough is logged off. */
  static async setup(connection: Connection, context: SecurityContext, options: SessionOptions): Promise<Session> {
    try {
      const granted = await establish(connection, context, options)
      try {
        requireGoodEnough(connection, granted, options)
        if (granted.channel !== undefined) context.finish(granted.answer.securityBuffer)
        return new Session(connection, options.who, granted)
      } catch (thrown) {
        await giveUp(connection, granted)
        throw thrown
      }
    } catch (thrown) {
      throw asError(thrown)
    } finally {
      context.wipe()
    }
  }

  connect(share: string): Promise<Tree> {
    return Tree.connect(this, share)
  }

  echo(timeoutMs: number): Promise<void> {
    return askEcho(this, timeoutMs)
  }

  proof(): server.SessionProof | undefined {
    return sessionProof(this.connection, this)
  }

  request<T>(call: Call<T>): Promise<Reply> {
    this.requireOpen()
    return this.#send(call)
  }

  /** Several requests in one frame: see Exchange. */
  requestAll(calls: readonly Call<unknown>[], options: { readonly related: boolean }): Promise<Reply>[] {
    this.requireOpen()
    return this.connection.requestAll(
      calls.map(call => this.#own(call)),
      options,
    )
  }

  #send<T>(call: Call<T>): Promise<Reply> {
    return this.connection.request(this.#own(call))
  }

  #own<T>(call: Call<T>): Call<T> {
    return { ...call, sessionId: this.id, ...protection(this.#channel, this.encrypted) }
  }

  /** For children that say goodbye while the session is closing too. */
  farewellRequest<T>(call: Call<T>): Promise<Reply> {
    return this.#send(this.isOpen ? call : { ...call, parting: true })
  }

  protected override async goodbye(): Promise<void> {
    const reply = await this.farewellRequest({ command: 'LOGOFF', codec: empty, body: null })
    const { status } = reply.header
    const unsigned = this.signer !== undefined && !this.encrypted && (reply.header.flags & FLAG.SIGNED) === 0
    this.farewell = unsigned ? `${statusName(status)} (unsigned)` : statusName(status)
    if (status !== STATUS.SUCCESS && !ALREADY_GONE.has(status)) throw refused(status, `logging off from ${this.connection.host}`)
    this.isLoggedOff = true
  }

  protected override drop(): void {
    this.connection.sealers.delete(this.id)
    this.#channel?.wipe()
  }
}
