import { asError, NbtrunError } from '../../base/errors.ts'
import { within } from '../../base/time.ts'
import { decode, encode, WireError, type Codec } from '../../base/wire.ts'
import { faultError } from './faults.ts'
import {
  bind,
  bindAck,
  bindNak,
  fault,
  fragmentLength,
  fragmentType,
  NDR32,
  PDU,
  PDU_HEADER_SIZE,
  PFC,
  request,
  response,
  STUB_AT,
  type Syntax,
} from './pdu.ts'
import type { Pipe } from './pipe.ts'

/** The largest fragment that we send and take, as Windows has it. */
const MAX_FRAGMENT = 4280
/** Every server takes fragments of this size. [C706] 12.6.3.1: MustRecvFragSize. */
const MIN_FRAGMENT = 1432
/** The most that one answer may have, all its fragments together. */
const MAX_ANSWER = 4 * 1024 * 1024
const MAX_FRAGMENTS = 4096

/** One interface at the other end of a pipe; calls go one after the other. [C706] 9.3. An error leaves nothing to go on with: the pipe is then closed. */
export class RpcClient {
  /** Bytes of all answers so far. */
  received = 0
  readonly #pipe: Pipe
  readonly #name: string
  readonly #timeoutMs: number
  #maxSend = MIN_FRAGMENT
  #callId = 0
  /** Came with what was taken, but belongs to the next fragment. */
  #held: Buffer = Buffer.alloc(0)
  #last: Promise<unknown> = Promise.resolve()
  #broken: NbtrunError | undefined
  #bound = false

  private constructor(pipe: Pipe, name: string, timeoutMs: number) {
    this.#pipe = pipe
    this.#name = name
    this.#timeoutMs = timeoutMs
  }

  /** Takes the pipe over: also a refused bind closes it. `timeoutMs` is for the whole of each call. */
  static async bind(pipe: Pipe, name: string, abstract: Syntax, timeoutMs: number): Promise<RpcClient> {
    const client = new RpcClient(pipe, name, timeoutMs)
    try {
      await client.#exclusively(() => client.#bind(abstract))
      return client
    } catch (thrown) {
      await pipe.close()
      throw thrown
    }
  }

  /** Resolves with what `codec` makes of the answer. Faults and whatever does not decode are errors. */
  call<T, R>(opnum: number, codec: Codec<T>, value: T, answer: Codec<R>): Promise<R> {
    const stub = encode(codec, value)
    return this.#exclusively(async () => decode(answer, await this.#call(opnum, stub)))
  }

  close(): Promise<unknown> {
    return this.#pipe.close()
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(async () => {
      if (this.#broken !== undefined) throw new NbtrunError('CLOSED', `${this.#name} is closed: ${this.#broken.message}`, { cause: this.#broken })
      try {
        return await within(this.#timeoutMs, work, `asking ${this.#name}`)
      } catch (thrown) {
        const error = asError(thrown)
        if (typeof error.facts['fault'] !== 'number') {
          this.#broken = error
          if (this.#bound) void this.#pipe.close()
        }
        throw error
      }
    })
    this.#last = mine.catch(() => {})
    return mine
  }

  async #bind(abstract: Syntax): Promise<void> {
    const callId = ++this.#callId
    this.#held = await this.#pipe.transact(encode(bind, { callId, maxFragment: MAX_FRAGMENT, abstract, transfer: NDR32 }), MAX_FRAGMENT)
    const answer = await this.#fragment()
    const type = fragmentType(answer)
    if (type === PDU.FAULT) throw faultError(decode(fault, answer).status, this.#name)
    if (type === PDU.BIND_NAK) throw new NbtrunError('SERVER_REFUSED', `${this.#name} refuses every call (bind_nak, reason ${decode(bindNak, answer).reason})`)
    const ack = decode(bindAck, answer)
    this.#requireCall(callId, ack.callId)
    if (ack.result !== 0) throw new NbtrunError('SERVER_REFUSED', `${this.#name} refuses the interface (result ${ack.result}, reason ${ack.reason})`)
    if (ack.maxTakes < MIN_FRAGMENT) throw new WireError(`RPC bind_ack: fragments of ${ack.maxTakes} bytes`, 0)
    this.#bound = true
    this.#maxSend = Math.min(ack.maxTakes, MAX_FRAGMENT)
  }

  async #call(opnum: number, stub: Buffer): Promise<Buffer> {
    const callId = ++this.#callId
    const room = this.#maxSend - STUB_AT
    for (let at = 0; ; at += room) {
      const isLast = stub.length - at <= room
      const flags = (at === 0 ? PFC.FIRST : 0) | (isLast ? PFC.LAST : 0)
      const part = encode(request, { callId, flags, hint: stub.length - at, opnum, stub: stub.subarray(at, at + room) })
      if (!isLast) {
        await this.#pipe.write(part)
        continue
      }
      this.#held = await this.#pipe.transact(part, MAX_FRAGMENT)
      return this.#answer(callId)
    }
  }

  /** The stub of the answer, from one fragment or several. */
  async #answer(callId: number): Promise<Buffer> {
    const parts: Buffer[] = []
    let length = 0
    for (let count = 0; count < MAX_FRAGMENTS; count++) {
      const fragment = await this.#fragment()
      if (fragmentType(fragment) === PDU.FAULT) throw faultError(decode(fault, fragment).status, this.#name)
      const { flags, stub, callId: answered } = decode(response, fragment)
      this.#requireCall(callId, answered)
      if (((flags & PFC.FIRST) !== 0) !== (count === 0)) throw new WireError('RPC response: its first fragment is not the first', 3)
      parts.push(stub)
      length += stub.length
      this.received += stub.length
      if (length > MAX_ANSWER) throw new WireError(`RPC response: longer than ${MAX_ANSWER} bytes`, 0)
      if ((flags & PFC.LAST) !== 0) return parts.length === 1 ? stub : Buffer.concat(parts)
    }
    throw new WireError(`RPC response: more than ${MAX_FRAGMENTS} fragments`, 0)
  }

  /** The next whole fragment; what came after it is kept. */
  async #fragment(): Promise<Buffer> {
    for (;;) {
      const have = this.#held.length
      if (have >= PDU_HEADER_SIZE) {
        const length = fragmentLength(this.#held)
        if (length > MAX_FRAGMENT || length < PDU_HEADER_SIZE) throw new WireError(`RPC: a fragment of ${length} bytes`, 8)
        if (have >= length) {
          const fragment = this.#held.subarray(0, length)
          this.#held = this.#held.subarray(length)
          return fragment
        }
      }
      const more = await this.#pipe.read(MAX_FRAGMENT)
      if (more.length === 0) throw new WireError(`${this.#name} ended within an answer`, have)
      this.#held = have === 0 ? more : Buffer.concat([this.#held, more])
    }
  }

  #requireCall(want: number, got: number): void {
    if (got !== want) throw new WireError(`RPC: an answer to call ${got}, not to ${want}`, 12)
  }
}
