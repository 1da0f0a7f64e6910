import { NbtrunError } from '../base/errors.ts'
import { now, pause } from '../base/time.ts'
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

/**
 * The same without a second question. A connection that the server has not taken is made anew while there is time to connect; CONNECT_FAILED when that is over.
 */
export async function reachOnce(to: TransportOptions, options: ConnectionOptions): Promise<Reached> {
  const dueAt = now() + to.timeoutMs
  for (let timeoutMs = to.timeoutMs; ; timeoutMs = dueAt - now()) {
    const transport = await openTransport({ ...to, timeoutMs })
    const stop = (): void => transport.destroy()
    to.signal?.addEventListener('abort', stop, { once: true })
    const over = new AbortController()
    const unheard = unlessHeard(transport, over.signal).catch(() => false) // a look that fails, out of descriptors, says nothing
    try {
      return { transport, connection: await negotiate(transport, options) }
    } catch (thrown) {
      over.abort()
      if (to.signal?.aborted === true || !(await unheard)) throw thrown
      if (now() >= dueAt) throw untaken(to.host, transport)
    } finally {
      over.abort()
      to.signal?.removeEventListener('abort', stop)
    }
  }
}

/** How long between two looks, in which an initial loss or two is mended. */
const LOOK_MS = 3000
/** Within 1.5 s, where nothing is acknowledged. */
const RESENT = 3

/**
 * Ends a connection that is one only here, and resolves to true. Where a server's queue fills up between SYN and ACK, its kernel drops whatever comes, says nothing for a
 * minute, and then resets. A server that only takes its time has a kernel that acknowledges. Resolves to false once `over` aborts.
 */
async function unlessHeard(transport: Opened, over: AbortSignal): Promise<boolean> {
  for (await pause(LOOK_MS, over); !over.aborted && transport.ends !== undefined; await pause(LOOK_MS, over)) {
    const { rowOf } = await import('../nbt/tcp-table.ts')
    if (over.aborted || (rowOf(transport.ends)?.resent ?? 0) < RESENT) continue
    transport.destroy()
    return true
  }
  return false
}

function untaken(host: string, { port }: Opened): NbtrunError {
  return new NbtrunError('CONNECT_FAILED', `cannot connect to ${host} (${port}: nothing that was sent is acknowledged)`, {
    hint: 'it has more to do than it can, or the network loses packets: try again later, or give it longer with --connect-timeout',
  })
}

function isHangup(thrown: unknown): boolean {
  return thrown instanceof NbtrunError && thrown.code === 'CONNECTION_LOST'
}
