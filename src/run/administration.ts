import { randomBytes } from 'node:crypto'
import { asError, NbtrunError } from '../base/errors.ts'
import { Scope } from '../base/scope.ts'
import { within } from '../base/time.ts'
import { unlessAborted } from '../nbt/dial.ts'
import { type Credentials, findCredentials } from '../profile/credentials.ts'
import type { Settings } from '../profile/settings.ts'
import { connectTree } from '../smb/acquire.ts'
import type { Session } from '../smb/resources.ts'
import { ServerService } from '../smb/rpc/srvsvc/service.ts'
import { Journal } from './journal/journal.ts'
import { login } from './servers.ts'
import { endJournal, notGivenBack } from './teardown.ts'

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
    await endJournal(journal, scope.steps, signal)
    if (error !== undefined) tell?.(error)
  }
}

/** The same within `ms`, after which the administrator's own session is given back, too. What it rejects with says which server could not be asked. */
export async function askWithin<T>(
  asking: Pick<Asking, 'settings' | 'host' | 'given'>,
  ms: number,
  ask: (service: ServerService, session: Session, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  let work: Promise<T> | undefined
  const begin = (signal: AbortSignal): Promise<T> => (work = askServer({ ...asking, signal }, (service, session) => ask(service, session, signal)))
  try {
    return await within(ms, begin, `asking ${asking.host} for its sessions`)
  } catch (thrown) {
    await within(FIN_MS, async () => work).catch(() => {})
    const { code, message } = asError(thrown)
    throw new NbtrunError(code, `${asking.host} could not be asked for its sessions: ${message}`, { cause: thrown })
  }
}

/** A session of an administrator has so long to end where the time is over, ms. */
const FIN_MS = 500

/** Who `--admin-auth-file` names. Nobody is asked for a password: the program has the terminal, or had it. Throws FILE_ERROR, NO_PASSWORD. */
export async function administrator(file: string, cwd: string): Promise<Credentials> {
  const from = { user: undefined, 'auth-file': file, 'password-file': undefined, 'password-fd': undefined, anonymous: false, guest: false }
  const { password, ...found } = await findCredentials(from, cwd)
  if (password === undefined) throw new NbtrunError('NO_PASSWORD', `${file} has no password in it`, { hint: 'it needs a line "password = ..."' })
  return { ...found, password }
}

/** Judges what was asked for before anything is taken: an administrator's file that cannot be read would be found out at the very end. */
export async function requireAdministrator({ verify, 'admin-auth-file': file }: Settings, cwd: string): Promise<void> {
  if (verify === 'end' && file === undefined)
    throw new NbtrunError('USAGE', '--verify=end needs --admin-auth-file', { hint: 'only an administrator of the server may end a session' })
  if (file !== undefined) (await administrator(file, cwd)).password.fill(0)
}
