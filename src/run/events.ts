import type { Standard } from '../app/descriptors.ts'
import type { NbtrunError } from '../base/errors.ts'
import type { Waiting } from '../seat/patience.ts'
import type { Reaped } from './reap.ts'
import type { End, Receipt, ShareReceipt } from './receipt.ts'

export interface StartedShare {
  /** `//srv/app` */
  readonly label: string
  /** Where the program sees it; undefined for a session only. */
  readonly point: string | undefined
  /** The drive letter that Windows programs see, `P:`. */
  readonly drive: string | undefined
  readonly mapping: string
  /** The technical way of the mapping, `b2`. */
  readonly way: string
  /** `3.1.1` */
  readonly dialect: string
  readonly signed: boolean
  readonly encrypted: boolean
}

export interface Started {
  readonly shares: readonly StartedShare[]
  /** The program's name, for people: `app.exe`. */
  readonly program: string
}

export interface Ended {
  readonly program: string
  readonly exit: number | null
  readonly signal: string | null
  readonly graceMs: number
}

export interface Survivor {
  readonly pid: number
  readonly name: string
  /** What it has open on the mapping: paths below where that is. */
  readonly files: readonly string[]
}

export interface GivenBack {
  readonly ms: number
  /** What was given back, in that order: `mapping`, `app`, `IPC$`, `session`, `connection`. */
  readonly what: readonly string[]
  readonly end: End
}

/** It waits: for its turn on this machine, or for what the last try failed of. Told at every change. */
export interface Queued extends Waiting {
  /** `//srv/cad` */
  readonly share: string
  /** How long it may wait in all. */
  readonly waitMs: number
}

/** How the program's own process ended; others may still use the mapping. */
export interface Quit {
  readonly program: string
  readonly exit: number | null
  readonly signal: string | null
  /** Whether `--time-limit` ended it. */
  readonly timedOut: boolean
}

/** The program is gone, and all is held for longer, or taken from those who use it. */
export interface Lingering {
  readonly program: string
  /** Others use the mapping; the grace runs; or the run ends under those who use it. */
  readonly cause: 'users' | 'grace' | 'taken'
  readonly users: readonly Survivor[]
  readonly graceMs: number
}

/** A file that was open is lost to the program: what it does with it fails with EIO. */
export interface Stale {
  /** `//srv/app/x.dbf` */
  readonly file: string
  /** What became of it while the connection was lost. */
  readonly why: string
}

export function staleLine({ file, why }: Stale): string {
  return `${file} is lost to those who have it open (EIO): ${why}`
}

/** The life of a run, in the words in which `--events` tells it to other programs, too (published.ts). */
export type LifeEvent =
  | { readonly type: 'requested'; readonly shares: readonly string[]; readonly program: string; readonly waitMs: number }
  | ({ readonly type: 'queued' } & Queued)
  /** The waiting is over, whether or not it was worth it. */
  | { readonly type: 'dequeued'; readonly waitedMs: number; readonly attempts: number }
  | { readonly type: 'obtained'; readonly shares: readonly ShareReceipt[] }
  /** There will be no program. */
  | { readonly type: 'denied'; readonly error: NbtrunError }
  | { readonly type: 'mapped'; readonly shares: readonly ShareReceipt[] }
  | ({ readonly type: 'launched'; readonly pid: number } & Started)
  | ({ readonly type: 'quit' } & Quit)
  | ({ readonly type: 'lingering' } & Lingering)
  | ({ readonly type: 'returned'; readonly error: NbtrunError | undefined } & GivenBack)
  /** The connection to a server is gone while it is needed, and could not be set up anew: what the program does on its shares fails. */
  | { readonly type: 'lost'; readonly server: string; readonly error: NbtrunError }
  | ({ readonly type: 'stale' } & Stale)
  /** A lost connection was set up anew, in so many ms, and the program goes on. */
  | { readonly type: 'reconnected'; readonly server: string; readonly ms: number }
  /** What a dead run had left was given back. */
  | ({ readonly type: 'reaped' } & Reaped)

/** What a run tells while it happens. Plain data; whoever listens decides what people see of it. */
export type RunEvent =
  | LifeEvent
  /** Nobody uses the mapping any more. */
  | ({ readonly type: 'unused' } & Ended)
  /** The time limit is over: the program, and whoever else uses the mapping, is being ended. */
  | { readonly type: 'time-limit'; readonly program: string; readonly limitMs: number }
  /** On the way to a server: a source that did not know its name, a name that it refused. The next one is tried, or the run fails of it. */
  | { readonly type: 'tried'; readonly what: string; readonly error: string }
  | { readonly type: 'warning'; readonly message: string; readonly hint?: string }
  /** Whether a wineserver of the prefix runs already, its pid, and which mapping was chosen for that. */
  | { readonly type: 'wine'; readonly prefix: string; readonly server: number | undefined; readonly mapping: string }
  /** Something that may take long has begun (`connecting to srv`), or, without `doing`, is over. */
  | { readonly type: 'progress'; readonly doing?: string; readonly worthSayingAfterMs?: number }
  /** What the servers said when they were asked, after the teardown, whether they still have a session of this run; `verified` as in the receipt. */
  | { readonly type: 'verified'; readonly verified: boolean | null; readonly text: string; readonly usual?: boolean }
  /** A program got an error because the server did not answer in time, or answered nonsense; the first of a share. */
  | { readonly type: 'request-failed'; readonly share: string; readonly error: NbtrunError }
  /** The teardown failed in part, and nothing else did. */
  | { readonly type: 'not-given-back'; readonly error: NbtrunError }
  /** Lines of the receipt or of the events are lost; the run goes on. */
  | { readonly type: 'unwritten'; readonly error: NbtrunError }
  /** What `--dry-run` found, for people. */
  | { readonly type: 'plan'; readonly lines: readonly string[] }
  | { readonly type: 'receipt'; readonly receipt: Receipt }

/** All a run gets from its surroundings. */
export interface RunIo {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Absolute; relative files of the options and the program's folder start here. */
  readonly cwd: string
  /** Never throws, writes at once. */
  tell(event: RunEvent): void
  /** Where the process is another program's, which has this run as a part: nothing is changed that is the whole process's. */
  readonly embedding?: Embedding | undefined
}

/** What a run gets from the program that it is a part of, in the place of signals, of the process's own descriptors, and of a terminal to ask on. */
export interface Embedding {
  /** Ends the run as TERM would. */
  readonly signal: AbortSignal
  /** The program's descriptors 0, 1 and 2. */
  readonly stdio: Standard
  /** UTF-8, its owner zeroes it; undefined where there is none. */
  readonly password: Buffer | undefined
}

/** How nbtrun ends: with a code, or of the same signal as the program. */
export interface Outcome {
  readonly exit: number
  readonly dieOf?: 'SIGHUP' | 'SIGINT' | 'SIGQUIT' | 'SIGTERM'
}
