import { asError, NbtrunError, type Code } from './errors.ts'
import { now, within } from './time.ts'

/** One line of the ledger: something was done or undone, how it went and what it took. Times in ms, `atMs` since the scope began. */
export interface Step {
  readonly phase: string
  readonly name: string
  readonly ok: boolean
  readonly atMs: number
  readonly ms: number
  /** What the peer answered, where one was asked. */
  readonly status?: string
  readonly code?: Code
  readonly error?: string
}

export interface Acquire<T> {
  /** Takes the thing; heeds the signal. */
  open(signal: AbortSignal): Promise<T>
  /** Gives it back; idempotent. May return the peer's status for the receipt; throwing counts as failed. */
  undo(value: T, signal: AbortSignal): Promise<string | void>
  undoMs: number
  /** The undo's name in the ledger, where it differs. */
  undoName?: string
}

/** A place in the ledger. */
export interface Mark {
  readonly undos: number
  readonly steps: number
}

interface Undo {
  readonly name: string
  readonly ms: number
  readonly run: (signal: AbortSignal) => Promise<string | void>
}

/** The ledger of a run: what was taken, and its way back. The receipt shows its `steps`. */
export class Scope {
  readonly steps: Step[] = []
  readonly #began = now()
  readonly #signal: AbortSignal
  readonly #listener: (step: Step) => void
  readonly #budgetMs: number
  readonly #undos: Undo[] = []
  #pending: Promise<unknown> = Promise.resolve()
  #unwound: Promise<readonly Step[]> | undefined
  #sealed = false
  #hurry: number | undefined
  /** Cuts the time of the undo that runs. */
  #shorten: (ms: number) => void = () => {}

  constructor(signal: AbortSignal, listener: (step: Step) => void = () => {}, budgetMs = 5000) {
    this.#signal = signal
    this.#listener = listener
    this.#budgetMs = budgetMs
  }

  get elapsed(): number {
    return now() - this.#began
  }

  /** Acquires one thing and registers its undo before anybody can use it. */
  async acquire<T>(phase: string, name: string, how: Acquire<T>): Promise<T> {
    this.#signal.throwIfAborted()
    if (this.#unwound !== undefined) throw new NbtrunError('CLOSED', `${name} comes too late: all is being given back`)
    const work = this.#step(phase, name, async () => {
      const value = await how.open(this.#signal)
      const undo: Undo = { name: how.undoName ?? name, ms: how.undoMs, run: signal => how.undo(value, signal) }
      if (this.#sealed)
        await within(undo.ms, undo.run, undo.name) // the ledger is closed: give it back here and now
      else this.#undos.push(undo)
      return value
    })
    this.#pending = Promise.allSettled([this.#pending, work])
    const value = await work.catch((thrown: unknown) => {
      this.#signal.throwIfAborted() // whatever failed, that is why
      throw thrown
    })
    this.#signal.throwIfAborted() // acquired too late: it is in the ledger, so the unwind gives it back
    return value
  }

  /** Notes a step that needs no undo. `how`: of one that took a while, or failed. */
  note(phase: string, name: string, status?: string, how: Partial<Pick<Step, 'ok' | 'ms' | 'error'>> = {}): void {
    const { ms = 0 } = how
    this.#add({ phase, name, ok: true, atMs: this.elapsed - ms, ...how, ms, ...(status === undefined ? {} : { status }) })
  }

  /** From now on each undo gets at most `ms`. */
  hurry(ms: number): void {
    this.#hurry = ms
    this.#shorten(ms)
  }

  /** Newest first; every undo is tried, each within its own time and all within the budget; never throws. A second call gets the same steps. */
  unwind(): Promise<readonly Step[]> {
    this.#unwound ??= this.#unwind()
    return this.#unwound
  }

  /** Where the ledger stands now, for `retreat`. */
  mark(): Mark {
    return { undos: this.#undos.length, steps: this.steps.length }
  }

  /**
   * Gives back what was acquired since, as `unwind` does, and strikes it from the ledger, so that it can be tried again. Returns what could not be given back.
   */
  async retreat({ undos, steps }: Mark): Promise<readonly Step[]> {
    const began = this.steps.length
    await this.#giveBack(undos)
    const failed = this.steps.slice(began).filter(step => !step.ok)
    this.steps.length = steps
    return failed
  }

  async #unwind(): Promise<readonly Step[]> {
    await within(Math.min(2000, this.#budgetMs), () => this.#pending).catch(() => {})
    await this.#giveBack(0)
    this.#sealed = true
    return this.steps
  }

  /** Newest first, until so many undos are left. */
  async #giveBack(down: number): Promise<void> {
    const dueAt = now() + this.#budgetMs
    while (this.#undos.length > down) {
      const undo = this.#undos.pop()
      if (undo === undefined) return
      const { ms, run, name } = undo
      const limit = Math.max(50, Math.min(ms, dueAt - now(), this.#hurry ?? Number.POSITIVE_INFINITY))
      await this.#step(
        'teardown',
        name,
        () => this.#limited(limit, run, name),
        status => status ?? undefined,
      ).catch(() => {})
    }
  }

  async #limited(limit: number, run: Undo['run'], name: string): Promise<string | void> {
    let timer: NodeJS.Timeout | undefined
    const cut = new AbortController()
    const hurried = new Promise<never>((_, reject) => cut.signal.addEventListener('abort', () => reject(cut.signal.reason as Error)))
    this.#shorten = ms => {
      timer = setTimeout(() => cut.abort(new NbtrunError('TIMED_OUT', `${name} was cut short`)), ms)
    }
    try {
      return await within(limit, signal => Promise.race([run(AbortSignal.any([signal, cut.signal])), hurried]), name)
    } finally {
      clearTimeout(timer)
      this.#shorten = () => {}
    }
  }

  async #step<T>(phase: string, name: string, work: () => Promise<T>, statusOf?: (value: T) => string | undefined): Promise<T> {
    const atMs = this.elapsed
    try {
      const value = await work()
      const status = statusOf?.(value)
      this.#add({ phase, name, ok: true, ...(status === undefined ? {} : { status }), atMs, ms: this.elapsed - atMs })
      return value
    } catch (thrown) {
      const error = asError(thrown)
      this.#add({ phase, name, ok: false, atMs, ms: this.elapsed - atMs, code: error.code, error: error.message })
      throw thrown instanceof NbtrunError ? thrown : error
    }
  }

  #add(step: Step): void {
    const round = (ms: number): number => Math.round(ms * 100) / 100
    const rounded = { ...step, atMs: round(step.atMs), ms: round(step.ms) }
    this.steps.push(rounded)
    this.#listener(rounded)
  }
}
