import { NbtrunError } from '../../base/errors.ts'
import { STATUS, statusName } from '../status.ts'
import type { Signer } from '../crypto/signer.ts'
import type { Call } from './call.ts'
import { FLAG } from './header.ts'
import type { Received } from './inbound.ts'

/** An answer to these may be unsigned: the server has no key for the session any more. */
const SESSION_GONE = new Set([STATUS.USER_SESSION_DELETED, STATUS.NETWORK_SESSION_EXPIRED])

const TAMPERED = 'somebody or something between here and the server changes what is sent; nothing more was read or written'

/** Throws BAD_SIGNATURE unless an answer is the server's, as far as its session can prove it. [MS-SMB2] 3.2.5.1.1.1 and 3.2.5.1.3. */
export function requireAuthentic(call: Call<unknown>, answer: Received, interim: boolean): void {
  if (answer.sealer !== undefined) {
    // Opened with its session's key, it needs no signature; it only must be an answer of that session.
    if (answer.header.sessionId === call.sessionId && (call.sealer ?? answer.sealer) === answer.sealer) return
    throw new NbtrunError('BAD_SIGNATURE', `the answer to ${call.command} is encrypted for another session`, { hint: TAMPERED })
  }
  if (call.sealer !== undefined) return requireSessionGone(call, answer)
  if (call.signer !== undefined) requireSigned(call, answer, interim)
}

/**
 * The server seals every answer to a sealed request ([MS-SMB2] 3.3.4.1.4), interim ones too, and Samba's client refuses those that are not. One is
 * taken in the clear, as Samba's client does: a server that has lost the session has lost its keys. It carries no data, and believing it
 * ends the session, which whoever forged it could have done by a reset. An expired session still has its keys.
 */
function requireSessionGone(call: Call<unknown>, { header: { status } }: Received): void {
  if (status === STATUS.USER_SESSION_DELETED) return
  throw new NbtrunError('BAD_SIGNATURE', `the answer to ${call.command} (${statusName(status)}) is not encrypted`, {
    hint: "the session is encrypted, so the answer is not the server's",
  })
}

/**
 * impacket's server signs each answer and puts them together then: its signature is without NextCommand and padding, which say nothing but where the next
 * one begins, and that one is signed itself.
 */
function verifiesAlone(signer: Signer, message: Buffer): boolean {
  const alone = Buffer.from(message)
  alone.writeUInt32LE(0, NEXT_AT)
  for (let length = alone.length; length > alone.length - 8; length--) {
    if (signer.verify(alone.subarray(0, length))) return true
    if (alone[length - 1] !== 0) return false
  }
  return false
}

/** [MS-SMB2] 2.2.1.2: NextCommand. */
const NEXT_AT = 20

function requireSigned({ command, signer }: Call<unknown>, { header: h, message }: Received, interim: boolean): void {
  if (signer === undefined) return
  if ((h.flags & FLAG.SIGNED) !== 0) {
    if (signer.verify(message) || (h.next !== 0 && verifiesAlone(signer, message))) return
    // Samba returns the request's own signature where it has no key any more: no worse than none
    if (h.status === STATUS.USER_SESSION_DELETED) return
    throw new NbtrunError('BAD_SIGNATURE', `the answer to ${command} has a wrong signature (${signer.algorithm})`, { hint: TAMPERED })
  }
  // Interim answers are not signed; some servers do not sign LOGOFF's, nor can they where the session is gone.
  if (interim || command === 'LOGOFF' || SESSION_GONE.has(h.status)) return
  throw new NbtrunError('BAD_SIGNATURE', `the answer to ${command} (${statusName(h.status)}) is not signed`, {
    hint: "the session is signed, so the answer is not the server's",
  })
}
