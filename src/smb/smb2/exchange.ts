import { NbtrunError } from '../../base/errors.ts'
import { now, spell } from '../../base/time.ts'
import { WireError } from '../../base/wire.ts'
import type { Sealer } from '../crypto/sealer.ts'
import type { Signer } from '../crypto/signer.ts'
import { refused, STATUS } from '../status.ts'
import type { Transport } from '../transport.ts'
import { requireAuthentic } from './authentic.ts'
import type { Call, Frame, Pending, Reply } from './call.ts'
import { Credits, MAX_UNDER_WAY } from './credits.ts'
import { COMMAND, commandName, FLAG, HEADER_SIZE, UNSOLICITED } from './header.ts'
import { messagesIn, type Received } from './inbound.ts'
import { cancelOf, frameOf } from './outbound.ts'

export type { Call, Reply } from './call.ts'

const SWEEP_MS = 250
/** What an answer may hold besides its payload: header, fixed part, create contexts, an error's data. */
const ANSWER_OVERHEAD = 131_072
/** Requests given up whose answers would still be heard. */
const MAX_LATE = 1024

/**
 * Requests and their answers over one transport: message ids, credits, signatures, seals, deadlines. One writer; the reader only sorts answers to
 * requests. A broken, unsigned or unsealed answer is fatal to the whole exchange (`onFatal`), because nothing after it can be trusted; only a goodbye fails
 * alone of an answer that is not the server's.
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
  /** Frames that wait for credits, or for room under the bound of what may be under way. */
  readonly #waiting: Frame[] = []
  readonly #transport: Transport
  readonly #timeoutMs: number
  readonly #onFatal: (error: NbtrunError) => void
  #sweeper: NodeJS.Timeout | undefined
  #sweptAt = 0
  /** Whose session is gone, as this frame said. */
  #gone: Signer | undefined
  #dead: unknown

  /** `firstMessageId` is 1 after a multi-protocol negotiate, which uses up 0. */
  constructor(transport: Transport, timeoutMs: number, onFatal: (error: NbtrunError) => void, firstMessageId = 0) {
    this.#credits = new Credits(firstMessageId)
    this.#transport = transport
    this.#timeoutMs = timeoutMs
    this.#onFatal = onFatal
  }

  /** Whether requests may move more than 64 KiB, as NEGOTIATE found out: not with dialect 2.0.2, nor without SMB2_GLOBAL_CAP_LARGE_MTU. */
  get largeMtu(): boolean {
    return this.#credits.largeMtu
  }
  set largeMtu(supported: boolean) {
    this.#credits.largeMtu = supported
  }

  /** The most bytes that one request may move now. */
  get limitBytes(): number {
    return this.#credits.limitBytes
  }

  /** Whether a frame of that many small requests would go out at once. Where credits are short, single requests get on and a compound may not. */
  affords(requests: number): boolean {
    return this.#waiting.length === 0 && this.#affords(requests, 0)
  }

  /** Sends one request and resolves with its final answer, whatever its status; interim answers are not seen. */
  request<T>(call: Call<T>): Promise<Reply> {
    return this.#submit([call as Call<unknown>], false)[0]!
  }

  /**
   * Sends several requests of one session in one frame, once there are credits for all of them. Each ends on its own. Related ones name the file of
   * the request before by a FileId of all ones; where that failed the server fails them likewise.
   */
  requestAll(calls: readonly Call<unknown>[], { related }: { readonly related: boolean }): Promise<Reply>[] {
    return this.#submit(calls, related)
  }

  #submit(calls: readonly Call<unknown>[], related: boolean): Promise<Reply>[] {
    const requests: Pending[] = []
    const replies = calls.map(
      call =>
        new Promise<Reply>((resolve, reject) => {
          const bytes = call.payload ?? 0
          const dueAt = now() + (call.timeoutMs ?? this.#timeoutMs)
          requests.push({ call, charge: this.#credits.charge(bytes), bytes, resolve, reject, messageId: -1, dueAt, asyncId: undefined, onCancel: undefined })
        }),
    )
    const frame: Frame = { requests, related, charge: sum(requests, p => p.charge), bytes: sum(requests, p => p.bytes) }
    if (this.#dead !== undefined) this.#reject(requests, this.#dead)
    else {
      if (this.#waiting.length === 0 && this.#affords(frame.charge, frame.bytes)) this.#send(frame)
      else {
        this.#waiting.push(frame)
        for (const p of requests) this.#heed(p, () => this.#giveUp(frame))
      }
      this.#sweep()
    }
    return replies
  }

  /** Rejects everything under way; nothing is sent or heard afterwards. */
  end(error: unknown): void {
    if (this.#dead !== undefined) return
    this.#dead = error
    clearInterval(this.#sweeper)
    const all = [...this.#pending.values(), ...this.#waiting.flatMap(frame => frame.requests)]
    this.#pending.clear()
    this.#late.clear()
    this.#waiting.length = 0
    this.#reject(all, error)
  }

  /** One frame from the transport: a message, or several compounded, or what seals them. */
  receive(frame: Buffer): void {
    if (this.#dead !== undefined) return
    this.#gone = undefined
    try {
      for (const received of messagesIn(frame, this.sealers)) this.#answer(received)
      this.#startWaiting()
    } catch (thrown) {
      if (!(thrown instanceof NbtrunError)) throw thrown
      this.#onFatal(thrown)
    }
  }

  /** What the socket has not taken yet counts too: a server that grants and does not read gets no more. */
  #affords(charge: number, bytes: number): boolean {
    return this.#credits.affords(charge, bytes) && this.#transport.backlog <= MAX_UNDER_WAY
  }

  #send({ requests, related, charge, bytes }: Frame): void {
    const { messageId, ask } = this.#credits.spend(charge, bytes)
    let next = messageId
    for (const p of requests) {
      p.messageId = next
      next += p.charge
    }
    try {
      const frame = frameOf(requests, related, { charges: this.#credits.largeMtu, ask })
      for (const p of requests) this.#pending.set(p.messageId, p)
      this.#transport.send([frame])
    } catch (thrown) {
      for (const p of requests) this.#pending.delete(p.messageId)
      this.#credits.unspend(charge, bytes)
      return this.#reject(requests, thrown)
    }
    for (const p of requests) this.#heed(p, () => this.#cancel(p))
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
  #giveUp(frame: Frame): void {
    if (!this.#unqueue(frame)) return
    const what = frame.requests.map(p => p.call.command).join(', ')
    this.#reject(frame.requests, new NbtrunError('CANCELLED', `${what} was cancelled before it was sent`, { facts: { errno: 'EINTR' } }))
    this.#startWaiting()
  }

  #unqueue(frame: Frame): boolean {
    const at = this.#waiting.indexOf(frame)
    if (at >= 0) this.#waiting.splice(at, 1)
    return at >= 0
  }

  #cancel(p: Pending): void {
    if (this.#dead !== undefined || this.#pending.get(p.messageId) !== p) return
    try {
      this.#transport.send([cancelOf(p)])
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
    if (!this.#trusts(p, received, interim)) return
    if (interim) return this.#answerInterim(p, h.asyncId)
    const most = p.bytes + ANSWER_OVERHEAD
    if (message.length > most) throw new WireError(`an answer to ${p.call.command} of ${message.length} bytes, where ${most} are possible`, 0)
    this.#forget(p)
    this.#settle(p, () => p.resolve(replyOf(received)))
  }

  /**
   * An answer that is not the server's is fatal, but for one to a goodbye, of which nothing is used: that fails. So do those behind an answer in the same
   * frame that the session is gone, which nobody can sign.
   */
  #trusts(p: Pending, received: Received, interim: boolean): boolean {
    try {
      requireAuthentic(p.call, received, interim)
      if (received.header.status === STATUS.USER_SESSION_DELETED) this.#gone = p.call.signer
      return true
    } catch (thrown) {
      const isGone = p.call.signer !== undefined && p.call.signer === this.#gone
      if (p.call.parting !== true && !isGone) throw thrown
      this.#forget(p)
      this.#reject([p], isGone ? refused(STATUS.USER_SESSION_DELETED, `asking for ${p.call.command}`) : thrown)
      return false
    }
  }

  #answerInterim(p: Pending, asyncId: bigint): void {
    const isFirst = p.asyncId === undefined
    p.asyncId = asyncId
    if (!isFirst) return
    this.#credits.settled(p.charge, 0)
    if (p.call.cancel?.aborted === true) this.#cancel(p)
  }

  #answerLate(received: Received): void {
    const { header: h } = received
    const p = this.#late.get(h.messageId)
    if (p === undefined || h.command !== COMMAND[p.call.command] || h.status === STATUS.PENDING) return
    this.#late.delete(h.messageId)
    requireAuthentic(p.call, received, false)
    p.call.onLate?.(replyOf(received))
  }

  #startWaiting(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#affords(next.charge, next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#send(next)
    }
  }

  /** It is no longer under way. */
  #forget(p: Pending): void {
    this.#pending.delete(p.messageId)
    this.#credits.settled(p.asyncId === undefined ? p.charge : 0, p.bytes)
  }

  #settle(p: Pending, tell: () => void): void {
    if (p.onCancel !== undefined) p.call.cancel?.removeEventListener('abort', p.onCancel)
    tell()
  }

  #reject(requests: readonly Pending[], error: unknown): void {
    for (const p of requests) this.#settle(p, () => p.reject(error))
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
    const waiting = [...this.#waiting]
    if (stall > 1000) for (const p of [...this.#pending.values(), ...waiting.flatMap(frame => frame.requests)]) p.dueAt += stall
    for (const p of this.#pending.values()) {
      if (p.dueAt > at) continue
      this.#cancel(p)
      this.#forget(p)
      this.#listenLate(p)
      this.#timeOut(p)
    }
    for (const frame of waiting) {
      if (frame.requests.every(p => p.dueAt > at)) continue
      this.#unqueue(frame)
      for (const p of frame.requests) this.#timeOut(p)
    }
    this.#startWaiting() // what was too dear may have stood before what is not
    if (this.#pending.size === 0 && this.#waiting.length === 0) {
      clearInterval(this.#sweeper)
      this.#sweeper = undefined
    }
  }

  #listenLate(p: Pending): void {
    if (p.call.onLate === undefined) return
    this.#late.set(p.messageId, p)
    const [oldest] = this.#late.keys()
    if (this.#late.size > MAX_LATE && oldest !== undefined) this.#late.delete(oldest)
  }

  #timeOut(p: Pending): void {
    const limit = spell(p.call.timeoutMs ?? this.#timeoutMs)
    this.#settle(p, () =>
      p.reject(new NbtrunError('TIMED_OUT', `the server did not answer ${p.call.command} within ${limit}`, { facts: { errno: 'ETIMEDOUT' } })),
    )
  }
}

/** A message that is but a small part of what it came in is copied: a view would keep all of that. */
function replyOf({ header, message: view }: Received): Reply {
  const message = view.buffer.byteLength - view.length > ANSWER_OVERHEAD ? Buffer.from(view) : view
  return { header, body: message.subarray(HEADER_SIZE), message }
}

function sum(requests: readonly Pending[], of: (p: Pending) => number): number {
  return requests.reduce((total, p) => total + of(p), 0)
}
