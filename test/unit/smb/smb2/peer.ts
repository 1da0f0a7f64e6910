import { NbtrunError } from '../../../../src/base/errors.ts'
import { decode, encode } from '../../../../src/base/wire.ts'
import { type Sealer, sealerFor } from '../../../../src/smb/crypto/sealer.ts'
import type { Signer } from '../../../../src/smb/crypto/signer.ts'
import { type Call, Exchange } from '../../../../src/smb/smb2/exchange.ts'
import { COMMAND, type CommandName, FLAG, header, type Header } from '../../../../src/smb/smb2/header.ts'
import { isSealed } from '../../../../src/smb/smb2/transform.ts'
import { empty } from '../../../../src/smb/smb2/tree-connect.ts'
import type { Transport } from '../../../../src/smb/transport.ts'

export interface Sent extends Header {
  readonly message: Buffer
  /** Whether it came in a sealed frame. */
  readonly sealed: boolean
  /** How many frames came before its own. */
  readonly frame: number
}

const KEYS = { toServer: Buffer.alloc(16, 1), fromServer: Buffer.alloc(16, 2) }

/** A client's sealer, and the one of the server that answers it. */
export function sealers(keys = KEYS): { client: Sealer; server: Sealer } {
  return {
    client: sealerFor('AES-128-GCM', keys),
    server: sealerFor('AES-128-GCM', { toServer: keys.fromServer, fromServer: keys.toServer }),
  }
}

/** What an answer says where it differs from a plain success with one credit. */
export interface Answer extends Partial<Header> {
  readonly as?: CommandName
  readonly signer?: Signer
  /** The server's: seals the answer, as the session of the answer. */
  readonly sealer?: Sealer
  readonly body?: Buffer
}

/** A server of a few lines, and the transport to it: it notes what was sent and answers when told. */
export class Peer implements Transport {
  readonly kind = 'tcp'
  readonly port = 445
  readonly address = '192.0.2.1'
  backlog = 0
  readonly heardAt = 0
  readonly sent: Sent[] = []
  readonly exchange: Exchange
  #frames = 0
  /** The first error that ended the exchange for good. */
  fatal: NbtrunError | undefined
  /** As a transport whose own half has ended. */
  isClosed = false
  /** The server's, for the sealed requests. */
  sealer: Sealer | undefined

  constructor(timeoutMs = 1000) {
    this.exchange = new Exchange(this, timeoutMs, error => {
      this.fatal ??= error
      this.exchange.end(error)
    })
    this.exchange.largeMtu = true
  }

  send(parts: readonly Buffer[]): void {
    if (this.isClosed) throw new NbtrunError('CLOSED', 'the connection is closed')
    const frame = Buffer.concat(parts)
    const sealed = isSealed(frame)
    const before = this.#frames++
    for (let rest = sealed ? this.sealer!.open(frame) : frame; rest.length > 0; ) {
      const h = decode(header, rest)
      const message = h.next === 0 ? rest : rest.subarray(0, h.next)
      this.sent.push({ ...h, message, sealed, frame: before })
      rest = rest.subarray(message.length)
    }
  }
  start(): void {}
  keepAlive(): void {}
  async finish(): Promise<void> {}
  destroy(): void {}

  /** Requests without CANCELs. */
  get requests(): Sent[] {
    return this.sent.filter(({ command }) => command !== COMMAND.CANCEL)
  }
  get cancels(): Sent[] {
    return this.sent.filter(({ command }) => command === COMMAND.CANCEL)
  }

  echo(more: Partial<Call<null>> = {}): ReturnType<Exchange['request']> {
    return this.exchange.request({ command: 'ECHO', codec: empty, body: null, ...more })
  }

  answer(request: Header, answer: Answer = {}): void {
    this.exchange.receive(reply(request, answer))
  }

  /** Runs its credits up before a test begins. */
  async grant(credits: number): Promise<void> {
    const first = this.echo()
    this.answer(this.sent[0]!, { credits })
    await first
    this.sent.length = 0
  }
}

/** An answer's bytes. */
export function reply(request: Header, { as, signer, sealer, body = encode(empty, null), ...fields }: Answer = {}): Buffer {
  const flags = FLAG.SERVER_TO_REDIR | (signer === undefined ? 0 : FLAG.SIGNED)
  const plain: Header = { ...request, charge: request.charge, status: 0, credits: 1, flags, next: 0, asyncId: 0n }
  const message = Buffer.concat([encode(header, { ...plain, ...fields, ...(as === undefined ? {} : { command: COMMAND[as] }) }), body])
  signer?.sign(message)
  return sealer === undefined ? message : sealer.seal(fields.sessionId ?? request.sessionId, message)
}

/** Answers in one frame, each but the last padded to 8 bytes and signed with its padding, all of them in one seal if there is one. */
export function compound(answers: readonly (Answer & { readonly to: Header })[], sealer?: Sealer): Buffer {
  const parts = answers.map(({ to, signer, ...rest }, i) => {
    const message = reply(to, { flags: FLAG.SERVER_TO_REDIR | (signer === undefined ? 0 : FLAG.SIGNED), ...rest })
    if (i < answers.length - 1) {
      const padded = Buffer.concat([message, Buffer.alloc(-message.length & 7)])
      padded.writeUInt32LE(padded.length, 20)
      signer?.sign(padded)
      return padded
    }
    signer?.sign(message)
    return message
  })
  const frame = Buffer.concat(parts)
  return sealer === undefined ? frame : sealer.seal(answers[0]!.to.sessionId, frame)
}
