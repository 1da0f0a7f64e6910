import { connect, isIPv4, type Socket } from 'node:net'
import { errnoOf, NbtrunError } from '../base/errors.ts'
import { spell, timer } from '../base/time.ts'

/**
 * Runs `work` under a signal of its own, which aborts with the outer signal's reason, with TIMED_OUT after `ms`, and once the work is over. The
 * work must heed it: nothing here waits beside it.
 */
export async function limited<T>(outer: AbortSignal | undefined, ms: number, doing: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  outer?.throwIfAborted()
  const own = new AbortController()
  const disarm = timer(ms, () => own.abort(new NbtrunError('TIMED_OUT', `${doing} took longer than ${spell(ms)}`)))
  const follow = (): void => own.abort(outer?.reason)
  outer?.addEventListener('abort', follow, { once: true })
  try {
    return await work(own.signal)
  } finally {
    disarm()
    outer?.removeEventListener('abort', follow)
    own.abort(new NbtrunError('CANCELLED', `${doing} is over`))
  }
}

/** A promise that rejects with the signal's reason as soon as it aborts, for work that cannot be stopped. */
export function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/**
 * A SYN without an answer, which is what a server with a full queue gives, goes out again at ever longer intervals. A new attempt keeps two of them at most 4 s apart
 * for as long as anybody has patience.
 */
const ATTEMPT_MS = 7000

/**
 * A connected TCP socket, not yet reading. Its port is no other connection's of this machine, where there is such a port, so that the server can be called from it once
 * more when the connection is lost (`hasFallen`). Rejects with the system's error (ECONNREFUSED …) or the signal's reason; the socket is gone then.
 */
export async function dial(address: string, port: number, signal: AbortSignal): Promise<Socket> {
  // bound before it is connected: the kernel lets connections to several places share a port otherwise
  let from: string | undefined = isIPv4(address) ? '0.0.0.0' : '::'
  for (;;) {
    try {
      return await limited(signal, ATTEMPT_MS, `a connection to ${address}`, limit => attempt(address, port, from, limit))
    } catch (thrown) {
      if (from !== undefined && errnoOf(thrown) === 'EADDRINUSE') from = undefined
      else if (signal.aborted || !(thrown instanceof NbtrunError && thrown.code === 'TIMED_OUT')) throw thrown
    }
  }
}

/** `from`: the address to bind to, if any. */
function attempt(address: string, port: number, from: string | undefined, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const socket = connect({ host: address, port, noDelay: true, localAddress: from })
    const settle = (outcome: () => void): void => {
      signal.removeEventListener('abort', abort)
      socket.off('connect', connected).off('error', failed)
      socket.on('error', () => {}) // a reset between two owners is found in `errored`, not in an uncaught exception
      outcome()
    }
    const connected = (): void => settle(() => resolve(socket))
    const failed = (error: Error): void => settle(() => reject(error))
    const abort = (): void => {
      settle(() => reject(signal.reason))
      socket.destroy()
    }
    socket.on('connect', connected).on('error', failed)
    signal.addEventListener('abort', abort, { once: true })
  })
}
