import { asError, NbtrunError } from '../base/errors.ts'
import { Resource } from '../base/resource.ts'
import { decode } from '../base/wire.ts'
import type { SecurityContext } from './auth/spnego.ts'
import type { Connection } from './connection.ts'
import { openChannel, type Channel } from './crypto/channel.ts'
import type { Sealer } from './crypto/sealer.ts'
import type { Signer } from './crypto/signer.ts'
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
  /** A session of the same user that the server shall end: one that is proven to be ours and dead. [MS-SMB2] 2.2.5. */
  readonly previousSessionId?: bigint
}

/** Rounds of SESSION_SETUP after which the server is not believed to come to an end. */
const MAX_ROUNDS = 4

/** How long a server may take to end a session that it granted and we refuse, ms. */
const REFUSAL_MS = 1000

/** These mean that what was to be ended is gone already. */
export const ALREADY_GONE: ReadonlySet<number> = new Set([
  STATUS.NETWORK_NAME_DELETED,
  STATUS.USER_SESSION_DELETED,
  STATUS.FILE_CLOSED,
  STATUS.NETWORK_SESSION_EXPIRED,
])

/** A session as the server granted it. Without a channel it is a guest's or nobody's and cannot be signed. */
interface Granted {
  readonly id: bigint
  readonly answer: SessionSetupResponse
  readonly channel: Channel | undefined
}

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

  private constructor(connection: Connection, who: string, { id, answer, channel }: Granted, encrypted: boolean) {
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
      const granted = await logIn(connection, context, options)
      try {
        context.finish(granted.answer.securityBuffer)
        requireGoodEnough(connection, granted, options)
        const demanded = (granted.answer.sessionFlags & SESSION_FLAG.ENCRYPT_DATA) !== 0
        return new Session(connection, options.who, granted, connection.terms.requireEncryption || demanded)
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

/** What a request of a session carries: sealed, signed, or, without keys, as it is. */
function protection(channel: Channel | undefined, encrypted: boolean): Pick<Call<unknown>, 'signer' | 'sealer'> {
  if (channel === undefined) return {}
  return { signer: channel.signer, ...(encrypted && channel.sealer !== undefined ? { sealer: channel.sealer } : {}) }
}

/** The rounds of SESSION_SETUP. [MS-SMB2] 3.2.4.2.3. */
async function logIn(connection: Connection, context: SecurityContext, options: SessionOptions): Promise<Granted> {
  const { who, allowUnsigned = false, logonHint, previousSessionId = 0n } = options
  const { host } = connection
  const preauth = connection.preauth.fork()
  // every answer must be signed or is refused, so the server shall sign all of them, this one too
  const securityMode = allowUnsigned ? SECURITY_MODE.SIGNING_ENABLED : SECURITY_MODE.SIGNING_REQUIRED
  let token = context.first(connection.negotiated.securityBuffer)
  let sessionId = 0n
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const reply = await connection.request({
      command: 'SESSION_SETUP',
      codec: sessionSetupRequest,
      body: { flags: 0, securityMode, capabilities: CAPABILITY.DFS, previousSessionId, securityBuffer: token },
      sessionId,
      onSent: message => preauth.update(message),
    })
    const { status } = reply.header
    if (status === STATUS.SUCCESS) return accept(connection, { sessionKey: context.sessionKey, preauth: preauth.value }, reply)
    if (status !== STATUS.MORE_PROCESSING_REQUIRED) throw logonRefused(status, who, connection, logonHint)
    sessionId = reply.header.sessionId
    preauth.update(reply.message)
    token = context.step(decode(sessionSetupResponse, reply.body).securityBuffer)
  }
  throw new NbtrunError('LOGON_FAILED', `logging in as ${who} on ${host}: the server asks for more without end`)
}

/** [MS-SMB2] 3.2.5.3.3. The last answer is not hashed, but signed with the key that follows from the hash: nothing in it counts before that. */
function accept({ host, agreed }: Connection, keys: { readonly sessionKey: Buffer; readonly preauth: Buffer }, reply: Reply): Granted {
  const id = reply.header.sessionId
  if ((reply.header.flags & FLAG.SIGNED) === 0) {
    const answer = decode(sessionSetupResponse, reply.body)
    if (keys.sessionKey.length > 0 && !isKeyless(answer)) throw badLogin(host, agreed.signing)
    return { id, answer, channel: undefined }
  }
  if (keys.sessionKey.length === 0) throw badLogin(host, agreed.signing)
  const channel = openChannel(agreed, keys)
  if (!channel.signer.verify(reply.message)) {
    channel.wipe()
    throw badLogin(host, agreed.signing)
  }
  return { id, answer: decode(sessionSetupResponse, reply.body), channel }
}

function isKeyless({ sessionFlags }: SessionSetupResponse): boolean {
  return (sessionFlags & (SESSION_FLAG.IS_GUEST | SESSION_FLAG.IS_NULL)) !== 0
}

/** Never less than was asked for: no guest, no session without a signature, none in the clear where it must be encrypted. */
function requireGoodEnough({ host, agreed, terms }: Connection, { answer, channel }: Granted, { who, allowUnsigned = false }: SessionOptions): void {
  if (isKeyless(answer) && !allowUnsigned) {
    throw new NbtrunError('GUEST_REFUSED', `${host} let ${who} in only as a guest, which cannot be signed`, {
      hint: 'check user and password; where it knows guests only, --guest takes it as it is',
    })
  }
  if (channel === undefined && terms.requireSigning) {
    throw new NbtrunError('SIGNING_REFUSED', `the session of ${who} on ${host} cannot be signed`, {
      hint: 'log in with --user, or leave out --signing required',
    })
  }
  if (channel?.sealer !== undefined) return
  if (terms.requireEncryption) {
    throw new NbtrunError('ENCRYPTION_REFUSED', `the session of ${who} on ${host} cannot be encrypted`, { hint: 'log in with --user, or leave out --encrypt' })
  }
  if ((answer.sessionFlags & SESSION_FLAG.ENCRYPT_DATA) !== 0) {
    throw new NbtrunError('ENCRYPTION_REQUIRED', `${host} encrypts every session, which this one cannot (SMB ${agreed.dialect})`)
  }
}

/** Ends a session that nobody will use: the server must not count it for longer. What becomes of that is no news to anybody. */
async function giveUp(connection: Connection, { id, channel, answer }: Granted): Promise<void> {
  const encrypted = connection.terms.requireEncryption || (answer.sessionFlags & SESSION_FLAG.ENCRYPT_DATA) !== 0
  if (channel?.sealer !== undefined) connection.sealers.set(id, channel.sealer)
  const call = { command: 'LOGOFF', codec: empty, body: null, sessionId: id, timeoutMs: REFUSAL_MS } as const
  await connection.request({ ...call, ...protection(channel, encrypted) }).catch(() => {})
  connection.sealers.delete(id)
  channel?.wipe()
}

function badLogin(host: string, signing: string): NbtrunError {
  return new NbtrunError('BAD_SIGNATURE', `the login on ${host} is not signed as it must be (${signing})`, {
    hint: 'somebody or something between here and the server changes what is sent',
  })
}

function logonRefused(status: number, who: string, { host, agreed }: Connection, hint: string | undefined): NbtrunError {
  const error = refused(status, `logging in as ${who} on ${host}`, 'session-setup')
  // [MS-SMB2] 3.3.5.5: so a server refuses who cannot encrypt where it encrypts everything
  if (error.code === 'ACCESS_DENIED' && agreed.cipher === undefined) {
    return new NbtrunError('ENCRYPTION_REQUIRED', `${error.message}: it may encrypt every session, which SMB ${agreed.dialect} here cannot`, {
      facts: error.facts,
    })
  }
  return hint === undefined || error.code !== 'LOGON_FAILED'
    ? error
    : new NbtrunError(error.code, error.message, { facts: error.facts, hint: `${error.hint}; ${hint}` })
}
