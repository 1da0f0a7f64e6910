import { randomBytes } from 'node:crypto'
import type { NbtrunError } from '../base/errors.ts'
import { Scope } from '../base/scope.ts'
import { unlessAborted } from '../nbt/dial.ts'
import type { Credentials } from '../profile/credentials.ts'
import type { Settings } from '../profile/settings.ts'
import { connectTree } from '../smb/acquire.ts'
import type { Session } from '../smb/resources.ts'
import { ServerService } from '../smb/rpc/srvsvc/service.ts'
import { Journal } from './journal/journal.ts'
import { login } from './servers.ts'
import { notGivenBack } from './teardown.ts'

export interface Asking {
  readonly settings: Settings
  readonly host: string
  /** Zeroed after the login. */
  readonly given: Credentials
  readonly signal: AbortSignal
  /** Told where something could not be given back. */
  readonly notGivenBack?: (error: NbtrunError) => void
}

/** Asks a server about itself, in a session of its own over IPC$, which is given back whatever happens. */
export async function askServer<T>(
  { settings, host, given, signal, notGivenBack: tell }: Asking,
  ask: (service: ServerService, session: Session) => Promise<T>,
): Promise<T> {
  const scope = new Scope(signal, () => {}, settings['teardown-timeout'])
  const journal = new Journal({ run: randomBytes(4).toString('hex'), shares: [`//${host}`], program: 'nbtrun', env: process.env, warn: () => {} })
  try {
    const server = await login(scope, { ...settings, 'no-reconnect': true }, host, randomBytes(16), given, { journal })
    const ipc = await connectTree(scope, server, 'IPC$')
    const service = await ServerService.open(ipc) // it ends with IPC$
    return await unlessAborted(signal, ask(service, server.session))
  } finally {
    given.password.fill(0)
    const error = notGivenBack((await scope.unwind()).filter(({ ok, phase }) => !ok && phase === 'teardown'))
    journal.end()
    if (error !== undefined) tell?.(error)
  }
}
