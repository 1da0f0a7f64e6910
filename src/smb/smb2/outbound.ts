import { Writer } from '../../base/wire.ts'
import type { Call, Pending } from './call.ts'
import { COMMAND, FLAG, header, HEADER_SIZE, type Header } from './header.ts'

/** NextCommand within the header. */
const NEXT_AT = 20
/** A body's fixed part, with room for a name. */
const USUAL_BODY = 192

/** How the header's credit fields are filled: CreditCharge is sent only where the server supports multi-credit requests, and all of `ask` is asked at the end. */
export interface Asking {
  readonly charges: boolean
  readonly ask: number
}

/** What a frame of requests, whose message ids are known, sends: a single one, or a compound of them, in one seal. [MS-SMB2] 3.2.4.1. */
export function frameOf(requests: readonly Pending[], related: boolean, { charges, ask }: Asking): Buffer {
  const w = new Writer(requests.reduce((sum, { call }) => sum + HEADER_SIZE + USUAL_BODY + (call.command === 'WRITE' ? (call.payload ?? 0) : 0), 0))
  const starts: number[] = []
  let asked = 0
  for (const [i, { call, charge, messageId }] of requests.entries()) {
    w.align(8)
    starts.push(w.pos)
    const credits = i === requests.length - 1 ? ask - asked : charge
    asked += credits
    const flags = (isSigned(call) ? FLAG.SIGNED : 0) | (related && i > 0 ? FLAG.RELATED : 0)
    header.put(w, { ...addressed(call), charge: charges ? charge : 0, credits, flags, messageId })
    call.codec.put(w, call.body)
  }
  const frame = w.done()
  for (const [i, { call }] of requests.entries()) {
    const end = starts[i + 1] ?? frame.length
    if (end < frame.length) frame.writeUInt32LE(end - starts[i]!, starts[i]! + NEXT_AT)
    const message = frame.subarray(starts[i], end) // its padding is signed with it
    sign(call, message)
    call.onSent?.(message)
  }
  return seal(requests[0]!.call, frame)
}

/** CANCEL names the request by AsyncId once the server gave one, costs no credit and gets no answer. [MS-SMB2] 3.2.4.24. */
export function cancelOf({ call, messageId, asyncId }: Pending): Buffer {
  const w = new Writer(HEADER_SIZE + 4)
  const flags = (asyncId === undefined ? 0 : FLAG.ASYNC) | (isSigned(call) ? FLAG.SIGNED : 0)
  header.put(w, { ...addressed(call), command: COMMAND.CANCEL, charge: 0, credits: 0, flags, messageId, asyncId: asyncId ?? 0n })
  w.u16(4).u16(0)
  const message = w.done()
  sign(call, message)
  return seal(call, message)
}

function addressed({ command, treeId = 0, sessionId = 0n }: Call<unknown>): Omit<Header, 'charge' | 'credits' | 'flags' | 'messageId'> {
  return { command: COMMAND[command], status: 0, next: 0, asyncId: 0n, treeId, sessionId }
}

/** What is sealed is not signed. */
function isSigned({ signer, sealer }: Call<unknown>): boolean {
  return signer !== undefined && sealer === undefined
}

function sign(call: Call<unknown>, message: Buffer): void {
  if (isSigned(call)) call.signer?.sign(message)
}

function seal({ sealer, sessionId = 0n }: Call<unknown>, frame: Buffer): Buffer {
  return sealer === undefined ? frame : sealer.seal(sessionId, frame)
}
