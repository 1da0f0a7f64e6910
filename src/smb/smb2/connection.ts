import { randomBytes } from 'node:crypto'
import { asError, NbtrunError } from '../../base/errors.ts'
import { Resource } from '../../base/resource.ts'
import { decode } from '../../base/wire.ts'
import { PreauthHash } from '../crypto/preauth.ts'
import type { Sealer } from '../crypto/sealer.ts'
import { agree, type Agreed, dialectRefused, offer } from './negotiation.ts'
import { Exchange, type Call, type Reply } from './exchange.ts'
import { negotiateRequest, negotiateResponse, type NegotiateRequest, type NegotiateResponse, SECURITY_MODE } from './negotiate.ts'
import { refused, STATUS, statusName } from '../status.ts'
import { type Terms, termsOf } from '../terms.ts'
import { hungUp, type Transport } from '../transport.ts'
import type { Credentials } from '../auth/credentials.ts'
import { spnegoNtlm } from '../auth/spnego.ts'
import { askEcho } from './echo.ts'
import type * as server from '../resources.ts'
import type { ConnectionOptions, ServerId, SessionOptions } from '../resources.ts'
import { Session } from './session.ts'

/** A negotiated connection, SMB 2.0.2 to 3.1.1. [MS-SMB2] 3.2.4.2. It owns its transport: closing it ends with FIN, both ways. */
export class Connection extends Resource implements server.Connection {
  readonly host: string
  readonly transport: Transport
  readonly terms: Terms
  /** What NEGOTIATE said, and what the server answered. */
  readonly offered: NegotiateRequest
  readonly negotiated: NegotiateResponse
  /** What follows from both. */
  readonly agreed: Agreed
  /** Over NEGOTIATE and its answer; every session continues from here. Of use with 3.1.1 alone. */
  readonly preauth: PreauthHash
  readonly ioTimeoutMs: number
  /**
   * Whether the server must confirm, signed, what was negotiated. With 3.1.1 the login's hash has done so. A server that took the only dialect there
   * was from an SMB1 NEGOTIATE never saw the rest of our offer, and nothing better could be struck from it.
   */
  readonly mustConfirm: boolean
  /** Set by the first tree connect where that is so: settles when the server has. */
  confirmation: Promise<void> | undefined
  readonly #exchange: Exchange
  /** How the transport ended, where not by the server's orderly end. */
  #transportEnd: NbtrunError | undefined

  private constructor(
    transport: Transport,
    exchange: Exchange,
    { host, ioTimeoutMs }: ConnectionOptions,
    negotiation: Pick<Connection, 'terms' | 'offered' | 'negotiated' | 'agreed' | 'preauth' | 'mustConfirm'>,
  ) {
    super(`connection to ${host}`)
    this.transport = transport
    this.#exchange = exchange
    this.host = host
    this.ioTimeoutMs = ioTimeoutMs
    this.terms = negotiation.terms
    this.offered = negotiation.offered
    this.negotiated = negotiation.negotiated
    this.agreed = negotiation.agreed
    this.preauth = negotiation.preauth
    this.mustConfirm = negotiation.mustConfirm
    exchange.largeMtu = this.agreed.largeMtu
  }

  /**
   * Negotiates over a transport, which it takes over: also a failed negotiation ends it. `heard`: the server was asked in SMB1 and said this, or
   * undefined, that it wants to be asked in SMB2.
   */
  static async negotiate(transport: Transport, options: ConnectionOptions, heard?: { readonly answer: NegotiateResponse | undefined }): Promise<Connection> {
    const { host, ioTimeoutMs, clientGuid = randomBytes(16) } = options
    let connection: Connection | undefined
    const fatal = (error: NbtrunError): void => {
      exchange.end(error)
      if (connection === undefined) transport.destroy()
      else if (connection.isOpen) connection.abort(error, error.message)
    }
    const exchange = new Exchange(transport, ioTimeoutMs, fatal, heard === undefined ? 0 : 1) // MessageId 0 is used up by the SMB1 NEGOTIATE
    transport.start(
      frame => exchange.receive(frame),
      cause => {
        if (connection !== undefined) connection.#transportEnd = cause
        fatal(cause ?? hungUp(host))
      },
    )
    try {
      const terms = termsOf(options)
      const offered = offer(terms, host, clientGuid)
      const preauth = new PreauthHash()
      const negotiated = heard?.answer ?? (await askFor(exchange, host, terms, offered, preauth))
      const agreed = agree(host, terms, offered, negotiated)
      const mustConfirm = agreed.dialect !== '3.1.1' && !(heard?.answer !== undefined && offered.dialects.length === 1)
      connection = new Connection(transport, exchange, options, { terms, offered, negotiated, agreed, preauth, mustConfirm })
      return connection
    } catch (thrown) {
      exchange.end(thrown)
      await transport.finish(500)
      throw asError(thrown)
    }
  }

