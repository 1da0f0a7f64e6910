import { asError, NbtrunError } from '../../base/errors.ts'
import { now, spell } from '../../base/time.ts'
import type { Connection } from '../resources.ts'

export interface KeepaliveOptions {
  /** After so much silence an idle connection is asked whether it lives, ms. */
  readonly idleMs: number
  /** How long one request may take, ms. */
  readonly ioTimeoutMs: number
  /** Does anybody wait for an answer? */
  readonly busy: () => boolean
}

/** So often within the shortest silence that matters it is looked how long it has lasted: what comes late is missing at the end. */
const LOOKS = 4

/**
 * Tells a dead connection from a slow server: TCP may take a quarter of an hour to notice that nobody is there. After some silence it asks by an ECHO, and
 * when that brings nothing in its time the connection is aborted. Somebody who waits for an answer has the question asked sooner (a quarter of the
 * time a request may take; the ECHO has half of it), so that a new connection may still save his request.
 */
export class Keepalive {
  readonly #connection: Connection
  readonly #options: KeepaliveOptions
  readonly #timer: NodeJS.Timeout
  #asking = false
  #backlog = 0
  /** When bytes of ours last went out while the socket was full. */
  #movedAt = 0

  constructor(connection: Connection, options: KeepaliveOptions) {
    this.#connection = connection
    this.#options = options
    this.#timer = setInterval(() => this.#look(), this.#busyMs / LOOKS)
    void connection.closed.then(() => this.stop())
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  get #busyMs(): number {
    return Math.min(this.#options.idleMs, this.#options.ioTimeoutMs / 4)
  }

  get #silence(): number {
    return now() - Math.max(this.#connection.transport.heardAt, this.#movedAt)
  }

  #look(): void {
    const { backlog } = this.#connection.transport
    if (backlog < this.#backlog) this.#movedAt = now()
    this.#backlog = backlog
    if (!this.#asking && this.#silence >= (this.#options.busy() ? this.#busyMs : this.#options.idleMs)) void this.#ask()
  }

  async #ask(): Promise<void> {
    const { transport, host } = this.#connection
    const asked = now()
    const timeoutMs = this.#options.ioTimeoutMs / 2
    let sent = false
    this.#asking = true
    try {
      transport.keepAlive()
      await this.#connection.echo(timeoutMs, () => {
        sent = true
      })
    } catch (thrown) {
      // what came meanwhile was an answer too; and an ECHO that no credit was left for proves nothing until all that took them are overdue
      const answered = this.#silence < now() - asked
      if (asError(thrown).code !== 'TIMED_OUT' || answered || (!sent && this.#silence < this.#options.ioTimeoutMs)) return
      const error = new NbtrunError('CONNECTION_LOST', `${host} has been silent for ${spell(this.#silence)}`, { facts: { errno: 'EIO' } })
      this.#connection.abort(error, error.message)
    } finally {
      this.#asking = false
    }
  }
}
