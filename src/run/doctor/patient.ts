import type { Scope } from '../../base/scope.ts'
import type { Found } from '../../nbt/find.ts'
import type { Credentials, Found as Login } from '../../profile/credentials.ts'
import type { Settings } from '../../profile/settings.ts'
import type { Target } from '../../profile/share.ts'
import type { Dialect } from '../../smb/dialect.ts'
import type { Files } from '../../smb/files.ts'
import type { Lifeline } from '../../smb/lifeline/lifeline.ts'
import type { Tree } from '../../smb/resources.ts'
import type { SharedThing } from '../../smb/rpc/srvsvc/accounts.ts'
import type { Way } from '../../smb/transport.ts'
import type { Journal } from '../journal/journal.ts'
import type { Heard } from './server.ts'

/** This machine and, if one was named, a server: what is known of them before, and what each look adds for the ones after it. */
export interface Patient {
  readonly settings: Settings
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly target: Target | undefined
  /** Holds what is taken from the server until the end. */
  readonly scope: Scope
  readonly journal: Journal
  /** Asks for what is missing of a login. */
  readonly ask: (found: Login, host: string, signal: AbortSignal) => Promise<Credentials>

  /** /dev/fuse is there and may be opened. */
  hasFuse?: boolean
  /** The way of the private mapping, where there is one. */
  privateWay?: string
  /** Where the server is, the address that answered first. */
  found?: Found
  /** Ports that take connections. */
  ways?: readonly Way[]
  /** The name that the server took on port 139, as an option. */
  calledName?: string
  /** Oldest first. */
  offered?: readonly Dialect[]
  /** Of the best dialect that may be used. */
  heard?: Heard
  credentials?: Credentials
  lifeline?: Lifeline
  /** What the server says that it shares. */
  shares?: readonly SharedThing[]
  tree?: Tree
  /** The share, or the folder of it that was named. */
  files?: Files
}
