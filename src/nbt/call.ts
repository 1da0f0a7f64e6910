import type { Socket } from 'node:net'
import { errnoOf, NbtrunError } from '../base/errors.ts'
import { decode, encode, WireError } from '../base/wire.ts'
import { limited } from './dial.ts'
import { type NetbiosName, spellName } from './names.ts'
import { REFUSALS, type SessionPacket, sessionHeader, sessionPacket } from './session.ts'

export interface CallNames {
  readonly called: NetbiosName
  readonly calling: NetbiosName
}

/** The longest answer to a session request is the retarget's. */
const LONGEST_ANSWER = 6

/**
 * Asks for a session over a connected socket that nobody reads yet, and resolves when it stands. Bytes behind the answer stay in the socket.
 * Rejects with CALLED_NAME_REFUSED (`facts.called`; `facts.reason`, a number; or `facts.retarget`, `address:port`), CONNECTION_LOST, TIMED_OUT,
 * WireError or the signal's reason; the socket stays the caller's to destroy. RFC 1002 section 5.3.1.
 */
export function callSession(socket: Socket, { called, calling }: CallNames, timeoutMs: number, signal?: AbortSignal): Promise<void> {
  return limited(signal, timeoutMs, `the session request to ${spellName(called)}`, async limit => {
    const request = encode(sessionPacket, { type: 'request', called, calling })
    socket.write(request)
    for (;;) {
      const answer = await nextPacket(socket, limit)
      if (answer.type === 'positive') return
      if (answer.type !== 'keepalive') throw refusal(called, answer)
    }
  })
}

function refusal(called: NetbiosName, answer: SessionPacket): NbtrunError {
  const name = spellName(called)
  switch (answer.type) {
    case 'negative': {
      const meaning = REFUSALS.get(answer.reason) ?? 'a reason RFC 1002 does not know'
      return new NbtrunError('CALLED_NAME_REFUSED', `called name ${name} refused: 0x${answer.reason.toString(16).padStart(2, '0')} (${meaning})`, {
        hint: 'give the name the server answers to with --called-name',
        facts: { called: name, reason: answer.reason },
      })
    }
    case 'retarget': {
      const retarget = `${answer.address}:${answer.port}`
      return new NbtrunError('CALLED_NAME_REFUSED', `called name ${name} refused: 0x84 (it is served at ${retarget})`, {
        hint: 'connect there',
        facts: { called: name, retarget },
      })
    }
    default:
      return new WireError(`session request answered by a ${answer.type} packet`, 0)
  }
}

async function nextPacket(socket: Socket, signal: AbortSignal): Promise<SessionPacket> {
  const head = await read(socket, 4, signal)
  const { type, length } = decode(sessionHeader, head)
  if (length > LONGEST_ANSWER) throw new WireError(`session request answered by type 0x${type.toString(16)} with ${length} bytes`, 0)
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
