import type { Credentials } from '../auth/credentials.ts'
import { spnegoNtlm } from '../auth/spnego.ts'
import { unlessAborted } from '../../nbt/dial.ts'
import { Connection } from '../connection.ts'
import { Session } from '../session.ts'
import { openTransport, type TransportOptions } from '../transport.ts'
import type { Clock } from './known.ts'

/** All that is needed to log in on a server, the first time and again. */
export interface Login {
  readonly host: string
  readonly transport: Omit<TransportOptions, 'signal'>
  readonly ioTimeoutMs: number
  readonly clientGuid: Buffer
  readonly credentials: Credentials
  /** As shown to people: `alice`, `DOM/alice`. */
  readonly who: string
  readonly allowUnsigned: boolean
  readonly logonHint?: string
  /** After so much silence the server is asked whether it is there, ms; 0 or absent: never. */
  readonly keepaliveMs?: number
  /** Keeps the credentials, for a lost connection to be set up anew; otherwise they are wiped as soon as they were used. */
  readonly reconnect?: boolean
}

export interface Reached {
  readonly transport: Awaited<ReturnType<typeof openTransport>>
  readonly connection: Connection
  readonly systemTime: Clock
}

/** Connects and negotiates. Nothing is left open when it rejects. */
export async function reach(login: Login, timeoutMs: number, signal: AbortSignal): Promise<Reached> {
  const transport = await openTransport({ ...login.transport, timeoutMs, signal })
  const stop = (): void => transport.destroy()
  signal.addEventListener('abort', stop, { once: true })
  try {
    const connection = await Connection.negotiate(transport, login)
    return { transport, connection, systemTime: { server: connection.negotiated.systemTime, local: Date.now() } }
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** Logs in; the server ends the previous session of that id, if it has one: it must be proven ours and lost. */
export function openSession(connection: Connection, login: Login, previousSessionId: bigint, signal: AbortSignal): Promise<Session> {
  return unlessAborted(signal, Session.setup(connection, spnegoNtlm(login.credentials, login.host), { ...login, previousSessionId }))
}
