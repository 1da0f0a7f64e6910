import { randomBytes } from 'node:crypto'
import { Scope, type Step } from '../base/scope.ts'
import { unlessAborted } from '../nbt/dial.ts'
import type { Credentials } from '../profile/credentials.ts'
import type { Settings } from '../profile/settings.ts'
import { connectTree, type Server } from '../smb/acquire.ts'
import { ServerService } from '../smb/rpc/srvsvc/service.ts'
import { login } from './servers.ts'

export interface Asking {
  readonly settings: Settings
  readonly host: string
  /** Zeroed after the login. */
  readonly given: Credentials
  readonly signal: AbortSignal
  /** Told of every step that was taken and of its way back. */
  readonly tell?: (step: Step) => void
}

/** Asks a server about itself, in a session of its own over IPC$, which is given back whatever happens. */
export async function askServer<T>({ settings, host, given, signal, tell }: Asking, ask: (service: ServerService, server: Server) => Promise<T>): Promise<T> {
  const scope = new Scope(signal, tell, settings['teardown-timeout'])
  try {
    const server = await login(scope, settings, host, randomBytes(16), given)
    const ipc = await connectTree(scope, server.session, 'IPC$')
    const service = await ServerService.open(ipc) // it ends with IPC$
    return await unlessAborted(signal, ask(service, server))
  } finally {
    given.password.fill(0)
    await scope.unwind()
  }
}
