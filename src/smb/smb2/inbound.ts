import { decode, WireError } from '../../base/wire.ts'
import type { Sealer } from '../crypto/sealer.ts'
import { header, HEADER_SIZE, type Header } from './header.ts'
import { isSealed, transformHeader } from './transform.ts'

/** One message of a frame. */
export interface Received {
  readonly header: Header
  /** The whole message, header and padding included. */
  readonly message: Buffer
  /** What the frame was sealed with; undefined when it came in the clear. */
  readonly sealer: Sealer | undefined
}

/** The messages of one frame: a single one, or several compounded. Sealed frames are opened first, by the session they name. [MS-SMB2] 3.2.5.1. */
export function* messagesIn(frame: Buffer, sealers: ReadonlyMap<bigint, Sealer>): Generator<Received> {
  if (!isSealed(frame)) return yield* compounded(frame, undefined)
  const { sessionId } = decode(transformHeader, frame)
  const sealer = sealers.get(sessionId)
  if (sealer === undefined) throw new WireError(`a sealed message of session 0x${sessionId.toString(16)}, which is none of ours`, 44)
  // no seal within a seal: that is no SMB2 header
  for (const received of compounded(sealer.open(frame), sealer)) {
    const inner = received.header.sessionId
    if (inner !== sessionId) throw new WireError(`a message of session 0x${inner.toString(16)} sealed as session 0x${sessionId.toString(16)}`, 40)
    yield received
  }
}

function* compounded(frame: Buffer, sealer: Sealer | undefined): Generator<Received> {
  for (let at = 0; ; ) {
    const rest = frame.subarray(at)
    const h = decode(header, rest)
    if (h.next !== 0 && (h.next < HEADER_SIZE || h.next % 8 !== 0 || h.next > rest.length - HEADER_SIZE)) {
      throw new WireError(`NextCommand of ${h.next} is outside`, at)
    }
    yield { header: h, message: h.next === 0 ? rest : rest.subarray(0, h.next), sealer }
    if (h.next === 0) return
    at += h.next
  }
}
