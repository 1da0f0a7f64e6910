import { NbtrunError } from '../../base/errors.ts'
import { Resource } from '../../base/resource.ts'
import { decode } from '../../base/wire.ts'
import type { Credentials } from '../auth/credentials.ts'
import type * as server from '../resources.ts'
import type { ConnectionOptions, SessionOptions } from '../resources.ts'
import { refused, STATUS } from '../status.ts'
import { type Terms, termsOf } from '../terms.ts'
import { hungUp, type Transport } from '../transport.ts'
import { type Call, Exchange, type Reply } from './exchange.ts'
import { FLAG2, HEADER_SIZE } from './header.ts'
import { CAPABILITY, negotiated as response, type Negotiated, SECURITY } from './negotiated.ts'
import { Session } from './session.ts'
import { echo } from './simple.ts'

/** The longest message that we take, but for what we read: the largest that the field holds. [MS-CIFS] 2.2.4.53.1: MaxBufferSize. */
const MAX_BUFFER = 0xffff
/** How many requests we would have under way at once. */
const MAX_MPX = 50
/** What Windows reads and writes at once with CAP_LARGE_READX and CAP_LARGE_WRITEX. [MS-SMB] 3.2.4.4.1. */
const LARGE = 60 * 1024
/** More than any request or answer has around its data. */
const AROUND_DATA = 80
/** The room for parameters, names and headers in the answer to a transaction of one message. */
const MAX_TRANSACT = MAX_BUFFER - 1024
const FIN_MS = 1000

/** A connection that speaks NT LM 0.12. [MS-CIFS] 3.2.4.2. It owns its transport: closing it ends with FIN, both ways. */
export class Connection extends Resource implements server.Connection {
  readonly host: string
  readonly transport: Transport
  readonly dialect = 'NT1'
  readonly cipher = undefined
  readonly ioTimeoutMs: number
  readonly terms: Terms
  readonly negotiated: Negotiated
  readonly #exchange: Exchange
  /** How the transport ended, where not by the server's orderly end. */
  #transportEnd: NbtrunError | undefined