  get dialect(): Agreed['dialect'] {
    return this.agreed.dialect
  }
  get signing(): Agreed['signing'] {
    return this.agreed.signing
  }
  /** [MS-SMB2] 2.2.4: SecurityMode. Every server of SMB2 can sign, whatever it says. */
  get signs(): 'required' | 'enabled' {
    return (this.negotiated.securityMode & SECURITY_MODE.SIGNING_REQUIRED) !== 0 ? 'required' : 'enabled'
  }
  get cipher(): Agreed['cipher'] {
    return this.agreed.cipher
  }

  /** The most bytes that one READ or WRITE may carry now: the server's limit, what its credits pay for, and what fits a frame. */
  get maxRead(): number {
    return Math.min(this.negotiated.maxReadSize, this.#exchange.limitBytes, this.#maxFramed)
  }
  get maxWrite(): number {
    return Math.min(this.negotiated.maxWriteSize, this.#exchange.limitBytes, this.#maxFramed)
  }
  /** On port 139 a server that handed the connection over to the process of another one may forget that frames are short there. */
  get #maxFramed(): number {
    return this.transport.kind === 'nbt' ? MAX_OVER_NBT : Number.POSITIVE_INFINITY
  }
  get maxTransact(): number {
    return Math.min(this.negotiated.maxTransactSize, this.#exchange.limitBytes, MAX_TRANSACT)
  }

  /** By SessionId: who opens the sealed frames of a session. */
  get sealers(): Map<bigint, Sealer> {
    return this.#exchange.sealers
  }

  /** Answers that nobody waited for. */
  get unasked(): number {
    return this.#exchange.unasked
  }

  request<T>(call: Call<T>): Promise<Reply> {
    return this.#exchange.request(call)
  }

  /** Several requests in one frame: see Exchange. */
  requestAll(calls: readonly Call<unknown>[], options: { readonly related: boolean }): Promise<Reply>[] {
    return this.#exchange.requestAll(calls, options)
  }

  /** Whether a frame of that many small requests would go out at once. */
  affords(requests: number): boolean {
    return this.#exchange.affords(requests)
  }

  get serverTime(): bigint {
    return this.negotiated.systemTime
  }
  get serverId(): ServerId {
    return { guid: this.negotiated.serverGuid, started: this.negotiated.serverStartTime }
  }

  /** In the name of no session, [MS-SMB2] 3.3.5.17: it does not keep a server from closing an idle one. */
  async echo(timeoutMs: number, onSent?: () => void): Promise<void> {
    await askEcho(this, timeoutMs, onSent)
  }

  logIn(credentials: Credentials, options: SessionOptions): Promise<Session> {
    return Session.setup(this, spnegoNtlm(credentials, this.host), options)
  }

  protected override async goodbye(): Promise<void> {
    await this.transport.finish(FIN_MS)
    if (this.#transportEnd?.code === 'TIMED_OUT') throw this.#transportEnd
  }

  protected override drop(error: unknown): void {
    this.#exchange.end(error)
    this.transport.destroy()
  }
}

/** How long the server may take to answer our FIN with its own, ms. */
const FIN_MS = 1000
const MAX_TRANSACT = 64 * 1024
/** With all headers well below the 131,071 bytes of RFC 1002 section 4.3.1. */
const MAX_OVER_NBT = 64 * 1024

/** The SMB2 NEGOTIATE. */
async function askFor(exchange: Exchange, host: string, terms: Terms, offered: NegotiateRequest, preauth: PreauthHash): Promise<NegotiateResponse> {
  const reply = await exchange.request({ command: 'NEGOTIATE', codec: negotiateRequest, body: offered, onSent: message => preauth.update(message) })
  const { status } = reply.header
  if (NO_DIALECT.has(status)) throw dialectRefused(host, terms, `server said ${statusName(status)}`)
  if (status !== STATUS.SUCCESS) throw refused(status, `negotiating with ${host}`)
  preauth.update(reply.message)
  return decode(negotiateResponse, reply.body)
}

/** How a server says that it speaks none of these dialects. */
const NO_DIALECT: ReadonlySet<number> = new Set([STATUS.NOT_SUPPORTED, STATUS.INVALID_PARAMETER])
