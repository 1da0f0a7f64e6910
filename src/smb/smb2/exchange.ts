import { NbtrunError } from '../../base/errors.ts'
import { now, spell } from '../../base/time.ts'
import { WireError, Writer, type Codec } from '../../base/wire.ts'
import type { Sealer } from '../crypto/sealer.ts'
import type { Signer } from '../crypto/signer.ts'
import { STATUS } from '../status.ts'
import type { Transport } from '../transport.ts'
import { requireAuthentic } from './authentic.ts'
import { Credits } from './credits.ts'
import { COMMAND, commandName, FLAG, header, HEADER_SIZE, UNSOLICITED, type CommandName, type Header } from './header.ts'
import { messagesIn, type Received } from './inbound.ts'

export interface Call<T> {
  readonly command: CommandName
  readonly codec: Codec<T>
  readonly body: T
  readonly sessionId?: bigint
  readonly treeId?: number
  /** Signs the request; the answer must then be signed too. */
  readonly signer?: Signer
  /** Encrypts the request, which is then not signed; the answer must come encrypted with the same session's key. */
  readonly sealer?: Sealer
  /** The larger of what is sent and what may come back, in bytes; it decides the credits. */
  readonly payload?: number
  /** For ever: `Infinity`. Default: the exchange's limit. */
  readonly timeoutMs?: number
  /** Aborting sends CANCEL; the request then ends as the server says. */
  readonly cancel?: AbortSignal
  /** Sees the bytes that were sent, for the preauth hash. */
  readonly onSent?: (message: Buffer) => void
  /** Gets the final answer that came after the deadline: what it granted must be given back. */
  readonly onLate?: (reply: Reply) => void
}

export interface Reply {
  readonly header: Header
  /** Behind the header, as a view. */
  readonly body: Buffer
  /** The whole message. */
  readonly message: Buffer
}

interface Pending {
  readonly call: Call<unknown>
  readonly charge: number
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: unknown) => void
  dueAt: number
  asyncId: bigint
  onCancel: (() => void) | undefined
}

interface Waiting {
  readonly pending: Pending
  readonly start: () => void
}

const SWEEP_MS = 250

/**
 * Requests and their answers over one transport: message ids, credits, signatures, deadlines. One writer; the reader only sorts answers to
 * requests. A broken or unsigned answer is fatal to the whole exchange (`onFatal`), because nothing after it can be trusted.
 */
export class Exchange {
  /** Answers that nobody waits for: late, repeated or unasked. */
  unasked = 0
  /** By SessionId: who opens the sealed frames of a session. Its session enters it, and takes it out when it ends. */
  readonly sealers = new Map<bigint, Sealer>()
  readonly #credits: Credits
  readonly #pending = new Map<number, Pending>()
  /** Given up at their deadline, but what the server grants them must be given back. */
  readonly #late = new Map<number, Pending>()
  readonly #waiting: Waiting[] = []
  readonly #transport: Transport
  readonly #timeoutMs: number
  readonly #onFatal: (error: NbtrunError) => void
  #sweeper: NodeJS.Timeout | undefined
  #sweptAt = 0
  #dead: unknown

  /** `firstMessageId` is 1 after a multi-protocol negotiate, which uses up 0. */
  constructor(transport: Transport, timeoutMs: number, onFatal: (error: NbtrunError) => void, firstMessageId = 0) {
    this.#credits = new Credits(firstMessageId)
    this.#transport = transport
    this.#timeoutMs = timeoutMs
    this.#onFatal = onFatal
  }

  /** Whether one request may move more than 64 KiB; not before it is negotiated. */
  set largeMtu(on: boolean) {
    this.#credits.largeMtu = on
  }

  /** The most bytes that one request may move now. */
  get limitBytes(): number {
    return this.#credits.limitBytes
  }

