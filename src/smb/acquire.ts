import { asError } from '../base/errors.ts'
import type { Resource } from '../base/resource.ts'
import type { Scope } from '../base/scope.ts'
import type { Credentials } from './auth/credentials.ts'
import { spnegoNtlm } from './auth/spnego.ts'
import { unlessAborted } from '../nbt/dial.ts'
import type { Connection } from './connection.ts'
import { reach, type Reached } from './reach.ts'
import { Session } from './session.ts'
import type { Terms } from './terms.ts'
import type { TransportOptions } from './transport.ts'
import { Tree } from './tree.ts'

/** A server as a run holds it: one connection and one session, shared by all its trees, IPC$ among them. */
export interface Server {
  readonly transport: Reached['transport']
  readonly connection: Connection
  readonly session: Session
}

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
}

/** How long one step of the teardown may take, ms. */
const STEP_MS = 2000

/** Connects and logs in, each step with its undo in the ledger. */
export async function logIn(scope: Scope, login: Login): Promise<Server> {
  const { host } = login
  const { transport, connection } = await scope.acquire('connect', `connection ${host}`, {
    open: signal => reach({ ...login.transport, signal }, login),
    undo: (taken, signal) => giveBack(taken.connection, signal),
    undoMs: STEP_MS,
    undoName: `FIN ${host}`,
  })
  const session = await scope.acquire('connect', `session ${host}`, {
    open: signal => unlessAborted(signal, Session.setup(connection, spnegoNtlm(login.credentials, host), login)),
    undo: (given, signal) => giveBack(given, signal),
    undoMs: STEP_MS,
    undoName: `LOGOFF ${host}`,
  })
  return { transport, connection, session }
}

export function connectTree(scope: Scope, session: Session, share: string): Promise<Tree> {
  return scope.acquire('connect', `share ${share}`, {
    open: signal => unlessAborted(signal, Tree.connect(session, share)),
    undo: (given, signal) => giveBack(given, signal),
    undoMs: STEP_MS,
    undoName: `TREE_DISCONNECT ${share}`,
  })
}

/** The status of an undo whose connection was gone before: nothing was left to give back. */
export const LOST = 'CONNECTION_LOST'

/** Closes politely and says what the server answered. What was lost with its connection is nobody's any more: that is no failure. */
async function giveBack(resource: Resource & { readonly farewell?: string | undefined }, signal: AbortSignal): Promise<string | void> {
  signal.addEventListener('abort', () => resource.abort(signal.reason, 'no time left'), { once: true })
  const end = await resource.close('its owner is done', STEP_MS - 100)
  if (end.how === 'clean') return resource.farewell
  const error = asError(end.error)
  if (error.code !== LOST) throw error
  return LOST
}
