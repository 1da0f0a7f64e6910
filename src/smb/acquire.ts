import { asError } from '../base/errors.ts'
import type { Scope } from '../base/scope.ts'
import { unlessAborted } from '../nbt/dial.ts'
import { Lifeline } from './lifeline/lifeline.ts'
import type { Login } from './lifeline/login.ts'
import type { Connection, Session, Tree } from './resources.ts'

export type { Login } from './lifeline/login.ts'

/** How long one step of the teardown may take, ms. */
const STEP_MS = 2000

/** Connects and logs in, each step with its undo in the ledger; an undo gives back what is there then, which may be a later connection. */
export async function logIn(scope: Scope, login: Login): Promise<Lifeline> {
  const { host } = login
  const lifeline = new Lifeline(login)
  await scope.acquire('connect', `connection ${host}`, {
    open: signal => lifeline.connect(signal),
    undo: (_, signal) => giveBack(lifeline, () => lifeline.connection, signal),
    undoMs: STEP_MS,
    undoName: `FIN ${host}`,
  })
  await scope.acquire('connect', `session ${host}`, {
    open: signal => lifeline.logIn(signal),
    undo: (_, signal) => giveBack(lifeline, () => lifeline.session, signal),
    undoMs: STEP_MS,
    undoName: `LOGOFF ${host}`,
  })
  return lifeline
}

export function connectTree(scope: Scope, lifeline: Lifeline, share: string): Promise<Tree> {
  return scope.acquire('connect', `share ${share}`, {
    open: signal => unlessAborted(signal, lifeline.addTree(share)),
    // its own one, or what took its place; the same share may be connected twice
    undo: (tree, signal) => giveBack(lifeline, () => (tree.isOpen ? tree : lifeline.tree(share)), signal),
    undoMs: STEP_MS,
    undoName: `TREE_DISCONNECT ${share}`,
  })
}

/** The status of an undo whose connection was gone before: nothing was left to give back. */
export const LOST = 'CONNECTION_LOST'

/** Closes politely and says what the server answered. What was lost with its connection is nobody's any more: that is no failure. */
async function giveBack(
  lifeline: Lifeline,
  present: () => (Session | Connection | Tree) & { readonly farewell?: string | undefined },
  signal: AbortSignal,
): Promise<string | void> {
  await lifeline.seal()
  const resource = present()
  signal.addEventListener('abort', () => resource.abort(signal.reason, 'no time left'), { once: true })
  const end = await resource.close('its owner is done', STEP_MS - 100)
  if (end.how === 'clean') {
    lifeline.givenBack(resource)
    return resource.farewell
  }
  const error = asError(end.error)
  if (error.code !== LOST) throw error
  return LOST
}
