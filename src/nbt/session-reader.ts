import type { Socket } from 'node:net'
import { errnoOf, NbtrunError } from '../base/errors.ts'
import { decode, WireError } from '../base/wire.ts'
import { type SessionPacket, sessionHeader, sessionPacket } from './session.ts'

/**
 * The next session service packet of a connection that nobody else reads; what follows stays in the socket. Rejects with CONNECTION_LOST, WireError (also when
 * it is longer than `longest`) or the signal's reason.
 */
export async function nextPacket(socket: Socket, longest: number, signal: AbortSignal): Promise<SessionPacket> {
  const head = await read(socket, 4, signal)
  const { type, length } = decode(sessionHeader, head)
  if (length > longest) throw new WireError(`session packet of type 0x${type.toString(16)} with ${length} bytes`, 0)
  const trailer = length === 0 ? Buffer.alloc(0) : await read(socket, length, signal)
  return decode(sessionPacket, Buffer.concat([head, trailer]))
}

/** Exactly n bytes; what follows stays in the socket. */
function read(socket: Socket, n: number, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void): void => {
      signal.removeEventListener('abort', abort)
      socket.off('readable', look).off('end', look).off('close', look)
      outcome()
    }
    const abort = (): void => settle(() => reject(signal.reason))
    const look = (): void => {
      const bytes = socket.read(n) as Buffer | null // shorter only at the end of the stream
      if (bytes?.length === n) return settle(() => resolve(bytes))
      if (bytes === null && !socket.readableEnded && !socket.destroyed) return
      const why = errnoOf(socket.errored) ?? 'closed by the server'
      settle(() => reject(new NbtrunError('CONNECTION_LOST', `no answer to the session request: ${why}`)))
    }
    if (signal.aborted) return reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    socket.on('readable', look).on('end', look).on('close', look)
    look()
  })
}
