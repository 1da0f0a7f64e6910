import assert from 'node:assert/strict'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { NbtrunError } from '../../src/base/errors.ts'
import { type Client, connect, type ConnectOptions, type Share } from '../../src/smb/index.ts'
import type { Step } from '../../src/base/scope.ts'
import type { Lab } from '../lab/index.ts'

/** The patience of a test that waits in vain: everything else must be answered within it, on a busy machine too. */
export const BRIEF = { ioTimeoutMs: 1500 } as const

/** A bound on what comes at once, ms: what waits for a deadline of `converse` takes longer. */
export const SOON_MS = 10_000

/** What became of a conversation. */
export interface Outcome {
  /** Of the first error, wherever it came from; undefined when all went well. */
  readonly code: string | undefined
  readonly error: NbtrunError | undefined
  /** How the teardown went, as `name: status` or `name: CODE`; empty when nothing stood to be torn down. */
  readonly teardown: readonly string[]
  /** From the first byte to the end of the teardown. */
  readonly ms: number
}

/** Connects, uses a share, and closes, whatever happens on the way. Rejects only with what is no NbtrunError. */
export async function converse(
  lab: Lab,
  port: number,
  use: (share: Share, client: Client) => Promise<unknown> = touch,
  options: Partial<ConnectOptions> = {},
): Promise<Outcome> {
  const began = performance.now()
  let error: NbtrunError | undefined
  let steps: readonly Step[] = []
  const note = (thrown: unknown): void => {
    if (!(thrown instanceof NbtrunError)) throw thrown
    error ??= thrown
  }
  const login = { user: 'alice', password: lab.password(), domain: 'LAB', port, ioTimeoutMs: 2 * SOON_MS }
  const client = await connect('127.0.0.1', { ...login, ...options }).catch(note)
  if (client !== undefined) {
    await client
      .tree('app')
      .then(share => use(share, client))
      .catch(note)
    steps = (await client.close()).filter(({ phase }) => phase === 'teardown')
  }
  const failed = steps.find(({ ok }) => !ok)
  if (failed !== undefined) error ??= new NbtrunError(failed.code ?? 'INTERNAL', failed.error ?? '')
  const teardown = steps.map(({ name, ok, status, code }) => `${name.split(' ')[0]}: ${ok ? (status ?? 'ok') : code}`)
  return { code: error?.code, error, teardown, ms: performance.now() - began }
}

/** Writes a file, reads it, lists and removes it. */
export async function touch(share: Share, _client?: Client, name = 'note'): Promise<void> {
  await share.writeFile(name, Buffer.from('some words'))
  assert.equal((await share.readFile(name)).toString(), 'some words')
  for await (const _ of share.list());
  await share.files.remove(name, false)
}

/** No socket and no timer of ours is left, once closed handles had their turn. The test's own servers must be gone. */
export async function nothingHeld(): Promise<void> {
  const held = (): string[] => process.getActiveResourcesInfo().filter(kind => /^(Timeout|TCP.*Wrap)$/.test(kind))
  for (let i = 0; i < 20 && held().length > 0; i++) await new Promise(setImmediate)
  assert.deepEqual(held(), [])
}

/** Nothing is left here, and no session on the server. */
export async function nothingLeft(lab: Lab): Promise<void> {
  await nothingHeld()
  await lab.server().untilWorkers(0)
  await lab.server().untilSessions(0)
}

export interface Listener extends AsyncDisposable {
  readonly port: number
}

/** A server on loopback that plays a part of its own. */
export async function listen(play: (socket: Socket) => void): Promise<Listener> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, socket => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    play(socket)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

/** A message with its 4-byte header. */
export function framed(message: Buffer): Buffer {
  const header = Buffer.alloc(4)
  header.writeUInt32BE(message.length)
  return Buffer.concat([header, message])
}