  /** Sends one request and resolves with its final answer, whatever its status; interim answers are not seen. */
  request<T>(call: Call<T>): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.#dead !== undefined) return reject(this.#dead as Error)
      const charge = this.#credits.charge(call.payload ?? 0)
      const dueAt = now() + (call.timeoutMs ?? this.#timeoutMs)
      const pending: Pending = { call: call as Call<unknown>, charge, resolve, reject, dueAt, asyncId: 0n, onCancel: undefined }
      const start = (): void => this.#send(pending)
      if (this.#waiting.length === 0 && this.#credits.affords(charge)) start()
      else {
        this.#waiting.push({ pending, start })
        this.#heed(pending, () => this.#giveUp(pending))
      }
      this.#sweep()
    })
  }

  /** Rejects everything under way; nothing is sent or heard afterwards. */
  end(error: unknown): void {
    if (this.#dead !== undefined) return
    this.#dead = error
    clearInterval(this.#sweeper)
    const all = [...this.#pending.values(), ...this.#waiting.map(w => w.pending)]
    this.#pending.clear()
    this.#waiting.length = 0
    for (const p of all) this.#settle(p, () => p.reject(error))
  }

  /** One frame from the transport: a message, or several compounded. */
  receive(frame: Buffer): void {
    if (this.#dead !== undefined) return
    try {
      for (const received of messagesIn(frame, this.sealers)) this.#answer(received)
      this.#startWaiting()
    } catch (thrown) {
      if (!(thrown instanceof NbtrunError)) throw thrown
      this.#onFatal(thrown)
    }
  }

  #send(p: Pending): void {
    const { call, charge } = p
    const { messageId, ask } = this.#credits.spend(charge)
    const w = new Writer(HEADER_SIZE + 96 + (call.command === 'WRITE' ? (call.payload ?? 0) : 0))
    header.put(w, {
      charge: this.#credits.largeMtu ? charge : 0,
      status: 0,
      command: COMMAND[call.command],
      credits: ask,
      flags: isSigned(call) ? FLAG.SIGNED : 0,
      next: 0,
      messageId,
      asyncId: 0n,
      treeId: call.treeId ?? 0,
      sessionId: call.sessionId ?? 0n,
    })
    try {
      call.codec.put(w, call.body)
      const message = w.done()
      const frame = protect(call, message)
      this.#pending.set(messageId, p)
      call.onSent?.(message)
      this.#transport.send([frame])
    } catch (thrown) {
      this.#pending.delete(messageId)
      this.#credits.unspend(charge)
      this.#settle(p, () => p.reject(thrown))
      return
    }
    this.#heed(p, () => this.#cancel(messageId, p))
  }

  /** From now on an abort of the request's signal means `cancelled`. */
  #heed(p: Pending, cancelled: () => void): void {
    const { cancel } = p.call
    if (cancel === undefined) return
    if (p.onCancel !== undefined) cancel.removeEventListener('abort', p.onCancel)
    p.onCancel = cancelled
    if (cancel.aborted) cancelled()
    else cancel.addEventListener('abort', cancelled, { once: true })
  }

  /** Cancelled while it waited for credits: the server never heard of it. */
  #giveUp(p: Pending): void {
    const at = this.#waiting.findIndex(w => w.pending === p)
    if (at < 0) return
    this.#waiting.splice(at, 1)
    this.#settle(p, () => p.reject(new NbtrunError('CANCELLED', `${p.call.command} was cancelled before it was sent`, { facts: { errno: 'EINTR' } })))
    this.#startWaiting()
  }

  /** [MS-SMB2] 3.2.4.24: names the request by AsyncId once the server gave one, costs no credit and gets no answer. */
  #cancel(messageId: number, p: Pending): void {
    if (this.#dead !== undefined || this.#pending.get(messageId) !== p) return
    const w = new Writer(HEADER_SIZE + 4)
    const isAsync = p.asyncId !== 0n
    header.put(w, {
      charge: 0,
      status: 0,
      command: COMMAND.CANCEL,
      credits: 0,
      flags: (isAsync ? FLAG.ASYNC : 0) | (isSigned(p.call) ? FLAG.SIGNED : 0),
      next: 0,
      messageId,
      asyncId: p.asyncId,
      treeId: p.call.treeId ?? 0,
      sessionId: p.call.sessionId ?? 0n,
    })
    w.u16(4).u16(0)
    try {
      this.#transport.send([protect(p.call, w.done())])
    } catch (thrown) {
      if (!(thrown instanceof NbtrunError)) throw thrown // the connection or the session is closed: nobody is left to tell
    }
  }

  #answer(received: Received): void {
    const { header: h, message } = received
    if ((h.flags & FLAG.SERVER_TO_REDIR) === 0) throw new WireError('an answer that is none: SERVER_TO_REDIR is not set', 16)
    this.#credits.granted(h.credits)
    const p = h.messageId === UNSOLICITED ? undefined : this.#pending.get(h.messageId)
    if (p === undefined) {
      this.unasked++
      this.#answerLate(received)
      return
    }
    const want = COMMAND[p.call.command]
    if (h.command !== want) throw new WireError(`answer to ${commandName(want)} says it is ${commandName(h.command)}`, 12)
    const interim = h.status === STATUS.PENDING && (h.flags & FLAG.ASYNC) !== 0
    requireAuthentic(p.call, received, interim)
    if (interim) {
      const isFirst = p.asyncId === 0n
      p.asyncId = h.asyncId
      if (isFirst && p.call.cancel?.aborted === true) this.#cancel(h.messageId, p)
      return
    }
    this.#pending.delete(h.messageId)
    this.#credits.settled(p.charge)
    this.#settle(p, () => p.resolve({ header: h, body: message.subarray(HEADER_SIZE), message }))
  }

  #answerLate(received: Received): void {
    const { header: h, message } = received
    const p = this.#late.get(h.messageId)
    if (p === undefined || h.command !== COMMAND[p.call.command] || h.status === STATUS.PENDING) return
    this.#late.delete(h.messageId)
    requireAuthentic(p.call, received, false)
    p.call.onLate?.({ header: h, body: message.subarray(HEADER_SIZE), message })
  }

  #startWaiting(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#credits.affords(next.pending.charge); next = this.#waiting[0]) {
      this.#waiting.shift()
      next.start()
    }
  }

  #settle(p: Pending, tell: () => void): void {
    if (p.onCancel !== undefined) p.call.cancel?.removeEventListener('abort', p.onCancel)
    tell()
  }

  #sweep(): void {
    if (this.#sweeper !== undefined) return
    this.#sweptAt = now()
    this.#sweeper = setInterval(() => this.#sweepOnce(), SWEEP_MS)
  }

  /** Ends what is overdue. Time in which this process did not run (stopped, suspended, starved) counts for nobody. */
  #sweepOnce(): void {
    const at = now()
    const stall = at - this.#sweptAt - SWEEP_MS
    this.#sweptAt = at
    const waiting = this.#waiting.map(w => w.pending)
    if (stall > 1000) for (const p of [...this.#pending.values(), ...waiting]) p.dueAt += stall
    for (const [messageId, p] of this.#pending) {
      if (p.dueAt > at) continue
      this.#cancel(messageId, p)
      this.#pending.delete(messageId)
      this.#credits.settled(p.charge)
      if (p.call.onLate !== undefined) this.#late.set(messageId, p)
      this.#timeOut(p)
    }
    for (const p of waiting) {
      if (p.dueAt > at) continue
      this.#waiting.splice(
        this.#waiting.findIndex(w => w.pending === p),
        1,
      )
      this.#timeOut(p)
    }
    this.#startWaiting() // what was too dear may have stood before what is not
    if (this.#pending.size === 0 && this.#waiting.length === 0) {
      clearInterval(this.#sweeper)
      this.#sweeper = undefined
    }
  }

  #timeOut(p: Pending): void {
    const limit = spell(p.call.timeoutMs ?? this.#timeoutMs)
    this.#settle(p, () =>
      p.reject(new NbtrunError('TIMED_OUT', `the server did not answer ${p.call.command} within ${limit}`, { facts: { errno: 'ETIMEDOUT' } })),
    )
  }
}

function isSigned({ signer, sealer }: Call<unknown>): boolean {
  return signer !== undefined && sealer === undefined
}

/** The frame to send: sealed, or else the message itself, signed where its session signs. */
function protect({ signer, sealer, sessionId = 0n }: Call<unknown>, message: Buffer): Buffer {
  if (sealer !== undefined) return sealer.seal(sessionId, message)
  signer?.sign(message)
  return message
}
