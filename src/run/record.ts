import { resolve } from 'node:path'
import type { Exit } from '../app/start.ts'
import type { NbtrunError } from '../base/errors.ts'
import type { Scope, Step } from '../base/scope.ts'
import type { EndNode } from '../nbt/node.ts'
import type { Mapping } from '../mapping/mapping.ts'
import type { Lifeline } from '../smb/lifeline/lifeline.ts'
import type { Settings } from '../profile/settings.ts'
import type { Waited } from '../seat/patience.ts'
import { type RunEvent, type RunIo, staleLine, type StartedShare, type Survivor } from './events.ts'
import type { Verification } from './listed.ts'
import { published } from './published.ts'
import { judge, type NameReceipt, type ProgramReceipt, type Receipt, type ShareReceipt, type WineReceipt } from './receipt.ts'
import type { Connected } from './servers.ts'
import { Sink } from './sink.ts'
import type { Verifier } from './verify.ts'

/** A share that the program can see, and what went through it. */
export interface Seen {
  readonly point: string
  readonly counters: { readonly bytesRead: number; readonly bytesWritten: number }
}

/** What happened in a run, for the receipt; and the one place from which listeners and the events file are told. */
export class Record {
  program: ProgramReceipt | null = null
  connected: readonly Connected[] = []
  /** Shares that the system's own client holds. */
  redirected: readonly ShareReceipt[] = []
  /** The names of the run's own (`--hold-name`), and the node that holds them. */
  names: readonly NameReceipt[] = []
  node: EndNode | undefined
  /** Servers that were told to end this machine's other sessions. */
  readonly resets = new Set<string>()
  wine: WineReceipt | null = null
  /** The drives of the shares, in their order. */
  drives: readonly (string | undefined)[] = []
  /** A connection that was lost before there was a program: what the run fails of. */
  earlyLoss: NbtrunError | undefined
  /** How long everything was held for after the last user was gone, ms. */
  graceMs = 0
  /** From the beginning to the end of the teardown, ms. */
  heldMs = 0
  /** What it took to get the shares. */
  waited: Waited = { ms: 0, attempts: 0 }
  /** What the servers said afterwards. */
  verification: Verification | undefined
  /** What connections were lost of, as far as it was told. */
  readonly #losses = new Set<string>()
  /** Shares on which a request of a program failed. */
  readonly #failing = new Set<string>()
  #survivors: readonly Survivor[] = []
  #over = false
  #reconnects = 0
  #mapping: Mapping | undefined
  #seen: readonly Seen[] = []
  readonly #run: string
  readonly #io: RunIo
  readonly #verifier: Verifier | undefined
  readonly #warnings: string[] = []
  readonly #receipt: Sink | undefined
  readonly #events: Sink | undefined

  /** Opens receipt and events file first of all: a path that cannot be written to must not cost a seat. */
  constructor(run: string, settings: Settings, io: RunIo, verifier: Verifier | undefined) {
    this.#verifier = verifier
    this.#run = run
    this.#io = io
    const at = (target: NonNullable<Settings['events']>): typeof target => ('file' in target ? { file: resolve(io.cwd, target.file) } : target)
    const lost = (error: NbtrunError): void => this.tell({ type: 'unwritten', error })
    this.#receipt = settings.receipt === undefined || settings.receipt === 'people' ? undefined : new Sink(at(settings.receipt), 'the receipt', lost)
    this.#events = settings.events === undefined ? undefined : new Sink(at(settings.events), 'events', lost)
  }

