import { closeSync, read as readFile, writeSync, writevSync } from 'node:fs'
import { Socket } from 'node:net'
import { errnoOf } from '../../base/errors.ts'

/** What one read of /dev/fuse needs room for: the largest write and its headers. */
export const MAX_WRITE = 1 << 20
const MESSAGE_LENGTH = MAX_WRITE + 4096
/** Buffers of a megabyte kept for reuse: fresh ones cost a page fault for every 4 KiB. */
const SPARE_BUFFERS = 8
const READS_IN_FLIGHT = 2

export interface DeviceEvents {
  /** One request of the kernel. The message is good until the call returns, or until `giveBack` if `keep` was called meanwhile. */
  message(message: Buffer): void
  /** No request will come any more: the mount ended (ENODEV), was aborted, or `close` was called. Called once. */
  end(): void
}

/** A file descriptor of /dev/fuse whose mount is served here. It belongs to the device from now on. */
export interface Device {
  /** Sends one reply. `gone`: nobody waits for it any more. `refused`: the kernel does not take it, the request still waits. */
  send(header: Buffer, data?: Buffer): 'sent' | 'gone' | 'refused'
  /** The message being delivered outlives its call; returns what to give back. */
  keep(): Buffer
  giveBack(buffer: Buffer): void
  close(): void
}

export type OpenDevice = (fd: number, events: DeviceEvents) => Device

/** Polled where this Node lets us, else with blocking reads. */
export const openDevice: OpenDevice = (fd, events) => {
  const handle = pollable(fd)
  return handle === undefined ? threadedDevice(fd, events) : polledDevice(fd, events, handle)
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

  send(header: Buffer, data?: Buffer): 'sent' | 'gone' | 'refused' {
    if (this.#ended) return 'gone'
    try {
      if (data === undefined) writeSync(this.fd, header)
      else writevSync(this.fd, [header, data])
      return 'sent'
    } catch (error) {
      const code = errnoOf(error)
      return code === 'EINVAL' || code === 'ENOMEM' || code === 'E2BIG' ? 'refused' : 'gone' // ENOENT: interrupted or aborted; EPERM, ENODEV: unmounted
    }
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

export function polledDevice(fd: number, events: DeviceEvents, handle: PipeHandle): Device {
  return new Polled(fd, events, handle)
}

export const threadedDevice: OpenDevice = (fd, events) => new Threaded(fd, events)