  private constructor(transport: Transport, { host, ioTimeoutMs }: ConnectionOptions, terms: Terms, negotiated: Negotiated) {
    super(`connection to ${host}`)
    this.host = host
    this.transport = transport
    this.ioTimeoutMs = ioTimeoutMs
    this.terms = terms
    this.negotiated = negotiated
    const flags2 = FLAG2.LONG_NAMES | FLAG2.NT_STATUS | (this.unicode ? FLAG2.UNICODE : 0) | (negotiated.challenge.length === 0 ? FLAG2.EXTENDED_SECURITY : 0)
    const limits = { maxMpx: this.#maxMpx, maxBufferSize: negotiated.maxBufferSize, flags2 }
    const fatal = (error: NbtrunError): void => {
      this.#exchange.end(error)
      if (this.isOpen) this.abort(error, error.message)
    }
    this.#exchange = new Exchange(transport, limits, ioTimeoutMs, fatal)
    transport.start(
      message => this.#exchange.receive(message),
      cause => {
        this.#transportEnd = cause
        fatal(cause ?? hungUp(host))
      },
    )
  }

  /** Takes over a transport on which the server has answered to NEGOTIATE with NT LM 0.12. Throws what is not good enough; the transport is its owner's then. */
  static accept(transport: Transport, options: ConnectionOptions, message: Buffer): Connection {
    const terms = termsOf(options)
    const negotiated = decode(response, Buffer.from(message.subarray(HEADER_SIZE)))
    requireUsable(options.host, terms, negotiated)
    return new Connection(transport, options, terms, negotiated)
  }

  get signs(): 'required' | 'enabled' | 'no' {
    const { securityMode } = this.negotiated
    return (securityMode & SECURITY.SIGNING_REQUIRED) !== 0 ? 'required' : (securityMode & SECURITY.SIGNING_ENABLED) !== 0 ? 'enabled' : 'no'
  }
  get serverTime(): bigint {
    return this.negotiated.systemTime
  }
  get unasked(): number {
    return this.#exchange.unasked
  }

  has(capability: keyof typeof CAPABILITY): boolean {
    return (this.negotiated.capabilities & CAPABILITY[capability]) !== 0
  }
  /** Names are in Unicode; else in bytes of a code page. */
  get unicode(): boolean {
    return this.has('UNICODE')
  }
  /** Offsets of 64 bits. */
  get wide(): boolean {
    return this.has('LARGE_FILES')
  }

  get maxRead(): number {
    return this.has('LARGE_READX') ? LARGE : Math.min(LARGE, this.negotiated.maxBufferSize - AROUND_DATA)
  }
  /** Windows takes no large writes where messages are signed; what has Unix extensions does. */
  get maxWrite(): number {
    const large = this.has('LARGE_WRITEX') && (!this.#exchange.isSigned || this.has('UNIX'))
    return large ? LARGE : Math.min(LARGE, this.negotiated.maxBufferSize - AROUND_DATA)
  }
  /** The most that a transaction may bring. */
  get maxTransact(): number {
    return MAX_TRANSACT
  }
  /** The most that may be written to a pipe and answered in one transaction. */
  get maxTransceive(): number {
    return this.negotiated.maxBufferSize - AROUND_DATA - 16
  }
  /** Our process, as locks name it. */
  get pid(): number {
    return this.#exchange.pid
  }
  /** Whether one more request may wait at the server for others. */
  get hasPatience(): boolean {
    return this.#exchange.hasPatience
  }

  /** What SESSION_SETUP_ANDX says of us. */
  get introduction(): { maxBufferSize: number; maxMpxCount: number; sessionKey: number; capabilities: number; unicode: boolean } {
    const { sessionKey, capabilities } = this.negotiated
    return { maxBufferSize: MAX_BUFFER, maxMpxCount: this.#maxMpx, sessionKey, capabilities: (capabilities & OURS) >>> 0, unicode: this.unicode }
  }

  get #maxMpx(): number {
    return Math.max(1, Math.min(MAX_MPX, this.negotiated.maxMpxCount))
  }

  logIn(credentials: Credentials, options: SessionOptions): Promise<Session> {
    return Session.setup(this, credentials, options)
  }

  /** Signs everything from now on, with the first session's key. */
  signWith(...signer: Parameters<Exchange['sign']>): void {
    this.#exchange.sign(...signer)
  }

  request<T>(call: Call<T>): Promise<Reply> {
    return this.#exchange.request(call)
  }

  /** [MS-CIFS] 3.2.4.2.8. It names no session. */
  async echo(timeoutMs: number, onSent?: () => void): Promise<void> {
    const reply = await this.request({ command: 'ECHO', codec: echo, body: null, timeoutMs, ...(onSent === undefined ? {} : { onSent }) })
    if (reply.header.status !== STATUS.SUCCESS) throw refused(reply.header.status, `asking whether ${this.host} is there`)
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

/** What of a server's capabilities we use. */
const OURS =
  CAPABILITY.UNICODE |
  CAPABILITY.LARGE_FILES |
  CAPABILITY.NT_SMBS |
  CAPABILITY.STATUS32 |
  CAPABILITY.NT_FIND |
  CAPABILITY.LARGE_READX |
  CAPABILITY.LARGE_WRITEX |
  CAPABILITY.EXTENDED_SECURITY

/** Below it nothing can be done. [MS-CIFS] 2.2.4.52.2 has 1024. */
const LEAST_BUFFER = 1024

/** Servers from before NT, and what was asked for and SMB1 has not. */
function requireUsable(host: string, { requireEncryption }: Terms, { capabilities, securityMode, maxBufferSize, challenge }: Negotiated): void {
  const old = (what: string): NbtrunError =>
    new NbtrunError('DIALECT_REFUSED', `${host} speaks SMB1 as before Windows NT 4.0: ${what}`, {
      hint: 'nbtrun cannot use Windows 95, 98 and Me or their like as servers',
    })
  if ((securityMode & SECURITY.USER) === 0) throw old('its passwords belong to shares, not to users')
  if ((securityMode & SECURITY.CHALLENGE) === 0) throw old('it wants passwords in the clear')
  if ((capabilities & CAPABILITY.NT_SMBS) === 0) throw old("it has not NT's requests (CAP_NT_SMBS)")
  if ((capabilities & CAPABILITY.STATUS32) === 0) throw old("it has not NT's error codes (CAP_STATUS32)")
  const extended = (capabilities & CAPABILITY.EXTENDED_SECURITY) !== 0
  if (!extended && challenge.length !== 8) throw new NbtrunError('WIRE', `SMB1 NEGOTIATE response: a challenge of ${challenge.length} bytes`)
  if (maxBufferSize < LEAST_BUFFER) throw new NbtrunError('WIRE', `SMB1 NEGOTIATE response: ${host} takes ${maxBufferSize} bytes at a time`)
  if (requireEncryption) throw new NbtrunError('ENCRYPTION_REFUSED', `${host} cannot encrypt with SMB NT1`, { facts: { dialect: 'NT1' } })
}