  /** Says when the connection is lost while it is needed, and when there is a new one; what happens to it in the teardown is the teardown's to tell. */
  watch(lifeline: Lifeline, scope: Scope): void {
    const { host: server } = lifeline
    this.#verifier?.watch(lifeline)
    lifeline.listener = {
      lost: error => {
        if (this.#over) return
        if (this.program === null) {
          this.earlyLoss = error
          return
        }
        this.#losses.add(error.message)
        this.tell({ type: 'lost', server, error })
      },
      reconnected: ms => {
        this.#reconnects++
        this.earlyLoss = undefined
        this.#verifier?.watch(lifeline)
        scope.note('reconnect', `session ${server}`)
        this.tell({ type: 'reconnected', server, ms })
      },
    }
  }

  /** A program got an error that says too little. Told once a share: one silence fails many requests. */
  requestFailed(share: string, error: NbtrunError): void {
    const server = this.connected.find(({ files }) => files.label === share)?.server
    if (server?.isUp === false) return server.inVain()
    if (this.#failing.has(share) || this.knowsLoss(error.message)) return
    this.#failing.add(share)
    this.tell({ type: 'request-failed', share, error })
  }

  /** Whether a step failed of nothing but a connection whose loss was told. */
  knowsLoss(message: string | undefined): boolean {
    return message !== undefined && this.#losses.has(message)
  }

  /** The shares are there. */
  obtained(): void {
    this.tell({ type: 'obtained', shares: this.#shares() })
  }

  exited(program: string, { code, signal }: Exit): void {
    if (this.program !== null) this.program = { ...this.program, exit: code, signal }
    this.tell({ type: 'quit', program, exit: code, signal, timedOut: this.program?.timedOut ?? false })
  }

  timedOut(program: string, limitMs: number): void {
    if (this.program !== null) this.program = { ...this.program, timedOut: true }
    this.tell({ type: 'time-limit', program, limitMs })
  }

  survived(program: string, survivors: readonly Survivor[]): void {
    this.#survivors = survivors
    this.tell({ type: 'lingering', program, cause: 'taken', users: survivors, graceMs: this.graceMs })
  }

  /** From here on nothing is needed any more. */
  over(): void {
    this.#over = true
  }

  /** `seen`: where each connected share is; empty when none is. */
  mapped(mapping: Mapping, seen: readonly Seen[]): void {
    this.#mapping = mapping
    this.#seen = seen
    this.tell({ type: 'mapped', shares: this.#shares() })
  }

  /** Where the program sees its shares. */
  get points(): readonly string[] {
    return this.#seen.map(({ point }) => point)
  }

  /** Where the program sees the share with this index. */
  pointOf(index: number): string | undefined {
    return this.#seen[index]?.point
  }

  /** For the line that says what the program got. */
  started(): StartedShare[] {
    return this.#shares().map(({ share, point, drive, mapping, way, dialect, signing, encryption }) => {
      return {
        label: share,
        point: point ?? undefined,
        drive: drive ?? undefined,
        mapping,
        way,
        dialect,
        signed: signing !== null,
        encrypted: encryption !== null,
      }
    })
  }

  /** A step of the run is over. */
  done({ phase, name, ok, error = 'failed' }: Step): void {
    if (phase === 'reach' && !ok) this.tell({ type: 'tried', what: name, error })
  }

  tell(event: RunEvent): void {
    if (event.type === 'warning') this.#warnings.push(event.message)
    if (event.type === 'stale') this.#warnings.push(staleLine(event))
    if (event.type === 'unwritten') this.#warnings.push(event.error.message)
    if (this.#events !== undefined) {
      const line = published(this.#run, event)
      if (line !== undefined) this.#events.line(line)
    }
    this.#io.tell(event)
  }

  /** The last word: closes the events and writes the receipt. */
  async finish(scope: Scope, releasedMs: number, failure: NbtrunError | undefined): Promise<void> {
    await this.#events?.close()
    const receipt: Receipt = {
      receipt: 1,
      run: this.#run,
      program: this.program,
      shares: this.#shares(),
      wine: this.wine,
      names: this.names,
      steps: scope.steps,
      waitedMs: round(this.waited.ms),
      attempts: this.waited.attempts,
      reconnects: this.#reconnects,
      heldMs: round(this.heldMs),
      graceMs: round(this.graceMs),
      releasedMs: round(releasedMs),
      end: judge(scope.steps),
      verified: this.verification?.verified ?? null,
      verification: this.verification?.text ?? null,
      survivors: this.#survivors,
      error: failure === undefined ? null : { code: failure.code, message: failure.message },
      warnings: this.#warnings,
    }
    this.tell({ type: 'receipt', receipt })
    this.#receipt?.line(receipt)
    await this.#receipt?.close()
  }

  #shares(): readonly ShareReceipt[] {
    if (this.redirected.length > 0) return this.redirected
    return this.connected.map(({ share, server, disk }, i) => {
      const { transport, connection, session } = server
      const seen = this.#seen[i]
      return {
        share: share.label,
        server: share.host,
        address: transport.address,
        foundBy: transport.foundBy,
        transport: `${transport.kind}:${transport.port}`,
        calledName: transport.calledName ?? null,
        dialect: connection.dialect,
        signing: session.signing ?? null,
        encryption: disk.tree.cipher ?? null,
        mapping: this.#mapping?.kind ?? 'none',
        way: this.#mapping?.way ?? 'none',
        point: seen?.point ?? null,
        drive: this.drives[i] ?? null,
        bytesRead: seen?.counters.bytesRead ?? 0,
        bytesWritten: seen?.counters.bytesWritten ?? 0,
        guest: session.guest || session.anonymous,
      }
    })
  }
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10
}
