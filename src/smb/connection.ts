import { randomBytes } from 'node:crypto'
import { asError, NbtrunError } from '../base/errors.ts'
import { Resource } from '../base/resource.ts'
import { decode, WireError } from '../base/wire.ts'
import { PreauthHash } from './crypto/preauth.ts'
import type { Sealer } from './crypto/sealer.ts'
import type { Signer, SigningAlgorithm } from './crypto/signer.ts'
import { empty } from './smb2/tree-connect.ts'
import { Exchange, type Call, type Reply } from './smb2/exchange.ts'
import {
  CAPABILITY,
  chosenSigning,
  clientContexts,
  DIALECT,
  negotiateRequest,
  negotiateResponse,
  SECURITY_MODE,
  type NegotiateResponse,
} from './smb2/negotiate.ts'
import { refused, STATUS } from './status.ts'
import type { Transport } from './transport.ts'

export interface ConnectionOptions {
  /** The server's name as the user wrote it. */
  readonly host: string
  /** How long one request may take, ms. */
  readonly ioTimeoutMs: number
  /** 16 bytes, random for each run. [MS-SMB2] 2.2.3: ClientGuid. */
  readonly clientGuid?: Buffer
  /** In the order of preference. */
  readonly signing?: readonly SigningAlgorithm[]
}

const SIGNING: readonly SigningAlgorithm[] = ['AES-GMAC', 'AES-CMAC', 'HMAC-SHA256']

/** A negotiated SMB 3.1.1 connection. [MS-SMB2] 3.2.4.2. It owns its transport: closing it ends with FIN, both ways. */
export class Connection extends Resource {
  readonly host: string
  readonly dialect = '3.1.1'
  readonly transport: Transport
  readonly negotiated: NegotiateResponse
  readonly signing: SigningAlgorithm
  /** Over NEGOTIATE and its answer; every session continues from here. */
  readonly preauth: PreauthHash
  readonly ioTimeoutMs: number
  readonly #exchange: Exchange
  /** How the transport ended, where not by the server's orderly end. */
  #transportEnd: NbtrunError | undefined

  private constructor(
    transport: Transport,
    exchange: Exchange,
    { host, ioTimeoutMs }: ConnectionOptions,
    negotiated: NegotiateResponse,
    signing: SigningAlgorithm,
    preauth: PreauthHash,
  ) {
    super(`connection to ${host}`)
    this.transport = transport
    this.#exchange = exchange
    this.host = host
    this.ioTimeoutMs = ioTimeoutMs
    this.negotiated = negotiated
    this.signing = signing
    this.preauth = preauth
  }

  /** Negotiates over a fresh transport, which it takes over: also a failed negotiation ends it. */
  static async negotiate(transport: Transport, options: ConnectionOptions): Promise<Connection> {
    const { host, ioTimeoutMs, clientGuid = randomBytes(16), signing = SIGNING } = options
    let connection: Connection | undefined
    const fatal = (error: NbtrunError): void => {
      exchange.end(error)
      if (connection === undefined) transport.destroy()
      else if (connection.isOpen) connection.abort(error, error.message)
    }
    const exchange = new Exchange(transport, ioTimeoutMs, fatal)
    transport.start(
      frame => exchange.receive(frame),
      cause => {
        if (connection !== undefined) connection.#transportEnd = cause
        fatal(cause ?? new NbtrunError('CONNECTION_LOST', `${host} closed the connection`, { facts: { errno: 'EIO' } }))
      },
    )
    try {
      const preauth = new PreauthHash()
      const reply = await exchange.request({
        command: 'NEGOTIATE',
        codec: negotiateRequest,
        body: {
          securityMode: SECURITY_MODE.SIGNING_ENABLED,
          capabilities: CAPABILITY.LARGE_MTU,
          clientGuid,
          dialects: [DIALECT['3.1.1']],
          contexts: clientContexts(randomBytes(32), signing, host),
        },
        onSent: message => preauth.update(message),
      })
      if (reply.header.status === STATUS.NOT_SUPPORTED || reply.header.status === STATUS.INVALID_PARAMETER) throw dialectRefused(host)
      if (reply.header.status !== STATUS.SUCCESS) throw refused(reply.header.status, `negotiating with ${host}`)
      preauth.update(reply.message)
      const negotiated = decode(negotiateResponse, reply.body)
      if (negotiated.dialect !== DIALECT['3.1.1']) throw dialectRefused(host)
      if (negotiated.maxReadSize === 0 || negotiated.maxWriteSize === 0 || negotiated.maxTransactSize === 0) {
        throw new WireError(`NEGOTIATE response: ${host} takes no bytes at a time`, 0)
      }
      exchange.largeMtu = (negotiated.capabilities & CAPABILITY.LARGE_MTU) !== 0
      connection = new Connection(transport, exchange, options, negotiated, chosenSigning(negotiated, signing), preauth)
      return connection
    } catch (thrown) {
      exchange.end(thrown)
      await transport.finish(500)
      throw asError(thrown)
    }
  }

  /** The most bytes that one READ or WRITE may carry now: the server's limit, and what its credits pay for. */
  get maxRead(): number {
    return Math.min(this.negotiated.maxReadSize, this.#exchange.limitBytes)
  }
  get maxWrite(): number {
    return Math.min(this.negotiated.maxWriteSize, this.#exchange.limitBytes)
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

  /** Asks whether the server is there. [MS-SMB2] 2.2.28. */
  async echo(timeoutMs: number, session?: { readonly id: bigint; readonly signer: Signer | undefined }): Promise<void> {
    const signed = session?.signer === undefined ? {} : { signer: session.signer }
    const reply = await this.request({ command: 'ECHO', codec: empty, body: null, timeoutMs, sessionId: session?.id ?? 0n, ...signed })
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

/** How long the server may take to answer our FIN with its own, ms. */
const FIN_MS = 1000
const MAX_TRANSACT = 64 * 1024

function dialectRefused(host: string): NbtrunError {
  return new NbtrunError('DIALECT_REFUSED', `${host} does not speak SMB 3.1.1`, { hint: 'it needs Windows 10, Server 2016, Samba 4.3 or newer' })
}
