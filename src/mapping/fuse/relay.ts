// A process of its own: it holds descriptors of /dev/fuse that nbtrun cannot have or cannot poll, and passes the kernel's messages on. It knows nothing of
// servers, files or secrets. Descriptor 3 is its control socket, from 4 on a socket for each mount. It ends with its mounts, and when nbtrun is gone.
import { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { asError } from '../../base/errors.ts'
import { Writer } from '../../base/wire.ts'
import { type Attach, polledDevice, threadedDevice } from './device.ts'
import { errnoNumber } from './errno.ts'
import { OP } from './protocol/constants.ts'
import { REPLY_HEADER_LENGTH, replyHeader } from './protocol/header.ts'
import { FrameReader, takeAsking, wordFrame } from './relay-frames.ts'
import { fillRoom, startHolder } from './room-root.ts'
import type { RoomPlan } from './room-way.ts'

/** What it is told first, as a line of JSON: to make a room and serve its mounts, or to serve a descriptor that it inherited. */
export type RelayTask = { readonly blocking: boolean } & (
  | ({ readonly kind: 'room' } & Pick<RoomPlan, 'tools' | 'mounts'>)
  | { readonly kind: 'descriptor'; readonly fd: number }
)

const CONTROL = 3
const FIRST_SOCKET = 4
/** Requests up to this length are copied out of their buffer; above, the buffer is kept until the socket has them. */
const COPY_LENGTH = 16 * 1024

/** Requests that may stay without a reply. */
const UNANSWERED = new Set<number>([OP.FORGET, OP.BATCH_FORGET, OP.INTERRUPT])

const control = new Socket({ fd: CONTROL })
const lines = createInterface({ input: control })
const left = new Promise<void>(resolve => lines.once('close', resolve))
control.on('error', () => {}) // nbtrun is gone, which 'close' tells
lines.once('line', (line: string) => {
  work(JSON.parse(line) as RelayTask).then(
    () => process.kill(process.pid, 'SIGKILL'), // a blocked read would keep process.exit waiting
    (thrown: unknown) => {
      const { code, message } = asError(thrown)
      if (code !== 'MAPPING_FAILED') process.stderr.write(`${message}\n`) // else a tool has said it
      process.exit(1)
    },
  )
})

async function work(task: RelayTask): Promise<void> {
  const mounts: Promise<void>[] = []
  const serveFd = async (fd: number, index: number): Promise<void> => {
    mounts.push(pump((task.blocking ? undefined : polledDevice(fd)) ?? threadedDevice(fd), FIRST_SOCKET + index))
  }
  if (task.kind === 'descriptor') await serveFd(task.fd, 0)
  else {
    const holder = await startHolder(task, 'inherit')
    void left.then(() => holder.leave())
    try {
      await fillRoom(holder, { ...task, serveFd, signal: new AbortController().signal }, 'inherit')
    } catch (thrown) {
      await holder.kill()
      throw thrown
    }
    control.write(`${holder.pid}\n`)
  }
  await Promise.all(mounts)
}

/** Passes messages both ways; resolves when the mount is no more, or nbtrun has closed the socket. */
function pump(attach: Attach, socketFd: number): Promise<void> {
  const socket = new Socket({ fd: socketFd })
  // blocking reads cannot be stopped, and hold the descriptor: what they still deliver, and what nobody answered, is answered here
  const waiting = new Set<number>()
  let closed = false
  const device = attach({
    message: message => {
      const unique = Number(message.readBigUInt64LE(8))
      if (closed) return device.send(goneReply(unique))
      if (!UNANSWERED.has(message.readUInt32LE(4))) waiting.add(unique)
      if (message.length <= COPY_LENGTH) return void socket.write(Buffer.from(message))
      const kept = device.keep()
      socket.write(message, () => device.giveBack(kept))
    },
    refused: length => void socket.write(wordFrame('refused', length)),
    end: () => void socket.end(wordFrame('end')),
  })
  const frames = new FrameReader(reply => {
    const asks = takeAsking(reply)
    const unique = Number(reply.readBigUInt64LE(8))
    waiting.delete(unique)
    const taken = device.offer(reply)
    if (asks) socket.write(wordFrame(taken === true ? 'taken' : 'gone', unique))
  })
  return new Promise(resolve => {
    socket.on('data', (chunk: Buffer) => frames.push(chunk))
    socket.on('error', () => {}) // nbtrun is gone
    socket.on('close', () => {
      closed = true
      for (const unique of waiting) device.send(goneReply(unique))
      device.close()
      resolve()
    })
  })
}

/** ENOTCONN. */
function goneReply(unique: number): Buffer {
  const w = new Writer(REPLY_HEADER_LENGTH)
  replyHeader.put(w, { length: REPLY_HEADER_LENGTH, error: errnoNumber('ENOTCONN'), unique })
  return w.done()
}
