import { asError, NbtrunError } from '../base/errors.ts'
import { Resource } from '../base/resource.ts'
import { decode } from '../base/wire.ts'
import type { SecurityContext } from './auth/spnego.ts'
import type { Connection } from './connection.ts'
import { signingKey, type KeySource } from './crypto/keys.ts'
import { signerFor, type Signer } from './crypto/signer.ts'
import type { Call, Reply } from './smb2/exchange.ts'
import { FLAG } from './smb2/header.ts'
import { CAPABILITY, SECURITY_MODE } from './smb2/negotiate.ts'
import { SESSION_FLAG, sessionSetupRequest, sessionSetupResponse, type SessionSetupResponse } from './smb2/session-setup.ts'
import { empty } from './smb2/tree-connect.ts'
import { refused, STATUS, statusName } from './status.ts'

export interface SessionOptions {
  /** Whose session it is, as shown to people: `alice`, `DOM/alice`. */
  readonly who: string
  /** Guest or anonymous were asked for: the session may then be unsigned. */
  readonly allowUnsigned?: boolean
  /** Added to a refused login. */
  readonly logonHint?: string
}

/** Rounds of SESSION_SETUP after which the server is not believed to come to an end. */
const MAX_ROUNDS = 4

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
  readonly id: bigint
  /** Undefined in a guest or anonymous session. */
  readonly signer: Signer | undefined
  readonly guest: boolean
  readonly anonymous: boolean
  /** What the server answered to LOGOFF. */
  farewell: string | undefined

  private constructor(connection: Connection, who: string, id: bigint, signer: Signer | undefined, flags: number) {
    super(`session of ${who} on ${connection.host}`, connection)
    this.connection = connection
    this.id = id
    this.signer = signer
    this.guest = (flags & SESSION_FLAG.IS_GUEST) !== 0
    this.anonymous = (flags & SESSION_FLAG.IS_NULL) !== 0
  }

  /** Logs in. The context is wiped when this returns or throws. */
  static async setup(connection: Connection, context: SecurityContext, options: SessionOptions): Promise<Session> {
    const { who, allowUnsigned = false, logonHint } = options
    const preauth = connection.preauth.fork()
    try {
      let token = context.first(connection.negotiated.securityBuffer)
      let sessionId = 0n
      for (let round = 0; round < MAX_ROUNDS; round++) {
        const reply = await connection.request({
          command: 'SESSION_SETUP',
          codec: sessionSetupRequest,
          body: { flags: 0, securityMode: SECURITY_MODE.SIGNING_ENABLED, capabilities: CAPABILITY.DFS, previousSessionId: 0n, securityBuffer: token },
          sessionId,
          onSent: message => preauth.update(message),
        })
        const { status } = reply.header
        if (status !== STATUS.SUCCESS && status !== STATUS.MORE_PROCESSING_REQUIRED) throw logonRefused(status, who, connection.host, logonHint)
        if (status === STATUS.SUCCESS) {
          const keys = { sessionKey: context.sessionKey, preauth: preauth.value }
          const { id, signer, answer } = established(connection, keys, reply, who, allowUnsigned)
          context.finish(answer.securityBuffer)
          return new Session(connection, who, id, signer, answer.sessionFlags)
        }
        sessionId = reply.header.sessionId
        preauth.update(reply.message)
        token = context.step(decode(sessionSetupResponse, reply.body).securityBuffer)
      }
      throw new NbtrunError('LOGON_FAILED', `logging in as ${who} on ${connection.host}: the server asks for more without end`)
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
    return { ...call, sessionId: this.id, ...(this.signer === undefined ? {} : { signer: this.signer }) }
  }

  /** For children that say goodbye while the session is closing too. */
  farewellRequest<T>(call: Call<T>): Promise<Reply> {
    return this.#send(call)
  }

  protected override async goodbye(): Promise<void> {
    const reply = await this.#send({ command: 'LOGOFF', codec: empty, body: null })
    const { status } = reply.header
    const unsigned = this.signer !== undefined && (reply.header.flags & FLAG.SIGNED) === 0
    this.farewell = unsigned ? `${statusName(status)} (unsigned)` : statusName(status)
    if (status !== STATUS.SUCCESS && !ALREADY_GONE.has(status)) throw refused(status, `logging off from ${this.connection.host}`)
  }

  protected override drop(): void {
    this.signer?.wipe()
  }
}

/** [MS-SMB2] 3.2.5.3.3. The last answer is not hashed, but signed with the key that follows from the hash: nothing in it counts before that. */
function established(
  { host, signing }: Connection,
  keys: KeySource,
  reply: Reply,
  who: string,
  allowUnsigned: boolean,
): { id: bigint; signer: Signer | undefined; answer: SessionSetupResponse } {
  const id = reply.header.sessionId
  if ((reply.header.flags & FLAG.SIGNED) === 0) {
    const answer = decode(sessionSetupResponse, reply.body)
    const keyless = keys.sessionKey.length === 0 || (answer.sessionFlags & (SESSION_FLAG.IS_GUEST | SESSION_FLAG.IS_NULL)) !== 0
    if (!keyless) throw badLogin(host, signing)
    if (!allowUnsigned) throw guestRefused(who, host)
    return { id, signer: undefined, answer }
  }
  const signer = signerFor(signing, signingKey(keys))
  if (!signer.verify(reply.message)) throw badLogin(host, signing)
  const answer = decode(sessionSetupResponse, reply.body)
  if ((answer.sessionFlags & SESSION_FLAG.ENCRYPT_DATA) !== 0) {
    throw new NbtrunError('ENCRYPTION_REQUIRED', `${host} encrypts every session, which this version cannot`, {
      hint: 'ask its admin for a server that is content with signing',
    })
  }
  return { id, signer, answer }
}

function badLogin(host: string, signing: string): NbtrunError {
  return new NbtrunError('BAD_SIGNATURE', `the login on ${host} is not signed as it must be (${signing})`, {
    hint: 'somebody or something between here and the server changes what is sent',
  })
}

function logonRefused(status: number, who: string, host: string, hint: string | undefined): NbtrunError {
  const error = refused(status, `logging in as ${who} on ${host}`)
  return hint === undefined || error.code !== 'LOGON_FAILED'
    ? error
    : new NbtrunError(error.code, error.message, { facts: error.facts, hint: `${error.hint}; ${hint}` })
}

function guestRefused(who: string, host: string): NbtrunError {
  return new NbtrunError('GUEST_REFUSED', `${host} let ${who} in only as a guest, which cannot be signed`, {
    hint: 'check user and password; --guest takes it as it is',
  })
}
