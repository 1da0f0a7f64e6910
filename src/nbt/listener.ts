import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { errnoOf, NbtrunError } from '../base/errors.ts'
import { encode } from '../base/wire.ts'
import { limited } from './dial.ts'
import type { Peer } from './endpoint.ts'
import type { NameEntry, NameTable } from './name-table.ts'
import { nameKey, type NetbiosName, SMBSERVER, spellName, SUFFIX } from './names.ts'
import { type SessionPacket, sessionPacket } from './session.ts'
import { nextPacket } from './session-reader.ts'

/** RFC 1002 section 4.3.4. */
const REFUSE = { NOT_LISTENING: 0x80, NOT_LISTENING_FOR: 0x81, NOT_PRESENT: 0x82, NO_RESOURCES: 0x83, OTHER: 0x8f } as const

/** Two names of 255 bytes. */
const LONGEST_REQUEST = 510

/** A session that a caller got. The socket is its receiver's; the name is held until it closes. */
export interface IncomingSession {
  /** Nobody reads it yet; what the caller sent behind its request is still in it. */
  readonly socket: Socket
  readonly called: NetbiosName
  readonly calling: NetbiosName
  readonly from: Peer
}

/** What a name does with calls: takes them, from these names alone where any are given, or sends them elsewhere. */
export type Answer =
  | { readonly onSession: (session: IncomingSession) => void; readonly from?: readonly NetbiosName[] | undefined; readonly most?: number | undefined }
  | { readonly retarget: Peer }

export interface ListenerOptions {
  readonly table: NameTable
  readonly address?: string | undefined
  readonly port: number
  /** How long a caller has for its request. */
  readonly requestMs?: number | undefined
}

/** Connections that have not asked for a session yet: more than these are closed at once. */
const MOST_WAITING = 64

/** The session service of a node: TCP 139. RFC 1002 section 5.2.2. Its owner closes it, which ends every session. */
export class SessionListener {
  readonly #table: NameTable
  readonly #server: Server
  readonly #requestMs: number
  readonly #answers = new Map<string, Answer>()
  readonly #sockets = new Map<Socket, 'waiting' | 'session'>()
  #closed = false

  private constructor({ table, requestMs = 5000 }: ListenerOptions) {
    this.#table = table
    this.#requestMs = requestMs
    this.#server = createServer({ noDelay: true }, socket => void this.#serve(socket))
  }

  /** Rejects with PORT_UNAVAILABLE. */
  static async open(options: ListenerOptions): Promise<SessionListener> {
    const listener = new SessionListener(options)
    const { address = '0.0.0.0', port } = options
    try {
      listener.#server.listen({ host: address, port, exclusive: true })
      await once(listener.#server, 'listening')
    } catch (cause) {
      const reason = errnoOf(cause) ?? 'unknown reason'
      throw new NbtrunError('PORT_UNAVAILABLE', `TCP port ${port} of ${address} cannot be bound (${reason})`, { cause, facts: { port, reason } })
    }
    listener.#server.on('error', () => {}) // accept(2) may fail for lack of descriptors; the next one may not
    return listener
  }

  get port(): number {
    const address = this.#server.address()
    return address !== null && typeof address === 'object' ? address.port : 0
  }

  /** From now on calls of this name, which the table must have as active, are answered so. Returns the way back, which leaves open sessions alone. */
  listen(name: NetbiosName, answer: Answer): () => void {
    if (this.#table.find(name)?.isOpen !== true) throw new NbtrunError('USAGE', `${spellName(name)} is not registered here`)
    const key = nameKey(name)
    this.#answers.set(key, answer)
    return () => {
      if (this.#answers.get(key) === answer) this.#answers.delete(key)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const socket of this.#sockets.keys()) socket.destroy()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #serve(socket: Socket): Promise<void> {
    socket.on('error', () => {}) // found in `errored` by whoever reads
    const waiting = [...this.#sockets.values()].filter(state => state === 'waiting').length
    if (waiting >= MOST_WAITING || this.#closed) return void socket.destroy()
    this.#sockets.set(socket, 'waiting')
    socket.once('close', () => this.#sockets.delete(socket))
    try {
      const request = await limited(undefined, this.#requestMs, 'the session request', limit => nextPacket(socket, LONGEST_REQUEST, limit))
      if (request.type !== 'request') return void socket.destroy()
      this.#answer(socket, request.called, request.calling)
    } catch {
      socket.destroy() // RFC 1002 section 5.2.2: what is no request gets no answer
    }
  }

  #answer(socket: Socket, called: NetbiosName, calling: NetbiosName): void {
    const entry = this.#entryFor(called)
    const { remoteAddress, remotePort } = socket
    if (entry === undefined) return this.#refuse(socket, REFUSE.NOT_PRESENT)
    const answer = this.#answers.get(nameKey(entry.name))
    if (answer === undefined) return this.#refuse(socket, REFUSE.NOT_LISTENING)
    if ('retarget' in answer) return this.#dismiss(socket, { type: 'retarget', ...answer.retarget })
    if (answer.from?.some(name => nameKey(name) === nameKey(calling)) === false) return this.#refuse(socket, REFUSE.NOT_LISTENING_FOR)
    if (entry.references.length >= (answer.most ?? Number.POSITIVE_INFINITY)) return this.#refuse(socket, REFUSE.NO_RESOURCES)
    if (remoteAddress === undefined || remotePort === undefined || socket.destroyed) return
    const from = { address: remoteAddress.replace(/^::ffff:/, ''), port: remotePort }
    // the session stands from here on: only now it holds the name
    const drop = entry.refer(`session from ${spellName(calling)} at ${from.address}:${from.port}`)
    socket.once('close', drop)
    this.#sockets.set(socket, 'session')
    socket.write(encode(sessionPacket, { type: 'positive' }))
    answer.onSession({ socket, called: entry.name, calling, from })
  }

  /** `*SMBSERVER` is whatever file server answers calls here. */
  #entryFor(called: NetbiosName): NameEntry | undefined {
    const direct = this.#table.find(called)
    if (direct?.isOpen === true) return direct
    if (nameKey({ ...called, scope: '' }) !== nameKey(SMBSERVER)) return undefined
    const servers = this.#table.entries.filter(entry => entry.isOpen && !entry.group && entry.name.suffix === SUFFIX.SERVER)
    return servers.find(entry => this.#answers.has(nameKey(entry.name))) ?? servers[0]
  }

  #refuse(socket: Socket, reason: number): void {
    this.#dismiss(socket, { type: 'negative', reason })
  }

  #dismiss(socket: Socket, packet: SessionPacket): void {
    socket.end(encode(sessionPacket, packet))
    socket.resume() // unread bytes would make the kernel answer with RST, which overtakes what was said
    socket.setTimeout(this.#requestMs, () => socket.destroy())
  }
}
