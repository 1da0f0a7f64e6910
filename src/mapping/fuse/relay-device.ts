import type { Socket } from 'node:net'
import { isSea } from 'node:sea'
import { fileURLToPath } from 'node:url'
import { asError } from '../../base/errors.ts'
import { deferred, type Deferred } from '../../base/time.ts'
import type { Attach, Device, DeviceEvents } from './device.ts'
import { FrameReader, markAsking, wordOf } from './relay-frames.ts'

/** The first word of a single executable that is to be a relay: it has no file beside it. */
export const RELAY_WORD = '--be-the-relay'

/**
 * The words that start a relay: another Node, as a file of its own beside this one, in dist/ as in the sources. Why Node: /dev/fuse wants whole messages of a
 * megabyte in one read and one write each, which no tool of every system does, and a Node is at hand.
 */
export function relayWords(): readonly string[] {
  if (isSea()) return [process.execPath, RELAY_WORD]
  const isSource = import.meta.url.endsWith('.ts')
  return [process.execPath, ...(isSource ? process.execArgv : []), fileURLToPath(new URL(isSource ? 'relay.ts' : 'relay.js', import.meta.url))]
}

/** A mount whose descriptor another process of ours holds, at the other end of the socket. It stays unread until something attaches. */
export function relayedDevice(socket: Socket): Attach {
  return events => new Relayed(socket, events)
}

class Relayed implements Device {
  readonly #socket: Socket
  readonly #events: DeviceEvents
  /** Of offers that were sent: whether the kernel took them. */
  readonly #offers = new Map<number, Deferred<boolean>>()
  #current: Buffer = Buffer.alloc(0)
  #ended = false

  constructor(socket: Socket, events: DeviceEvents) {
    this.#socket = socket
    this.#events = events
    const frames = new FrameReader(frame => this.#take(frame))
    socket.on('data', (chunk: Buffer) => {
      try {
        frames.push(chunk)
      } catch (thrown) {
        this.#end(asError(thrown).message)
        socket.destroy()
      }
    })
    socket.on('error', () => {}) // told by 'close'
    socket.on('close', () => this.#end('the relay that held the mapping is gone'))
  }

  send(header: Buffer, data?: Buffer): void {
    if (this.#ended) return
    this.#write(Buffer.from(header), data)
  }

  offer(header: Buffer, data?: Buffer): boolean | Promise<boolean> {
    if (this.#ended) return false
    const copy = Buffer.from(header)
    const offer = deferred<boolean>()
    this.#offers.set(uniqueOf(copy), offer)
    markAsking(copy)
    this.#write(copy, data)
    return offer.promise
  }

  /** Every frame has memory that nobody uses again. */
  keep(): Buffer {
    return this.#current
  }
  giveBack(): void {}

  /** What was sent still arrives. */
  close(): void {
    this.#end()
    this.#socket.end()
  }

  #write(header: Buffer, data: Buffer | undefined): void {
    if (data === undefined) return void this.#socket.write(header)
    this.#socket.cork()
    this.#socket.write(header)
    this.#socket.write(data)
    this.#socket.uncork()
  }

  #take(frame: Buffer): void {
    const said = wordOf(frame)
    if (said === undefined) {
      this.#current = frame
      if (!this.#ended) this.#events.message(frame)
      return
    }
    switch (said.what) {
      case 'taken':
      case 'gone':
        this.#offers.get(said.value)?.resolve(said.what === 'taken')
        this.#offers.delete(said.value)
        return
      case 'refused':
        return this.#events.refused(said.value)
      case 'end':
        return this.#end()
    }
  }

  #end(why?: string): void {
    if (this.#ended) return
    this.#ended = true
    for (const offer of this.#offers.values()) offer.resolve(false)
    this.#offers.clear()
    this.#events.end(why)
  }
}

/** struct fuse_out_header, third member. */
function uniqueOf(reply: Buffer): number {
  return Number(reply.readBigUInt64LE(8))
}
