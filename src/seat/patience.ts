import { asError, type NbtrunError } from '../base/errors.ts'
import { awake, pause } from '../base/time.ts'
import { Backoff } from './backoff.ts'
import { lackOf, type Lack } from './lack.ts'
import { noTurn, waited } from './refusal.ts'
import { Ticket } from './ticket.ts'

/** What is said of a run that waits. */
export interface Waiting {
  /** Undefined while it only waits for its turn, and the first in line has not found out yet. */
  readonly lack: Lack | undefined
  /** 1 for the first in line on this machine. */
  readonly place: number
  /** Until the next try, ms; undefined for those further back. */
  readonly nextMs?: number
  /** Why the last try failed. */
  readonly error?: NbtrunError
}

export interface Waited {
  readonly ms: number
  /** How often it was tried. */
  readonly attempts: number
}

export interface PatienceOptions {
  /** `--wait`. */
  readonly ms: number
  /** For each thing to queue for, the folders where its line may be: the first that can be used. None: nobody is let go first. */
  readonly lines: readonly (readonly string[])[]
  /** Aborted when the run is cancelled. */
  readonly signal: AbortSignal
  /** Told at every change. */
  readonly tell: (waiting: Waiting) => void
}

/** The one patience that a run has for everything before its program starts: what one wait took is not there for the next. */
export class Patience {
  readonly #options: PatienceOptions
  /** It is at an end. */
  #over = new AbortController()
  readonly #waiting: { lack: Lack | undefined; place: number } = { lack: undefined, place: 1 }
  #attempts = 0
  #waitedMs = 0

  constructor(options: PatienceOptions) {
    this.#options = options
  }

  get waited(): Waited {
    return { ms: this.#waitedMs, attempts: this.#attempts }
  }

  /**
   * Tries until it goes well, fails of something that time does not mend, or patience is at an end: then it throws the last failure. `retreat` gives back
   * what a try took before it failed: nothing is held between two of them. Who waits on this machine for the same tries in order of arrival, one at a time.
   */
  async until<T>(attempt: () => Promise<T>, retreat: () => Promise<void>): Promise<T> {
    const { ms, signal } = this.#options
    const left = ms - this.#waitedMs
    if (left <= 0) {
      this.#attempts++
      return attempt()
    }
    const began = performance.now()
    const over = new AbortController()
    const giveUp = (): void => over.abort()
    signal.addEventListener('abort', giveUp, { once: true })
    void awake(left, over.signal).then(giveUp)
    this.#over = over
    const tickets: Ticket[] = []
    try {
      await this.#queue(tickets)
      return await this.#tryAgain(attempt, retreat, tickets)
    } finally {
      for (const ticket of tickets) ticket.leave()
      signal.removeEventListener('abort', giveUp)
      giveUp()
      this.#waitedMs += performance.now() - began
    }
  }

  /** In every line, one after the other: all take them in the same order, so nobody waits for one who waits for him. */
  async #queue(tickets: Ticket[]): Promise<void> {
    for (const folders of [...this.#options.lines].sort((a, b) => ((a[0] ?? '') < (b[0] ?? '') ? -1 : 1))) {
      for (const folder of folders) {
        const ticket = await Ticket.take(folder)
        if (ticket === undefined) continue
        tickets.push(ticket)
        ticket.moved = ({ place, lack }) => this.#tell({ place, lack: lack ?? this.#waiting.lack })
        await this.#turn(ticket)
        break
      }
    }
  }

  async #turn(ticket: Ticket): Promise<void> {
    const first = await ticket.first(this.#over.signal)
    const { signal, ms } = this.#options
    signal.throwIfAborted()
    if (!first) throw noTurn(this.#waiting.lack, this.#waiting.place, ms)
  }

  async #tryAgain<T>(attempt: () => Promise<T>, retreat: () => Promise<void>, tickets: readonly Ticket[]): Promise<T> {
    const { ms, signal } = this.#options
    const backoff = new Backoff()
    for (;;) {
      const news = new AbortController()
      const wake = (): void => news.abort()
      let freed = false
      for (const ticket of tickets)
        ticket.freed = () => {
          freed = true
          wake()
        }
      this.#over.signal.addEventListener('abort', wake, { once: true })
      this.#attempts++
      try {
        return await attempt()
      } catch (thrown) {
        const error = asError(thrown)
        const lack = lackOf(error)
        signal.throwIfAborted()
        if (lack === undefined) throw thrown
        await retreat()
        signal.throwIfAborted()
        if (this.#over.signal.aborted) throw waited(error, ms)
        const nextMs = backoff.next()
        this.#tell({ lack, place: 1, nextMs, error })
        for (const ticket of tickets) ticket.lack = lack
        await pause(nextMs, news.signal)
        if (freed) backoff.reset()
      } finally {
        this.#over.signal.removeEventListener('abort', wake)
      }
      signal.throwIfAborted()
      // one last try when patience is at an end; else only who is still the first: it may have been stopped
      if (!this.#over.signal.aborted) for (const ticket of tickets) await this.#turn(ticket)
    }
  }

  #tell(waiting: Waiting): void {
    const { lack, place } = waiting
    const changed = lack !== this.#waiting.lack || place !== this.#waiting.place || waiting.error !== undefined
    Object.assign(this.#waiting, { lack, place })
    if (changed) this.#options.tell(waiting)
  }
}
