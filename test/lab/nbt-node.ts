import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { type Deferred, deferred, pause } from '../../src/base/time.ts'
import type { NodeOptions } from '../../src/nbt/index.ts'
import { REPOSITORY } from './client.ts'
import type { Lab } from './index.ts'

/** No browser elections, so that <1d> is free. */
export const QUIET = ['local master = no', 'preferred master = no', 'domain master = no']

/** Samba's own look at names, from the host gamma. */
export const nmblookup = async (lab: Lab, ...words: string[]): Promise<string> => (await lab.run('gamma', ['nmblookup', ...words])).stdout

interface Said {
  readonly id?: number
  readonly ready?: string
  readonly result?: unknown
  readonly error?: { readonly code: string; readonly message: string; readonly facts: Readonly<Record<string, unknown>> }
}

/** What the node said no with. */
export class NodeError extends Error {
  readonly code: string
  readonly facts: Readonly<Record<string, unknown>>

  constructor({ code, message, facts }: NonNullable<Said['error']>) {
    super(message)
    this.code = code
    this.facts = facts
  }
}

/** A NetBIOS node of ours on a host of the lab, in a process of its own. */
export class LabNode implements AsyncDisposable {
  readonly address: string
  readonly #child: ReturnType<Lab['spawn']>
  readonly #waiting: Map<number, Deferred<unknown>>
  #id = 0

  private constructor(address: string, child: ReturnType<Lab['spawn']>, waiting: Map<number, Deferred<unknown>>) {
    this.address = address
    this.#child = child
    this.#waiting = waiting
  }

  static async start(lab: Lab, host: string, options: NodeOptions = {}): Promise<LabNode> {
    const words = ['node', '--import', 'tsx', 'test/lab/nbt-child.ts', JSON.stringify(options)]
    const child = lab.spawn(host, words, { cwd: REPOSITORY, stdio: ['pipe', 'pipe', 'inherit'], timeout: 280_000 })
    const waiting = new Map<number, Deferred<unknown>>()
    const ready = deferred<string>()
    void child.then(() => {
      const gone = new Error(`the node on ${host} has ended`)
      ready.reject(gone)
      for (const each of waiting.values()) each.reject(gone)
    })
    const lines = createInterface({ input: child.stdout ?? process.stdin })
    lines.on('line', line => {
      const said = JSON.parse(line) as Said
      if (said.ready !== undefined) return ready.resolve(said.ready)
      const one = waiting.get(said.id ?? 0)
      waiting.delete(said.id ?? 0)
      if (said.error === undefined) one?.resolve(said.result)
      else one?.reject(new NodeError(said.error))
    })
    return new LabNode(await ready.promise, child, waiting)
  }

  do<T>(what: string, order: { readonly name?: string; readonly group?: boolean; readonly text?: string } = {}): Promise<T> {
    const answer = deferred<unknown>()
    const id = ++this.#id
    this.#waiting.set(id, answer)
    this.#child.stdin?.write(`${JSON.stringify({ id, do: what, ...order })}\n`)
    return answer.promise as Promise<T>
  }

  /** What the listeners on a name heard, once that satisfies; after `ms` whatever it is. */
  async until(name: string, done: (heard: readonly string[]) => boolean, ms = 30_000): Promise<readonly string[]> {
    for (const began = performance.now(); ; await pause(20)) {
      const heard = await this.do<string[]>('heard', { name })
      if (done(heard) || performance.now() - began > ms) return heard
    }
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}
