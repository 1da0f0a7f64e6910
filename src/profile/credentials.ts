import { resolve } from 'node:path'
import { userInfo } from 'node:os'
import { NbtrunError } from '../base/errors.ts'
import { parseAuthFile } from './authfile.ts'
import { PASSWORD_WAYS } from './passwords.ts'
import { askPassword, openTerminal } from './prompt.ts'
import { firstLine, readSecretFd, readSecretFile } from './secrets.ts'
import type { Settings } from './settings.ts'

/** Who logs in, as far as it is known without asking anybody. */
export interface Found {
  readonly kind: 'user' | 'guest' | 'anonymous'
  readonly user: string
  readonly domain: string
  /** UTF-8; undefined when it must be asked for. */
  readonly password: Buffer | undefined
  readonly needsPrompt: boolean
}

/** Who logs in. `password` is UTF-8; its owner zeroes it after the login. For guest and anonymous it is empty. */
export interface Credentials {
  readonly kind: 'user' | 'guest' | 'anonymous'
  readonly user: string
  readonly domain: string
  readonly password: Buffer
}

type LoginSettings = Pick<Settings, 'user' | 'auth-file' | 'password-file' | 'password-fd' | 'anonymous' | 'guest'>

/** Reads what the options name (files relative to `cwd`) and asks nobody: to be called before connecting. */
export async function findCredentials(settings: LoginSettings, cwd: string): Promise<Found> {
  if (settings.anonymous) return { kind: 'anonymous', user: '', domain: '', password: Buffer.alloc(0), needsPrompt: false }
  if (settings.guest) return { kind: 'guest', user: 'guest', domain: '', password: Buffer.alloc(0), needsPrompt: false }
  const file = settings['auth-file'] === undefined ? undefined : await readAuthFile(resolve(cwd, settings['auth-file']))
  const login = parseUser(settings.user ?? file?.user ?? loginName())
  const password = file === undefined ? await readPassword(settings, cwd) : file.password
  return { kind: 'user', user: login.user, domain: login.domain || (file?.domain ?? ''), password, needsPrompt: password === undefined }
}

/** Completes them, asking on the terminal where needed. Without a terminal: NO_PASSWORD. */
export async function credentials(found: Found, server: string, signal?: AbortSignal): Promise<Credentials> {
  const { kind, user, domain, password } = found
  return { kind, user, domain, password: password ?? (await ask(found, server, signal)) }
}

/** `DOM/alice` and `DOM\alice` name a domain; `alice@dom` is one name, which the server takes apart. */
export function parseUser(text: string): { readonly user: string; readonly domain: string } {
  const [, domain = '', user = text] = /^([^/\\]+)[/\\](.+)$/.exec(text) ?? []
  return { user, domain }
}

async function ask({ user, domain }: Found, server: string, signal: AbortSignal | undefined): Promise<Buffer> {
  const who = `${domain === '' ? '' : `${domain}/`}${user} on ${server}`
  const terminal = await openTerminal()
  if (terminal === undefined) throw new NbtrunError('NO_PASSWORD', `no password for ${who}, and no terminal to ask on`, { hint: PASSWORD_WAYS })
  return askPassword(`Password for ${who}: `, terminal, signal)
}

async function readAuthFile(path: string): Promise<ReturnType<typeof parseAuthFile>> {
  return parseAuthFile(await readSecretFile(path), path)
}

async function readPassword(settings: LoginSettings, cwd: string): Promise<Buffer | undefined> {
  const { 'password-file': path, 'password-fd': fd } = settings
  if (path !== undefined) return firstLine(await readSecretFile(resolve(cwd, path)))
  if (fd !== undefined) return firstLine(await readSecretFd(fd))
  return undefined
}

function loginName(): string {
  try {
    return userInfo().username
  } catch (cause) {
    throw new NbtrunError('USAGE', 'this account has no login name', { cause, hint: 'give --user' })
  }
}
