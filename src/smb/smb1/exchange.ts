import { NbtrunError } from '../../base/errors.ts'
import { now, spell } from '../../base/time.ts'
import { type Codec, decode, WireError, Writer } from '../../base/wire.ts'
import { refused, STATUS } from '../status.ts'
import type { Transport } from '../transport.ts'
import { COMMAND, type CommandName, FLAG, FLAG2, header, HEADER_SIZE, type Header, NO_TREE } from './header.ts'
import { oplockRelease } from './io.ts'
import { empty } from './simple.ts'
import type { Smb1Signer } from './signer.ts'

export interface Call<T> {
  readonly command: CommandName
  readonly codec: Codec<T>
  readonly body: T
  readonly uid?: number
  readonly tid?: number
  /** What may come back besides the usual overhead, bytes. */
  readonly room?: number
  /** It may be longer than the server's buffer: a large write. */
  readonly large?: boolean
  /** For ever: `Infinity`. Default: the exchange's limit. */
  readonly timeoutMs?: number
  /** Aborting sends NT_CANCEL; the request then ends as the server says. */
  readonly cancel?: AbortSignal
  /** Called once it was sent. */
  readonly onSent?: () => void
  /** Gets the answer that came after the deadline: what it granted must be given back. */
  readonly onLate?: (reply: Reply) => void
  /** Of answers that come in several messages: takes one, and says whether it was the last. Only what is no error is given to it. */
  readonly gather?: (body: Buffer) => boolean
  /** A login: it says how messages will be signed, and has no signature itself. */
  readonly login?: { readonly requireSigning: boolean }
  /** A goodbye: a wrong signature of its answer fails it alone. */
  readonly parting?: boolean
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
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: unknown) => void
  mid: number
  /** What its answer is signed with. */
  sequence: number
  dueAt: number
  onCancel: (() => void) | undefined
}

/** What follows from the negotiation. */
export interface Limits {
  /** How many requests may be under way. [MS-CIFS] 3.2.4.1: MaxMpxCount. */
  readonly maxMpx: number
  readonly maxBufferSize: number
  readonly flags2: number
}

const SWEEP_MS = 250
/** The longest answer but for what was asked for: names, and servers that say who they are. */
const ANSWER_OVERHEAD = 0x1_0000
const MAX_LATE = 1024
/** MID of what the server sends by itself: it wants an oplock back. */
const UNASKED_MID = 0xffff
const PID = 0xfeff
/** Where a signature goes in a message that is not signed but says it will be. [MS-CIFS] 3.2.4.1.3. */
const SIGNATURE_AT = 14
const NO_SIGNATURE_YET = Buffer.from('BSRSPYL ', 'latin1')

/**
 * Requests and their answers over one transport in SMB1: multiplex ids, signatures and their numbers, deadlines. An answer that is broken or has a
 * wrong signature is fatal to the whole exchange (`onFatal`), because nothing after it can be trusted; only a goodbye fails alone, of whose answer nothing is
 * used.
 */
export class Exchange {
  /** Answers that nobody waits for. */
  unasked = 0
  readonly #transport: Transport
  readonly #limits: Limits
  readonly #timeoutMs: number
  readonly #onFatal: (error: NbtrunError) => void
  readonly #pending = new Map<number, Pending>()
  readonly #waiting: Pending[] = []
  /** Given up, but their ids are not free before they are answered. */
  readonly #late = new Map<number, Pending>()
  #signer: Smb1Signer | undefined
  #sequence = 0
  #mid = 0
  #sweeper: NodeJS.Timeout | undefined
  #sweptAt = 0
  #dead: unknown

  constructor(transport: Transport, limits: Limits, timeoutMs: number, onFatal: (error: NbtrunError) => void) {
    this.#transport = transport
    this.#limits = limits
    this.#timeoutMs = timeoutMs
    this.#onFatal = onFatal
  }

  /** Our process, as locks name it. */
  get pid(): number {
    return PID
  }

  get isSigned(): boolean {
    return this.#signer !== undefined
  }

  /** From now on everything is signed, both ways. The login's last message had number 0 and its answer number 1. */
  sign(signer: Smb1Signer): void {
    this.#signer = signer
    this.#sequence = 2
  }

