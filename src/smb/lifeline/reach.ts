import type { Credentials } from '../auth/credentials.ts'
import { spnegoNtlm } from '../auth/spnego.ts'
import { unlessAborted } from '../../nbt/dial.ts'
import type { Connection } from '../connection.ts'
import { type Reached as Negotiated, reach as negotiate } from '../reach.ts'
import { Session } from '../session.ts'
import type { Terms } from '../terms.ts'
import type { TransportOptions } from '../transport.ts'
import type { Clock } from './known.ts'

/** All that is needed to log in on a server, the first time and again. */
export interface Login extends Partial<Terms> {
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

export interface Reached extends Negotiated {
  readonly systemTime: Clock
}

/** Connects and negotiates. Nothing is left open when it rejects. */
export async function reach(login: Login, timeoutMs: number, signal: AbortSignal): Promise<Reached> {
  const reached = await negotiate({ ...login.transport, timeoutMs, signal }, login)
  return { ...reached, systemTime: { server: reached.connection.negotiated.systemTime, local: Date.now() } }
}

/** Logs in; the server ends the previous session of that id, if it has one: it must be proven ours and lost. */
export function openSession(connection: Connection, login: Login, previousSessionId: bigint, signal: AbortSignal): Promise<Session> {
  return unlessAborted(signal, Session.setup(connection, spnegoNtlm(login.credentials, login.host), { ...login, previousSessionId }))
}
