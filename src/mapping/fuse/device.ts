import { closeSync, read as readFile, writeSync, writevSync } from 'node:fs'
import { Socket } from 'node:net'
import { errnoOf } from '../../base/errors.ts'
import { Reader, Writer } from '../../base/wire.ts'
import { errnoNumber } from './errno.ts'
import { REPLY_HEADER_LENGTH, replyHeader } from './protocol/header.ts'

/** What one read of /dev/fuse needs room for: the largest write and its headers. */
export const MAX_WRITE = 1 << 20
export const MESSAGE_LENGTH = MAX_WRITE + 4096
/** Buffers of a megabyte kept for reuse: fresh ones cost a page fault for every 4 KiB. */
const SPARE_BUFFERS = 8
const READS_IN_FLIGHT = 2

export interface DeviceEvents {
  /** One request of the kernel. The message is good until the call returns, or until `giveBack` if `keep` was called meanwhile. */
  message(message: Buffer): void
  /** The kernel does not take a reply of so many bytes. It was told EIO instead, as an unanswered request would hang its program for ever. */
  refused(length: number): void
  /** No request will come any more: the mount ended (ENODEV), was aborted, or `close` was called. Called once; `why` where it was none of these. */
  end(why?: string): void
}

/** A mount that is served here, through a descriptor of /dev/fuse or through a process that holds one. */
export interface Device {
  /** Sends one reply. The header may change afterwards, the data must not. */
  send(header: Buffer, data?: Buffer): void
  /** The same, and whether the kernel took it: when it did not, nobody waits for it any more, and what the request produced must be undone. */
  offer(header: Buffer, data?: Buffer): boolean | Promise<boolean>
  /** The message being delivered outlives its call; returns what to give back. */
  keep(): Buffer
  giveBack(buffer: Buffer): void
  close(): void
}

/** Begins to serve. */
export type Attach = (events: DeviceEvents) => Device

/** Polled where this Node lets us, else undefined. The descriptor must have been mounted, and belongs to the device. */
export function polledDevice(fd: number): Attach | undefined {
  const handle = pollable(fd)
  return handle === undefined ? undefined : events => new Polled(fd, events, handle)
}

/** With blocking reads, which nothing but the mount's end or the process's own SIGKILL ends: `process.exit` waits for them. */
export function threadedDevice(fd: number): Attach {
  return events => new Threaded(fd, events)
}

/** The part of libuv's Pipe handle used here: not public in Node, hence the checks in `pollable`. */
interface PipeHandle {
  open(fd: number): number
}

/** A libuv Pipe polls any descriptor that can be polled, /dev/fuse too. Its constructor shows itself on a socket that tries to connect to a path. */
function pollable(fd: number): PipeHandle | undefined {
  const socket = new Socket().on('error', () => {}) // there is nothing to connect to
  try {
    socket.connect({ path: '/dev/null/none' })
    const sample: unknown = '_handle' in socket ? socket._handle : undefined
    if (typeof sample !== 'object' || sample === null || !('open' in sample)) return undefined
    const Pipe = sample.constructor as new (type: number) => PipeHandle
    const handle = new Pipe(0)
    return handle.open(fd) === 0 ? handle : undefined
  } catch {
    return undefined
  } finally {
    socket.destroy()
  }
}

/** The buffers of a device, and its replies, which never block. */
abstract class Base implements Device {
  readonly fd: number
  protected readonly events: DeviceEvents
  protected kept = false
  protected current: Buffer = Buffer.allocUnsafeSlow(0)
  readonly #spare: Buffer[] = []
  #ended = false

  constructor(fd: number, events: DeviceEvents) {
    this.fd = fd
    this.events = events
  }

  abstract close(): void

  send(header: Buffer, data?: Buffer): void {
    this.offer(header, data)
  }

  offer(header: Buffer, data?: Buffer): boolean {
    if (this.#ended) return false
    try {
      if (data === undefined) writeSync(this.fd, header)
      else writevSync(this.fd, [header, data])
      return true
    } catch (error) {
      const code = errnoOf(error)
      if (code === 'EINVAL' || code === 'ENOMEM' || code === 'E2BIG') this.#refused(header, header.length + (data?.length ?? 0))
      return false // ENOENT: interrupted or aborted; EPERM, ENODEV: unmounted
    }
  }

  #refused(header: Buffer, length: number): void {
    const { error, unique } = replyHeader.get(new Reader(header))
    if (length === REPLY_HEADER_LENGTH && error === errnoNumber('EIO')) return
    this.events.refused(length)
    const w = new Writer(REPLY_HEADER_LENGTH)
    replyHeader.put(w, { length: REPLY_HEADER_LENGTH, error: errnoNumber('EIO'), unique })
    this.offer(w.done())
  }

  keep(): Buffer {
    this.kept = true
    return this.current
  }

  giveBack(buffer: Buffer): void {
    if (this.#spare.length < SPARE_BUFFERS) this.#spare.push(buffer)
  }

  protected fresh(): Buffer {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(MESSAGE_LENGTH)
  }

  protected deliver(buffer: Buffer, length: number): void {
    this.kept = false
    this.current = buffer
    this.events.message(buffer.subarray(0, length))
  }

  protected end(): void {
    if (this.#ended) return
    this.#ended = true
    this.events.end()
  }
}

class Polled extends Base {
  readonly #socket: Socket

  constructor(fd: number, events: DeviceEvents, handle: PipeHandle) {
    super(fd, events)
    let buffer = this.fresh()
    const options = {
      handle,
      readable: true,
      writable: false,
      onread: {
        // asked again after every message, so a kept buffer is replaced before the next one
        buffer: (): Buffer => {
          if (this.kept) buffer = this.fresh()
          this.kept = false
          return buffer
        },
        callback: (length: number, bytes: Uint8Array): boolean => {
          this.deliver(bytes as Buffer, length)
          return true
        },
      },
    }
    this.#socket = new Socket(options)
    this.#socket.on('error', () => {}) // ENODEV and its like: the end, told by 'close'
    this.#socket.on('close', () => this.end())
  }

  close(): void {
    this.#socket.destroy()
  }
}

/**
 * Two blocking reads. They end only with the mount: after `close` requests are still delivered until then. The descriptor stays open as long,
 * for a reply nobody can send would hang the program that waits for it.
 */
class Threaded extends Base {
  #reading = READS_IN_FLIGHT
  #closing = false

  constructor(fd: number, events: DeviceEvents) {
    super(fd, events)
    for (let n = 0; n < READS_IN_FLIGHT; n++) this.#read(this.fresh())
  }

  #read(buffer: Buffer): void {
    readFile(this.fd, buffer, 0, buffer.length, null, (error, length) => {
      const again = errnoOf(error)
      if (error === null) this.deliver(buffer, length)
      else if (again !== 'EINTR' && again !== 'EAGAIN' && again !== 'ENOENT') return this.#stopped()
      this.#read(error === null && this.kept ? this.fresh() : buffer)
    })
  }

  #stopped(): void {
    if (--this.#reading > 0) return
    if (!this.#closing) this.end()
    closeSync(this.fd)
  }

  close(): void {
    if (this.#closing) return
    this.#closing = true
  }
}
