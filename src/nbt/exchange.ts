import { randomInt } from 'node:crypto'
import { NbtrunError } from '../base/errors.ts'
import { timer } from '../base/time.ts'
import { decode, encode, WireError } from '../base/wire.ts'
import type { Endpoint, Peer } from './endpoint.ts'
import { namePacket, type NamePacket, OPCODE, RCODE } from './name-packets.ts'
import { nameKey } from './names.ts'

/** What came in and was not used. */
export interface Ignored {
  /** Not a name service packet. */
  malformed: number
  /** A response to nothing that was asked. */
  unasked: number
  /** A response to what was asked, from somebody else or about another name. */
  forged: number
  /** The same response once more, or one that came when nobody waited any longer. */
  repeated: number
  /** A demand from somebody who may not make it. */
  unentitled: number
}

export interface Ask<T> {
  readonly packet: (id: number) => NamePacket
  readonly to: readonly Peer[]
  /** Responses may come from anybody, not only from those asked. */
  readonly broadcast: boolean
  readonly tries: number
  readonly everyMs: number
  /**
   * Judges a response from where it may come from: `undefined` goes on waiting, a number sends no more and waits so many ms, once; anything else is the result.
   */
  readonly take: (response: NamePacket, from: Peer) => { readonly result: T } | number | undefined
  readonly signal: AbortSignal | undefined
}

interface Pending {
  readonly accept: (response: NamePacket, from: Peer) => boolean
  readonly fail: (error: unknown) => void
}

/** Ids of exchanges that are over are remembered, so that the last answers to a broadcast are not taken for forged ones. */
const REMEMBERED = 64

/** Requests and their responses over one UDP port, and what comes in unasked. Its owner closes it; what waits then is rejected with CLOSED. */
export class NameExchange {
  readonly endpoint: Endpoint
  readonly ignored: Ignored = { malformed: 0, unasked: 0, forged: 0, repeated: 0, unentitled: 0 }
  /** Gets requests, and conflict demands, which look like responses. */
  onDemand: (packet: NamePacket, from: Peer) => void = () => {}
  readonly #pending = new Map<number, Pending>()
  readonly #over = new Set<number>()
  #closed = false

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint
    endpoint.receive((bytes, from) => this.#receive(bytes, from))
  }

  /**
   * Sends until a response is taken; undefined when none was. Rejects with the signal's reason, CLOSED, or CONNECT_FAILED when not one packet could be sent.
   */
  async ask<T>({ packet, to, broadcast, tries, everyMs, take, signal }: Ask<T>): Promise<T | undefined> {
    signal?.throwIfAborted()
    if (this.#closed) throw new NbtrunError('CLOSED', 'the name service is closed')
    const id = this.#freeId()
    const request = packet(id)
    const bytes = encode(namePacket, request)
    const key = nameKey(request.question?.name ?? { text: '', suffix: 0, scope: '' })
    return new Promise<T | undefined>((resolve, reject) => {
      let disarm = (): void => {}
      let sent = 0
      let patient = false
      const settle = (outcome: () => void): void => {
        disarm()
        signal?.removeEventListener('abort', abort)
        this.#pending.delete(id)
        this.#remember(id)
        outcome()
      }
      const abort = (): void => settle(() => reject(signal?.reason))
      const fail = (error: unknown): void => settle(() => reject(error))
      const waitUntil = (ms: number, then: () => void): void => {
        disarm()
        disarm = timer(ms, then)
      }
      const next = (): void => {
        if (sent++ === tries) return settle(() => resolve(undefined))
        waitUntil(everyMs, next)
        const work = Promise.allSettled(to.map(peer => this.endpoint.send(bytes, peer)))
        void work.then(results => {
          const [first] = results
          if (first?.status !== 'rejected' || !results.every(result => result.status === 'rejected') || !this.#pending.has(id)) return
          const to_ = to.map(peer => peer.address).join(', ')
          fail(new NbtrunError('CONNECT_FAILED', `cannot send to ${to_}: ${String(first.reason)}`, { cause: first.reason }))
        })
      }
      const accept = (response: NamePacket, from: Peer): boolean => {
        if (!broadcast && !to.some(peer => peer.address === from.address && peer.port === from.port)) return false
        // a node may answer a node status under its own name; every other answer is about the name that was asked for
        if (response.answer?.data.kind !== 'status' && response.answer !== undefined && nameKey(response.answer.name) !== key) return false
        const verdict = take(response, from)
        if (typeof verdict === 'number') {
          if (patient) {
            this.ignored.repeated++ // whoever says "wait" again and again is not waited for again and again
            return true
          }
          patient = true
          sent = tries
          waitUntil(verdict, next)
        } else if (verdict !== undefined) settle(() => resolve(verdict.result))
        return true
      }
      this.#pending.set(id, { accept, fail })
      signal?.addEventListener('abort', abort, { once: true })
      next()
    })
  }

  /** Sends without waiting for anything; what cannot be sent is lost, as any datagram may be. */
  async tell(packet: NamePacket, to: Peer): Promise<void> {
    await this.endpoint.send(encode(namePacket, packet), to).catch(() => {})
  }

  newId(): number {
    return randomInt(0x1_0000)
  }

  close(): Promise<void> {
    this.#closed = true
    for (const { fail } of this.#pending.values()) fail(new NbtrunError('CLOSED', 'the name service is closed'))
    return this.endpoint.close()
  }

  /** Ids cannot be guessed: an answer forged by somebody who does not see the wire has to hit one of 65536. */
  #freeId(): number {
    for (;;) {
      const id = this.newId()
      if (!this.#pending.has(id) && !this.#over.has(id)) return id
    }
  }

  #remember(id: number): void {
    this.#over.add(id)
    const [oldest] = this.#over
    if (this.#over.size > REMEMBERED && oldest !== undefined) this.#over.delete(oldest)
  }

  #receive(bytes: Buffer, from: Peer): void {
    let packet: NamePacket
    try {
      packet = decode(namePacket, bytes)
    } catch (thrown) {
      if (!(thrown instanceof WireError)) throw thrown
      this.ignored.malformed++
      return
    }
    if (!packet.response) return this.onDemand(packet, from)
    const pending = this.#pending.get(packet.id)
    if (pending?.accept(packet, from) === true) return
    if (packet.opcode === OPCODE.REGISTRATION && packet.rcode === RCODE.CONFLICT) return this.onDemand(packet, from)
    if (pending !== undefined) this.ignored.forged++
    else if (this.#over.has(packet.id)) this.ignored.repeated++
    else this.ignored.unasked++
  }
}
