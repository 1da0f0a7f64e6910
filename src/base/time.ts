import { NbtrunError } from './errors.ts'

/** Milliseconds on the monotonic clock. */
export function now(): number {
  return performance.now()
}

/** A timer that comes later than this found the process stopped or suspended meanwhile: time in which it did not run counts against nobody. */
const STALL_MS = 1000

/**
 * setTimeout for a limit: what had come by then is heard first. A process that was kept from running finds its timers due before it has looked at its sockets, and
 * would take for silence what is only unread. Returns what takes it back.
 */
export function timer(ms: number, due: () => void): () => void {
  let unread: NodeJS.Immediate | undefined
  const timeout = setTimeout(() => {
    unread = setImmediate(due)
  }, ms)
  return () => {
    clearTimeout(timeout)
    clearImmediate(unread)
  }
}

/** Runs `work` with a time limit: after `ms` its signal aborts and the result is a TIMED_OUT error, whether `work` heeds it or not. */
export async function within<T>(ms: number, work: (signal: AbortSignal) => Promise<T>, doing = 'this step'): Promise<T> {
  const controller = new AbortController()
  let disarm!: () => void
  const limit = new Promise<never>((_, reject) => {
    const arm = (): void => {
      const dueAt = now() + ms
      disarm = timer(ms, () => {
        if (now() - dueAt > STALL_MS) return arm()
        const error = new NbtrunError('TIMED_OUT', `${doing} took longer than ${spell(ms)}`)
        reject(error)
        controller.abort(error)
      })
    }
    arm()
  })
  try {
    return await Promise.race([work(controller.signal), limit])
  } finally {
    disarm()
  }
}

/** Waits `ms`; ends early, without an error, when the signal aborts. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal?.aborted === true) return resolve()
    const done = (): void => {
      disarm()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const disarm = timer(ms, done)
    signal?.addEventListener('abort', done, { once: true })
  })
}

/**
 * A signal that aborts with another one, or after `ms`. `AbortSignal.any` is none: Node 20 forgets an `AbortSignal.timeout` in it that nobody else holds.
 * `lift` takes the limit back.
 */
export function limited(signal: AbortSignal, ms: number): { readonly signal: AbortSignal; readonly lift: () => void } {
  const over = new AbortController()
  const end = (): void => over.abort()
  const disarm = timer(ms, end)
  if (signal.aborted) end()
  else signal.addEventListener('abort', end, { once: true })
  const lift = (): void => {
    disarm()
    signal.removeEventListener('abort', end)
  }
  return { signal: over.signal, lift }
}

/** Counts the time in which this process ran. It tells a stop (Ctrl-Z, a suspended machine) by a look that comes much later than the one before, so look often. */
export class Awake {
  #sum = 0
  #last = now()

  /** Milliseconds since it was made, those between two looks left out when they were more than `STOPPED_MS`. */
  get ms(): number {
    const at = now()
    const since = at - this.#last
    this.#last = at
    if (since <= STOPPED_MS) this.#sum += since
    return this.#sum
  }

  /** Looks by itself from now on, for who is kept by something else between two looks. Returns what ends that. */
  watch(): () => void {
    const looking = setInterval(() => this.ms, LOOK_MS)
    return () => clearInterval(looking)
  }
}

const LOOK_MS = 500
const STOPPED_MS = LOOK_MS + STALL_MS

/** Waits until this process has run for `ms`; ends early, without an error, when the signal aborts. */
export async function awake(ms: number, signal?: AbortSignal): Promise<void> {
  const clock = new Awake()
  for (let left = ms; left > 0 && signal?.aborted !== true; left = ms - clock.ms) await pause(Math.min(left, LOOK_MS), signal)
}

/** A promise with its settlers outside (Node 20 has no Promise.withResolvers). */
export interface Deferred<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (error: unknown) => void
}

export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

/** A duration for people: `4 ms`, `2.5 s`, `10 min`. */
export function spell(ms: number): string {
  if (ms < 1000) return `${ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms)} ms`
  if (ms < 120_000) return `${Math.round(ms / 100) / 10} s`
  return `${Math.round(ms / 6000) / 10} min`
}
