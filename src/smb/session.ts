import { asError } from '../base/errors.ts'
import { Resource } from '../base/resource.ts'
import type { SecurityContext } from './auth/spnego.ts'
import type { Connection } from './connection.ts'
import type { Channel } from './crypto/channel.ts'
import type { Sealer } from './crypto/sealer.ts'
import type { Signer } from './crypto/signer.ts'
import { establish, giveUp, type Granted, protection, requireGoodEnough } from './login.ts'
import type { Call, Reply } from './smb2/exchange.ts'
import { FLAG } from './smb2/header.ts'
import { SESSION_FLAG } from './smb2/session-setup.ts'
import { empty } from './smb2/tree-connect.ts'
import { refused, STATUS, statusName } from './status.ts'

export interface SessionOptions {
  /** Whose session it is, as shown to people: `alice`, `DOM/alice`. */
  readonly who: string
  /** Guest or anonymous were asked for: the session may then be unsigned. */
  readonly allowUnsigned?: boolean
  /** Added to a refused login. */
  readonly logonHint?: string
  /** A session of the same user that the server shall end: one that is proven to be ours and dead. [MS-SMB2] 2.2.5. */
  readonly previousSessionId?: bigint
  /** Told the session's id when the server has named it; the login goes on once this resolves, and only then counts. */
  readonly taking?: (id: bigint) => Promise<void>
}

/** These mean that what was to be ended is gone already. */
export const ALREADY_GONE: ReadonlySet<number> = new Set([
  STATUS.NETWORK_NAME_DELETED,
  STATUS.USER_SESSION_DELETED,
  STATUS.FILE_CLOSED,
  STATUS.NETWORK_SESSION_EXPIRED,
])

/** A logged-in user on a connection. [MS-SMB2] 3.2.4.2.3. Closing it sends LOGOFF, signed, and checks the answer. */
export class Session extends Resource {
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
    return this.#send(call)
  }

  protected override async goodbye(): Promise<void> {
    const reply = await this.#send({ command: 'LOGOFF', codec: empty, body: null })
    const { status } = reply.header
    const unsigned = this.signer !== undefined && !this.encrypted && (reply.header.flags & FLAG.SIGNED) === 0
    this.farewell = unsigned ? `${statusName(status)} (unsigned)` : statusName(status)
    if (status !== STATUS.SUCCESS && !ALREADY_GONE.has(status)) throw refused(status, `logging off from ${this.connection.host}`)
  }

  protected override drop(): void {
    this.connection.sealers.delete(this.id)
    this.#channel?.wipe()
  }
}
