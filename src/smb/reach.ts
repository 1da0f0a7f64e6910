import { NbtrunError } from '../base/errors.ts'
import { negotiate } from './negotiate.ts'
import type { Connection, ConnectionOptions } from './resources.ts'
import { type Opened, openTransport, type TransportOptions } from './transport.ts'

export interface Reached {
  readonly transport: Opened
  readonly connection: Connection
}

/**
 * Connects and negotiates. A server that hangs up on an SMB2 NEGOTIATE may be one that speaks SMB1 alone: it is asked once more, on a new
 * connection, in words that such a server understands too; dialects are offered as before. Nothing is left open after an error.
 */
export async function reach(to: TransportOptions, options: ConnectionOptions): Promise<Reached> {
  try {
    return await reachOnce(to, options)
  } catch (thrown) {
    if (!isHangup(thrown) || to.signal?.aborted === true) throw thrown
    return reachOnce(to, { ...options, multiProtocol: true })
  }
}

/** The same without a second question. */
export async function reachOnce(to: TransportOptions, options: ConnectionOptions): Promise<Reached> {
  const transport = await openTransport(to)
  const stop = (): void => transport.destroy()
  to.signal?.addEventListener('abort', stop, { once: true })
  try {
    return { transport, connection: await negotiate(transport, options) }
  } finally {
    to.signal?.removeEventListener('abort', stop)
  }
}

function isHangup(thrown: unknown): boolean {
  return thrown instanceof NbtrunError && thrown.code === 'CONNECTION_LOST'
}