  /** How many requests wait for others at the server, such as locks. */
  get patient(): number {
    let count = 0
    for (const { call } of this.#pending.values()) if (call.timeoutMs === Number.POSITIVE_INFINITY) count++
    return count
  }

  /** Whether one more request that waits would leave room for those which end the waiting. */
  get hasPatience(): boolean {
    return this.patient < this.#limits.maxMpx - 2
  }

  request<T>(call: Call<T>): Promise<Reply> {
    return new Promise<Reply>((resolve, reject) => {
      if (this.#dead !== undefined) return reject(this.#dead)
      const dueAt = now() + (call.timeoutMs ?? this.#timeoutMs)
      const p: Pending = { call: call as Call<unknown>, resolve, reject, mid: -1, sequence: 0, dueAt, onCancel: undefined }
      if (this.#waiting.length === 0 && this.#pending.size < this.#limits.maxMpx) this.#send(p)
      else {
        this.#waiting.push(p)
        this.#heed(p, () => this.#giveUp(p))
      }
      this.#sweep()
    })
  }

  /** Rejects everything under way; nothing is sent or heard afterwards. */
  end(error: unknown): void {
    if (this.#dead !== undefined) return
    this.#dead = error
    clearInterval(this.#sweeper)
    const all = [...this.#pending.values(), ...this.#waiting]
    this.#pending.clear()
    this.#late.clear()
    this.#waiting.length = 0
    for (const p of all) this.#settle(p, () => p.reject(error))
    this.#signer?.wipe()
  }

  /** One message from the transport. */
  receive(message: Buffer): void {
    if (this.#dead !== undefined) return
    try {
      this.#answer(message)
      this.#startWaiting()
    } catch (thrown) {
      if (!(thrown instanceof NbtrunError)) throw thrown
      this.#onFatal(thrown)
    }
  }

  #send(p: Pending): void {
    const { call } = p
    try {
      p.mid = this.#freeMid()
      const message = this.#messageOf(call, p.mid)
      if (message.length > this.#limits.maxBufferSize && call.large !== true) {
        throw refused(STATUS.NAME_TOO_LONG, `sending ${call.command} of ${message.length} bytes, where ${this.#limits.maxBufferSize} are taken`)
      }
      p.sequence = this.#protect(message, call, 2) + 1
      this.#pending.set(p.mid, p)
      this.#transport.send([message])
    } catch (thrown) {
      this.#pending.delete(p.mid)
      return this.#settle(p, () => p.reject(thrown))
    }
    call.onSent?.()
    this.#heed(p, () => this.#cancel(p))
  }

  #messageOf<T>({ command, codec, body, uid = 0, tid = NO_TREE, login }: Call<T>, mid: number): Buffer {
    const w = new Writer(256)
    const signs = (login !== undefined || this.#signer !== undefined ? FLAG2.SIGNED : 0) | (login?.requireSigning === true ? FLAG2.SIGNING_REQUIRED : 0)
    header.put(w, {
      command: COMMAND[command],
      status: 0,
      flags: FLAG.CASE_INSENSITIVE | FLAG.CANONICALIZED_PATHS,
      flags2: this.#limits.flags2 | signs,
      tid,
      pid: PID,
      uid,
      mid,
    })
    codec.put(w, body)
    return w.done()
  }

  /** Returns the number that the message has; a request and its answer have two, NT_CANCEL has no answer. [MS-CIFS] 3.2.4.1.3. */
  #protect(message: Buffer, { login }: Pick<Call<unknown>, 'login'>, numbers: number): number {
    const sequence = this.#sequence
    if (this.#signer !== undefined) {
      this.#signer.sign(message, sequence)
      this.#sequence += numbers
    } else if (login !== undefined) NO_SIGNATURE_YET.copy(message, SIGNATURE_AT)
    return sequence
  }

  #freeMid(): number {
    for (let tries = 0; tries < UNASKED_MID; tries++) {
      this.#mid = this.#mid >= UNASKED_MID - 1 ? 1 : this.#mid + 1
      if (!this.#pending.has(this.#mid) && !this.#late.has(this.#mid)) return this.#mid
    }
    throw new NbtrunError('INTERNAL', 'no multiplex id is free')
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

  /** Cancelled before it was sent: the server never heard of it. */
  #giveUp(p: Pending): void {
    const at = this.#waiting.indexOf(p)
    if (at < 0) return
    this.#waiting.splice(at, 1)
    this.#settle(p, () => p.reject(new NbtrunError('CANCELLED', `${p.call.command} was cancelled before it was sent`, { facts: { errno: 'EINTR' } })))
  }

  /** [MS-CIFS] 2.2.4.65: NT_CANCEL names the request by its ids and gets no answer. */
  #cancel({ call, mid }: Pending): void {
    if (this.#dead !== undefined || !this.#pending.has(mid)) return
    const { uid, tid } = call
    this.#tell({ command: 'NT_CANCEL', codec: empty, body: null, ...(uid === undefined ? {} : { uid }), ...(tid === undefined ? {} : { tid }) }, mid, 1)
  }

  /** What gets no answer. */
  #tell<T>(call: Call<T>, mid: number, numbers: number): void {
    const message = this.#messageOf(call, mid)
    try {
      this.#protect(message, call, numbers)
      this.#transport.send([message])
    } catch (thrown) {
      if (!(thrown instanceof NbtrunError)) throw thrown // the connection is closed: nobody is left to tell
    }
  }

  #answer(message: Buffer): void {
    const h = decode(header, message)
    const body = message.subarray(HEADER_SIZE)
    if ((h.flags & FLAG.REPLY) === 0) return this.#asked(h, body)
    const p = this.#pending.get(h.mid)
    if (p === undefined) return this.#answerLate(h, body, message)
    if (!this.#trusts(p, h, message)) return
    const most = (p.call.room ?? 0) + ANSWER_OVERHEAD
    if (message.length > most) throw new WireError(`an answer to ${p.call.command} of ${message.length} bytes, where ${most} are possible`, 0)
    const failed = h.status >>> 30 === 3 || body.length === 0 || body[0] === 0
    if (p.call.gather !== undefined && !failed && !p.call.gather(body)) return
    this.#pending.delete(h.mid)
    this.#settle(p, () => p.resolve({ header: h, body, message }))
  }

  /** False where a goodbye has failed of it. */
  #trusts(p: Pending, h: Header, message: Buffer): boolean {
    try {
      this.#judge(p, h, message)
      return true
    } catch (thrown) {
      if (p.call.parting !== true || thrown instanceof WireError) throw thrown
      this.#pending.delete(h.mid)
      this.#settle(p, () => p.reject(thrown))
      return false
    }
  }

  #judge({ call, sequence }: Pending, h: Header, message: Buffer): void {
    if (h.command !== COMMAND[call.command]) throw new WireError(`answer to ${call.command} says it is command 0x${h.command.toString(16)}`, 4)
    if (this.#signer === undefined || this.#signer.verify(message, sequence)) return
    throw new NbtrunError('BAD_SIGNATURE', `the answer to ${call.command} has a wrong signature (MD5)`, {
      hint: 'somebody or something between here and the server changes what is sent; nothing more was read or written',
    })
  }

  /** No answer to anything that is under way: late, repeated, or its id was tampered with. Where messages are signed only the first of these is forgiven. */
  #answerLate(h: Header, body: Buffer, message: Buffer): void {
    this.unasked++
    const p = this.#late.get(h.mid)
    if (p === undefined) {
      if (this.#signer === undefined) return
      throw new NbtrunError('BAD_SIGNATURE', `an answer to multiplex id ${h.mid}, which nobody asked for`)
    }
    this.#judge(p, h, message)
    if (p.call.gather === undefined) this.#late.delete(h.mid) // of the others more may come
    p.call.onLate?.({ header: h, body, message })
  }

  /** The server sends by itself only that it wants an oplock back, unsigned; we hold none, and say so. [MS-CIFS] 3.2.5.42. */
  #asked(h: Header, body: Buffer): void {
    if (h.command !== COMMAND.LOCKING_ANDX || h.mid !== UNASKED_MID) throw new WireError('an answer that is none: SMB_FLAGS_REPLY is not set', 9)
    this.unasked++
    const { fid } = decode(oplockRelease, body)
    if (this.#transport.backlog > MAX_BACKLOG) return
    this.#tell({ command: 'LOCKING_ANDX', codec: oplockRelease, body: { fid }, uid: h.uid, tid: h.tid }, UNASKED_MID, 2)
  }

  #startWaiting(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#pending.size < this.#limits.maxMpx; next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#send(next)
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

  /** Ends what is overdue. Time in which this process did not run counts for nobody. */
  #sweepOnce(): void {
    const at = now()
    const stall = at - this.#sweptAt - SWEEP_MS
    this.#sweptAt = at
    if (stall > 1000) for (const p of [...this.#pending.values(), ...this.#waiting]) p.dueAt += stall
    for (const p of [...this.#pending.values(), ...this.#waiting]) {
      if (p.dueAt > at) continue
      const queued = this.#waiting.indexOf(p)
      if (queued >= 0) this.#waiting.splice(queued, 1)
      else {
        this.#cancel(p)
        this.#pending.delete(p.mid)
        this.#listenLate(p)
      }
      this.#timeOut(p)
    }
    this.#startWaiting()
    if (this.#pending.size > 0 || this.#waiting.length > 0) return
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
  }

  #listenLate(p: Pending): void {
    this.#late.set(p.mid, p)
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

/** What the socket may hold before no more oplocks are answered. */
const MAX_BACKLOG = 1024 * 1024
