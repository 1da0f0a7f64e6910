import { asError, NbtrunError } from '../base/errors.ts'
import { credentials, findCredentials, type Credentials } from '../profile/credentials.ts'
import { REACH } from '../profile/options.ts'
import { settle, type Settings } from '../profile/settings.ts'
import { target } from '../profile/share.ts'
import type { Raw } from '../profile/words.ts'
import type { ServerService } from '../smb/rpc/srvsvc/service.ts'
import type { Session } from '../smb/resources.ts'
import { askServer } from '../run/administration.ts'
import { Control } from '../run/control.ts'
import { profilesOf } from './profiles.ts'
import { errorLine, print } from './report.ts'
import { rawFrom } from './yargs.ts'

/** What yargs understood. */
export type Given = Readonly<Record<string, unknown>>

/** A server that a command is about, and who asks it. */
export interface Asked {
  readonly host: string
  /** Named behind the server, if one was. */
  readonly share: string | undefined
  /** `//srv`, `//srv/app`. */
  readonly label: string
  readonly settings: Settings
  /** Aborted by Ctrl-C and other signals. */
  readonly signal: AbortSignal
  /** Asks in a session of the user that the options name, or with `authFile` of the one in that file. */
  readonly ask: <T>(question: (service: ServerService, session: Session) => Promise<T>, authFile?: string) => Promise<T>
}

/** Does a command's work on the server that its words name; what it holds there is given back whatever happens, a signal included. */
export async function onServer(given: Given, work: (asked: Asked) => Promise<void>): Promise<void> {
  const raw = reachOf(rawFrom(given))
  const settings = settle(raw, process.env, (await profilesOf(raw)).layers)
  const where = named(given['target'], target)
  const control = new Control(0)
  const notGivenBack = (error: NbtrunError): void => print(errorLine(error))
  const logins = new Map<string | undefined, Credentials>()
  try {
    await work({
      ...where,
      settings,
      signal: control.cancelled,
      ask: async (question, authFile) => {
        const from = authFile === undefined ? settings : { ...NOBODY, 'auth-file': authFile }
        const login = logins.get(authFile) ?? (await credentials(await findCredentials(from, process.cwd()), where.host, control.cancelled))
        logins.set(authFile, login) // nobody is asked for a password twice
        const given = { ...login, password: Buffer.from(login.password) }
        return askServer({ settings, host: where.host, given, signal: control.cancelled, notGivenBack }, question)
      },
    })
  } catch (thrown) {
    throw asError(thrown)
  } finally {
    for (const { password } of logins.values()) password.fill(0)
    control.stop()
  }
}

const NOBODY = { user: undefined, 'password-file': undefined, 'password-fd': undefined, anonymous: false, guest: false }

/** The options that say who logs in and how. */
export function reachOf(raw: Raw): Raw {
  return Object.fromEntries(REACH.flatMap(name => (raw[name] === undefined ? [] : [[name, raw[name]]])))
}

/** What a command is about, as `read` reads it. */
export function named<T>(words: unknown, read: (text: string) => T): T {
  try {
    return read(typeof words === 'string' ? words : '')
  } catch (thrown) {
    const { code, message, hint } = asError(thrown)
    throw new NbtrunError(code, `the server ${message}`, hint === undefined ? {} : { hint })
  }
}
