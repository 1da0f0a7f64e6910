import { NbtrunError } from './errors.ts'
import { deferred, now, within } from './time.ts'

/** How a resource ended: with the peer's agreement, cut off by its time limit or a failed goodbye, or lost with what it stood on. */
export interface Closed {
  readonly how: 'clean' | 'forced' | 'lost'
  readonly why: string
  readonly error?: unknown
}

/**
 * Something held: one owner, one ending. `close` is polite (children newest first, then the goodbye on the wire, all within `ms`) and
 * resolves to how it went, never rejects; a second call waits for the first. The goodbye is said whatever became of the children's, who have half the
 * time; a failed one of theirs is the closing's failure. `abort` is local and instant. `drop` runs exactly once.
 */
export abstract class Resource implements AsyncDisposable {
  readonly label: string
  readonly closed: Promise<Closed>
  readonly #parent: Resource | undefined
  readonly #children = new Set<Resource>()
  readonly #settle: (end: Closed) => void
  #state: 'open' | 'closing' | 'closed' = 'open'
  #end_: Closed | undefined

  constructor(label: string, parent?: Resource) {
    this.label = label
    this.#parent = parent
    const { promise, resolve } = deferred<Closed>()
    this.closed = promise
    this.#settle = resolve
    if (parent !== undefined) {
      parent.requireOpen()
      parent.#children.add(this)
    }
  }

  /** Says goodbye on the wire: may hang, may fail; the caller limits it. */
  protected abstract goodbye(signal: AbortSignal): Promise<void>
  /** Frees what is local and rejects what is pending; no I/O. */
  protected abstract drop(error: unknown): void

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** How it ended, once it did. */
  get ending(): Closed | undefined {
    return this.#end_
  }

  /** Throws CLOSED unless open. */
  requireOpen(): void {
    if (this.#state !== 'open') throw new NbtrunError('CLOSED', `${this.label} is closed${this.#end_ === undefined ? '' : `: ${this.#end_.why}`}`)
  }

  close(why = 'owner is done', ms = 2000): Promise<Closed> {
    if (this.#state === 'open') {
      this.#state = 'closing'
      const farewell = async (signal: AbortSignal): Promise<void> => {
        const failed = await this.#closeChildren(why, ms / 2)
        await this.goodbye(signal)
        if (failed !== undefined) throw failed.error
      }
      // an abort meanwhile settles `closed`, which ends the wait and its timer
      within(ms, signal => Promise.race([farewell(signal), this.closed]), `closing ${this.label}`).then(
        () => this.#end({ how: 'clean', why }),
        (error: unknown) => this.#end({ how: 'forced', why, error }),
      )
    }
    return this.closed
  }

  /** Each has what is left of the time; when that is over the others say goodbye too, and are not waited for. Returns the first failure. */
  async #closeChildren(why: string, ms: number): Promise<{ readonly error: unknown } | undefined> {
    const dueAt = now() + ms
    let failed: { readonly error: unknown } | undefined
    for (const child of [...this.#children].reverse()) {
      const left = Math.max(1, dueAt - now())
      const closing = within(left, () => child.close(why, left), `closing ${child.label}`)
      if (left === 1) void closing.catch(() => {})
      else
        await closing.then(
          end => end.how === 'forced' && (failed ??= { error: end.error }),
          (error: unknown) => (failed ??= { error }),
        )
    }
    return failed
  }

  abort(error: unknown, why = 'connection lost'): void {
    this.#end({ how: 'lost', why, error })
  }

  #end(end: Closed): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#end_ = end
    for (const child of [...this.#children].reverse()) child.#end(end.how === 'clean' ? { ...end, how: 'lost' } : end)
    if (this.#parent !== undefined) this.#parent.#children.delete(this)
    this.drop(end.error ?? new NbtrunError('CLOSED', `${this.label} is closed: ${end.why}`))
    this.#settle(end)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
