import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pause } from '../../src/base/time.ts'
import type { Published } from '../../src/run/published.ts'
import type { Receipt } from '../../src/run/receipt.ts'
import type { Lab } from '../lab/index.ts'
import { lines } from '../lab/lines.ts'
import { type Call, words } from '../lab/nbtrun.ts'
import { isAlive, processOf } from '../lab/processes.ts'
import { faultsOfEvent, faultsOfReceipt } from '../lab/schemas.ts'

export interface End {
  readonly code: number | undefined
  readonly stderr: string
  readonly receipt: Receipt
  readonly events: readonly Published[]
}

let runs = 0

/** A program on a mapping that does what it is told, one thing at a time. */
export class Puppet implements AsyncDisposable {
  readonly pid: number
  readonly #run: ReturnType<Lab['spawn']>
  readonly #says: () => Promise<string>
  readonly #files: { readonly receipt: string; readonly events: string }

  private constructor(run: ReturnType<Lab['spawn']>, says: () => Promise<string>, pid: number, files: { receipt: string; events: string }) {
    this.#run = run
    this.#says = says
    this.pid = pid
    this.#files = files
  }

  static async start(lab: Lab, call: Call = {}): Promise<Puppet> {
    const client = call.client ?? 'client1'
    const folder = join(lab.host(client).folder, 'tmp', 'root')
    const files = { receipt: join(folder, `puppet-${++runs}.json`), events: join(folder, `puppet-${runs}.events`) }
    const options = [...(call.options ?? []), '--receipt', files.receipt, '--events', files.events]
    const run = lab.spawn(
      client,
      words(lab, ['/usr/bin/python3', '-u', join(lab.host(client).folder, 'repository', 'test', 'story', 'puppet.py')], { ...call, options }),
      { timeout: 600_000, stdin: 'pipe' },
    )
    const says = lines(run.stdout!)
    const [, pid] = /^ready (\d+)$/.exec(await says()) ?? []
    return new Puppet(run, says, Number(pid), files)
  }

  /** What a line of Python evaluates to, as `print` shows it, or the name of its errno. */
  ask(line: string): Promise<string> {
    this.tell(line)
    return this.#says()
  }

  /** Begins something; its answer is `said`. */
  tell(line: string): void {
    this.#run.stdin?.write(`${line}\n`)
  }

  said(): Promise<string> {
    return this.#says()
  }

  /** Each as its schema says. */
  get events(): Published[] {
    return readFileSync(this.#files.events, 'utf8')
      .split('\n')
      .filter(line => line !== '')
      .map(line => {
        const event = JSON.parse(line) as Published
        assert.deepEqual(faultsOfEvent(event), [], line)
        return event
      })
  }

  /** Whatever becomes of the test. The program reads the same pipe as nbtrun: without its end it would outlive nbtrun, and hold our pipes open. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#run.kill('SIGKILL')
    this.#run.stdin?.destroy()
    await this.#run
  }

  async end(): Promise<End> {
    this.#run.stdin?.end()
    const { exitCode, stderr } = await this.#run
    const receipt = JSON.parse(readFileSync(this.#files.receipt, 'utf8')) as Receipt
    assert.deepEqual(faultsOfReceipt(receipt), [])
    return { code: exitCode, stderr: String(stderr), receipt, events: this.events }
  }
}

/** Asks the server all the time who is there. A login under way is none yet. */
export class Witness {
  #watching = true
  #most = 0
  #looks = 0
  readonly #seen = new Set<string>()
  readonly #done: Promise<void>

  constructor(lab: Lab, server = 'srv') {
    const look = async (): Promise<void> => {
      while (this.#watching) {
        const sessions = await lab
          .server(server)
          .sessions()
          .catch(() => []) // the server is down
        const users = sessions.filter(({ user }) => !user.startsWith('('))
        this.#most = Math.max(this.#most, users.length)
        for (const { id } of users) this.#seen.add(id)
        this.#looks++
        await pause(20)
      }
    }
    this.#done = look()
  }

  /** Until it has looked once more from now on. */
  async look(): Promise<void> {
    for (const from = this.#looks; this.#looks < from + 2; ) await pause(10)
  }

  /** There were never two sessions. Returns how many it saw, one after the other. */
  async neverTwo(): Promise<number> {
    this.#watching = false
    await this.#done
    assert.ok(this.#looks > 3, `${this.#looks} looks`)
    assert.equal(this.#most, 1)
    return this.#seen.size
  }
}

/**
 * The server's processes for its clients end, as they do when a session was idle for too long: the connection is closed, the server goes on. Resolves
 * when they are gone, and with them what they held; others may have taken their place by then.
 */
export async function closeConnections(lab: Lab, server = 'srv'): Promise<void> {
  const all = lab
    .server(server)
    .workers()
    .flatMap(pid => processOf(pid) ?? [])
  for (const { pid } of all) {
    try {
      process.kill(pid, 'SIGTERM')
    } catch {} // its client has left by itself
  }
  while (all.some(isAlive)) await pause(5)
}
