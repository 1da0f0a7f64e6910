import type { Socket } from 'node:net'
import { asError, errnoOf, NbtrunError } from '../base/errors.ts'
import { now, spell, timer } from '../base/time.ts'
import { encode } from '../base/wire.ts'
import type { Ends } from './tcp-table.ts'
import { type FrameKind, Framer, messageHeader } from './frames.ts'
import { sessionPacket } from './session.ts'

/**
 * A connection that carries whole SMB messages, whichever port it uses. Its owner calls `start`, and `finish` or `destroy` in the end.
 */
export interface MessageStream {
  readonly kind: FrameKind
  readonly port: number
  /** The server's IP address. */
  readonly address: string
  /** Both ends, as they were connected. */
  readonly ends?: Ends | undefined
  /** Bytes handed over that the socket has not written yet. */
  readonly backlog: number
  /** When a message, or a part of one, came last, on the monotonic clock; before the first when it was connected. Keepalives are no messages. */
  readonly heardAt: number
  /**
   * Begins delivery, or goes on with it to somebody else. `onFrame` gets each message without its 4-byte header and owns it; what it throws ends the connection. `onEnd` is called exactly
   * once, whoever ended it: undefined for an orderly end by the server, else WIRE, CONNECTION_LOST, TIMED_OUT (of `finish`) or CLOSED (`destroy`).
   */
  start(onFrame: (frame: Buffer) => void, onEnd: (error: NbtrunError | undefined) => void): void
  /** Sends one frame, its header added. The parts must not change afterwards. Throws USAGE when they do not fit a frame, CLOSED after the end. */
  send(parts: readonly Buffer[]): void
  /** On port 139 a SESSION KEEPALIVE, which nobody answers: for the server's sake, and for routers between. RFC 1002 section 4.3.7. */
  keepAlive(): void
  /** Ends our half, then waits for the server to end its own, at most `ms`. Resolves when the socket is gone; frames are delivered until then. */
  finish(ms: number): Promise<void>
  destroy(): void
}

const KEEPALIVE = encode(sessionPacket, { type: 'keepalive' })

type OnEnd = (error: NbtrunError | undefined) => void

/** A transport over a connected socket that nobody reads; the socket is its own from here on. */
export class SocketStream implements MessageStream {
  readonly kind: FrameKind
  readonly port: number
  readonly address: string
  readonly ends: Ends | undefined
  readonly #socket: Socket
  readonly #framer: Framer
  readonly #gone: Promise<void>
  #onFrame: (frame: Buffer) => void = () => {}
  #onEnd: OnEnd = () => {}
  #heardAt = now()
  #started = false
  #ended: { readonly error: NbtrunError | undefined } | undefined

  constructor(socket: Socket, kind: FrameKind, address: string, port: number) {
    this.kind = kind
    this.port = port
    this.address = address
    const { localAddress: local, localPort, remotePort } = socket
    this.ends = local === undefined || localPort === undefined ? undefined : { local, localPort, address, port: remotePort ?? port }
    this.#socket = socket
    this.#framer = new Framer(kind, frame => {
      this.#heardAt = now()
      if (this.#ended === undefined) this.#onFrame(frame)
    })
    this.#gone = new Promise(resolve => {
      const closed = (): void => {
        this.#end(this.#lost(errnoOf(socket.errored) ?? 'closed'))
        resolve()
      }
      if (socket.closed) closed()
      else socket.on('close', closed)
    })
    socket.on('error', error => this.#end(this.#lost(errnoOf(error) ?? error.message, error)))
    socket.on('end', () => this.#end(this.#framer.partial ? this.#lost('closed by the server in the middle of a message') : undefined))
  }

  get backlog(): number {
    return this.#socket.writableLength
  }

  get heardAt(): number {
    return this.#heardAt
  }

  start(onFrame: (frame: Buffer) => void, onEnd: OnEnd): void {
    const ended = this.#ended
    if (ended !== undefined) return queueMicrotask(() => onEnd(ended.error))
    this.#onFrame = onFrame
    this.#onEnd = onEnd
    if (this.#started) return
    this.#started = true
    this.#socket.on('data', chunk => {
      try {
        this.#framer.push(chunk)
        if (this.#framer.partial) this.#heardAt = now()
      } catch (thrown) {
        this.#end(asError(thrown))
        this.#socket.destroy()
      }
    })
    this.#socket.resume()
  }

  send(parts: readonly Buffer[]): void {
    if (this.#ended !== undefined || this.#socket.writableEnded) throw new NbtrunError('CLOSED', `${this.#label} is closed`)
    const length = parts.reduce((sum, part) => sum + part.length, 0)
    const header = messageHeader(this.kind, length)
    if (header === undefined) throw new NbtrunError('USAGE', `message of ${length} bytes does not fit a frame on port ${this.port}`)
    this.#socket.cork()
    this.#socket.write(header)
    for (const part of parts) this.#socket.write(part)
    this.#socket.uncork()
  }

  keepAlive(): void {
    if (this.kind === 'nbt' && this.#ended === undefined && !this.#socket.writableEnded) this.#socket.write(KEEPALIVE)
  }

  async finish(ms: number): Promise<void> {
    this.#socket.end()
    this.#socket.resume() // unread bytes would make the kernel answer with RST
    const disarm = timer(ms, () => {
      this.#end(new NbtrunError('TIMED_OUT', `${this.#label}: the server did not close it within ${spell(ms)}`))
      this.#socket.destroy()
    })
    await this.#gone
    disarm()
  }

  destroy(): void {
    this.#end(new NbtrunError('CLOSED', `${this.#label} is closed`))
    this.#socket.destroy()
  }

  get #label(): string {
    return `connection to ${this.address} port ${this.port}`
  }

  #lost(why: string, cause?: unknown): NbtrunError {
    return new NbtrunError('CONNECTION_LOST', `${this.#label} lost: ${why}`, { cause })
  }

  #end(error: NbtrunError | undefined): void {
    if (this.#ended !== undefined) return
    this.#ended = { error }
    this.#onEnd(error)
  }
}
