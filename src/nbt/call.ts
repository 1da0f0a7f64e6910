import type { Socket } from 'node:net'
import { NbtrunError } from '../base/errors.ts'
import { encode, WireError } from '../base/wire.ts'
import { limited } from './dial.ts'
import { type NetbiosName, spellName } from './names.ts'
import { REFUSALS, type SessionPacket, sessionPacket } from './session.ts'
import { nextPacket } from './session-reader.ts'

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
      const answer = await nextPacket(socket, LONGEST_ANSWER, limit)
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
