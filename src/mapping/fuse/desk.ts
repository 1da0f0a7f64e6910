import { NbtrunError } from '../../base/errors.ts'
import { now, spell } from '../../base/time.ts'
import { type Codec, Writer } from '../../base/wire.ts'
import type { Device } from './device.ts'
import { type ErrnoName, errnoNumber } from './errno.ts'
import { OP, OP_NAMES } from './protocol/constants.ts'
import { type RequestHeader, replyHeader } from './protocol/header.ts'
import { isDying } from './signals.ts'

/**
 * A caught signal gives the server this much longer before the program sees EINTR, in ms. Programs do not expect EINTR from files and few cope
 * with it, yet many live with signals all the time (Go, Wine, a shell's SIGCHLD); a server that is well answers long before.
 */
const PATIENCE_MS = 1000
const TICK_MS = 250
/** Ticks that come later than this were held up (suspended machine, stopped process): that time counts against no deadline. */
const STALL_MS = 1000

/** One request of the kernel, from its arrival until it is answered: by its work, or early by a deadline or an interrupt. */
export class Ask {
  readonly header: RequestHeader
  readonly since: number
  /** When it is ended early, and as what. */
  dueAt: number
  overdue: ErrnoName = 'ETIMEDOUT'
  /** Aborts what a waiting lock waits for. */
  readonly cancel: AbortController | undefined
  readonly #desk: Desk
  #ended = false

  constructor(desk: Desk, header: RequestHeader, since: number, timeoutMs: number) {
    this.#desk = desk
    this.header = header
    this.since = since
    const waits = header.opcode === OP.SETLKW
    this.dueAt = waits ? Number.POSITIVE_INFINITY : since + timeoutMs
    this.cancel = waits ? new AbortController() : undefined
  }

  /** Nobody waits for the result any more. */
  get ended(): boolean {
    return this.#ended
  }

  answer<T>(codec: Codec<T>, value: T): void {
    if (this.#end(0)) this.#desk.send(this.header.unique, 0, writer => codec.put(writer, value))
  }
  answerBytes(data: Buffer): void {
    if (this.#end(0)) this.#desk.send(this.header.unique, 0, undefined, data)
  }
  done(): void {
    if (this.#end(0)) this.#desk.send(this.header.unique, 0)
  }
  fail(errno: ErrnoName): void {
    if (this.#end(errnoNumber(errno))) this.#desk.send(this.header.unique, errnoNumber(errno))
  }
  /** Answers with something that the kernel is to hold from now on. Whether it took it: when it did not, what the request produced must be undone. */
  async offer(put: (writer: Writer) => void): Promise<boolean> {
    return this.#end(0) && (await this.#desk.offer(this.header.unique, put))
  }
  /** For requests that the kernel wants no answer to. */
  drop(): void {
    this.#ended = true
    this.#desk.settled(this, 0)
  }

  /** False when it was ended before. */
  #end(error: number): boolean {
    if (this.#ended) return false
    this.#ended = true
    this.#desk.settled(this, error)
    return true
  }
}

export interface DeskListener {
  /** A request was not answered within its time. */
  readonly late: (error: NbtrunError) => void
  /** One line per answered request. */
  readonly trace: ((line: string) => void) | undefined
}

function tooLate(opcode: number, timeoutMs: number): NbtrunError {
  return new NbtrunError('TIMED_OUT', `the server had no answer to a program's ${OP_NAMES.get(opcode) ?? opcode} within ${spell(timeoutMs)}`)
}

/** Where requests wait for their answers, each with a deadline, kept by one timer that runs only while there are any. */
export class Desk {
  readonly #timeoutMs: number
  readonly #tell: DeskListener
  readonly #writer = new Writer(1024)
  readonly #waiting = new Map<number, Ask>()
  #device: Device | undefined
  #timer: NodeJS.Timeout | undefined
  #tickedAt = 0

  constructor(timeoutMs: number, tell: DeskListener) {
    this.#timeoutMs = timeoutMs
    this.#tell = tell
  }

  attach(device: Device): void {
    this.#device = device
  }

  begin(header: RequestHeader): Ask {
    const ask = new Ask(this, header, now(), this.#timeoutMs)
    this.#waiting.set(header.unique, ask)
    if (this.#timer === undefined) this.#schedule()
    return ask
  }

  /** INTERRUPT: the asking thread got a signal. */
  interrupt(unique: number, interrupter: Ask): void {
    const ask = this.#waiting.get(unique)
    // answered already, or on its way to us: the kernel knows which, and asks again in the second case
    if (ask === undefined) return interrupter.fail('EAGAIN')
    interrupter.drop()
    if (ask.cancel !== undefined || isDying(ask.header.pid)) return this.#endEarly(ask, 'EINTR')
    ask.dueAt = Math.min(ask.dueAt, now() + PATIENCE_MS)
    ask.overdue = 'EINTR'
  }

  /** Ends every request that still waits. */
  endAll(errno: ErrnoName): void {
    for (const ask of this.#waiting.values()) this.#endEarly(ask, errno)
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  settled(ask: Ask, error: number): void {
    const { unique, opcode, nodeId } = ask.header
    this.#waiting.delete(unique)
    this.#tell.trace?.(`${OP_NAMES.get(opcode) ?? opcode} node ${nodeId}: ${error === 0 ? 'ok' : `errno ${error}`} (${(now() - ask.since).toFixed(1)} ms)`)
  }

  send(unique: number, error: number, put?: (writer: Writer) => void, data?: Buffer): void {
    this.#device?.send(this.#reply(unique, error, put, data), data?.length === 0 ? undefined : data)
  }

  offer(unique: number, put: (writer: Writer) => void): boolean | Promise<boolean> {
    return this.#device?.offer(this.#reply(unique, 0, put)) ?? false
  }

  /** Good until the next one. */
  #reply(unique: number, error: number, put?: (writer: Writer) => void, data?: Buffer): Buffer {
    const w = this.#writer
    w.pos = 0
    replyHeader.put(w, { length: 0, error, unique })
    put?.(w)
    w.patchU32(0, w.pos + (data?.length ?? 0))
    return w.done()
  }

  #endEarly(ask: Ask, errno: ErrnoName): void {
    ask.fail(errno)
    ask.cancel?.abort()
  }

  #schedule(): void {
    this.#tickedAt = now()
    this.#timer = setTimeout(() => this.#tick(), Math.min(TICK_MS, this.#timeoutMs / 4))
  }

  #tick(): void {
    const at = now()
    const held = at - this.#tickedAt - TICK_MS
    for (const ask of this.#waiting.values()) {
      if (held > STALL_MS) ask.dueAt += held
      if (ask.dueAt > at) continue
      if (ask.overdue === 'ETIMEDOUT') this.#tell.late(tooLate(ask.header.opcode, this.#timeoutMs))
      this.#endEarly(ask, ask.overdue)
    }
    this.#timer = undefined
    if (this.#waiting.size > 0) this.#schedule()
  }
}
