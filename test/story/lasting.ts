import { randomBytes } from 'node:crypto'
import { Scope, type Step } from '../../src/base/scope.ts'
import { connectTree, logIn, type Login } from '../../src/smb/acquire.ts'
import { Credentials } from '../../src/smb/auth/credentials.ts'
import { Secret } from '../../src/smb/auth/secret.ts'
import { LastingFiles } from '../../src/smb/lifeline/files.ts'
import type { Lifeline } from '../../src/smb/lifeline/lifeline.ts'
import type { Lab } from '../lab/index.ts'

export interface Lasting {
  readonly lifeline: Lifeline
  readonly files: LastingFiles
  readonly credentials: Credentials
  /** What was told: `lost: …`, `reconnected`, `stale note: …`. */
  readonly told: readonly string[]
  /** Gives everything back; the teardown's steps. */
  readonly close: () => Promise<readonly Step[]>
}

/** A share of the lab through a relay on loopback, as a run holds it. */
export async function lasting(lab: Lab, port: number, options: Partial<Login> = {}): Promise<Lasting> {
  const scope = new Scope(new AbortController().signal)
  const identity = { user: 'alice', domain: 'LAB', workstation: 'TEST' }
  const credentials = Credentials.fromPassword(identity, Secret.fromText(lab.password()))
  const lifeline = await logIn(scope, {
    host: '127.0.0.1',
    transport: { host: '127.0.0.1', mode: 'tcp', port, timeoutMs: 20_000 },
    ioTimeoutMs: 20_000,
    clientGuid: randomBytes(16),
    credentials,
    who: 'alice',
    allowUnsigned: false,
    keepaliveMs: 60_000,
    reconnect: true,
    ...options,
  })
  const told: string[] = []
  lifeline.listener = { lost: error => void told.push(`lost: ${error.message}`), reconnected: () => void told.push('reconnected') }
  await connectTree(scope, lifeline, 'IPC$')
  await connectTree(scope, lifeline, 'app')
  const files = new LastingFiles(lifeline, 'app', {
    stale: (path, why) => void told.push(`stale ${path}: ${why}`),
    unsure: message => void told.push(`unsure: ${message}`),
  })
  const close = async (): Promise<readonly Step[]> => (await scope.unwind()).filter(({ phase }) => phase === 'teardown')
  return { lifeline, files, credentials, told, close }
}
