import type { Credentials } from '../auth/credentials.ts'
import type { Connection } from '../resources.ts'
import type { Terms } from '../terms.ts'
import type { TransportOptions } from '../transport.ts'

/** Keeps account of the sessions of one user on one server, so that one whose owner is no more is found and ended. */
export interface SessionBook {
  /** This user's sessions there that nobody uses any more, for certain. */
  orphans(connection: Connection): Promise<readonly bigint[]>
  /** The server has given the session its id; it counts once the login goes on, which waits for this. */
  taking(connection: Connection, id: bigint): Promise<void>
  /** The server has it no more. */
  gone(id: bigint): void
  /** A login with orphans has come to its end. */
  settled(): void
}

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
  readonly book?: SessionBook | undefined
  /** SMB1 alone: the first login has the server end every other session of this machine's address. Called before it does. */
  readonly resetClient?: (() => void) | undefined
}
