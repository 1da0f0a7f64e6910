import type { NbtrunError } from '../base/errors.ts'
import type { LifeEvent, RunEvent, Survivor } from './events.ts'
import type { Reaped } from './reap.ts'
import type { ShareReceipt } from './receipt.ts'

/**
 * What `--events` writes: the life of a run in twelve words, a line of JSON each. docs/events.schema.json is its description. Readers ignore types and members
 * that they do not know; both are only ever added.
 */
export type Published = { readonly event: 1; readonly run: string; readonly at: string } & Body

type Body =
  | { readonly type: 'requested'; readonly shares: readonly string[]; readonly program: string; readonly waitMs: number }
  | {
      readonly type: 'queued'
      readonly share: string
      readonly lack: string | null
      readonly place: number
      readonly waitMs: number
      readonly nextMs: number | null
      readonly error: Failure | null
    }
  | { readonly type: 'dequeued'; readonly waitedMs: number; readonly attempts: number }
  | { readonly type: 'obtained'; readonly shares: readonly ObtainedShare[] }
  | { readonly type: 'obtained'; readonly server: string; readonly again: true; readonly ms: number }
  | { readonly type: 'denied'; readonly error: Failure }
  | { readonly type: 'mapped'; readonly shares: readonly MappedShare[] }
  | { readonly type: 'launched'; readonly program: string; readonly pid: number }
  | { readonly type: 'quit'; readonly program: string; readonly exit: number | null; readonly signal: string | null; readonly timedOut: boolean }
  | { readonly type: 'lingering'; readonly cause: 'users' | 'grace' | 'taken'; readonly users: readonly Survivor[]; readonly graceMs: number }
  | { readonly type: 'returned'; readonly what: readonly string[]; readonly ms: number; readonly end: string; readonly error: Failure | null }
  | { readonly type: 'lost'; readonly server: string; readonly error: Failure }
  | { readonly type: 'lost'; readonly file: string; readonly why: string }
  | ({ readonly type: 'reaped' } & Reaped)

type ObtainedShare = Pick<ShareReceipt, 'share' | 'server' | 'address' | 'transport' | 'dialect' | 'signing' | 'encryption'>
type MappedShare = Pick<ShareReceipt, 'share' | 'mapping' | 'way' | 'point'>

interface Failure {
  readonly code: string
  readonly message: string
}

/** The line for an event; undefined for one that is for people alone. */
export function published(run: string, event: RunEvent): Published | undefined {
  const body = bodyOf(event)
  return body === undefined ? undefined : { event: 1, run, at: new Date().toISOString(), ...body }
}

function bodyOf(event: RunEvent): Body | undefined {
  switch (event.type) {
    case 'requested':
    case 'dequeued':
      return event
    case 'queued':
      return queued(event)
    case 'obtained':
      return { type: 'obtained', shares: event.shares.map(obtained) }
    case 'reconnected':
      return { type: 'obtained', server: event.server, again: true, ms: whole(event.ms) }
    case 'denied':
      return { type: 'denied', error: failure(event.error) }
    case 'mapped':
      return { type: 'mapped', shares: event.shares.map(({ share, mapping, way, point }) => ({ share, mapping, way, point })) }
    case 'launched':
      return { type: 'launched', program: event.program, pid: event.pid }
    case 'quit':
      return { type: 'quit', program: event.program, exit: event.exit, signal: event.signal, timedOut: event.timedOut }
    case 'lingering':
      return { type: 'lingering', cause: event.cause, users: event.users, graceMs: whole(event.graceMs) }
    case 'returned':
      return { type: 'returned', what: event.what, ms: event.ms, end: event.end, error: event.error === undefined ? null : failure(event.error) }
    case 'lost':
      return { type: 'lost', server: event.server, error: failure(event.error) }
    case 'stale':
      return { type: 'lost', file: event.file, why: event.why }
    case 'reaped':
      return { type: 'reaped', dead: event.dead, gone: event.gone, left: event.left }
    default:
      return undefined
  }
}

function queued({ share, lack, place, waitMs, nextMs, error }: Extract<LifeEvent, { type: 'queued' }>): Body {
  return {
    type: 'queued',
    share,
    lack: lack ?? null,
    place,
    waitMs,
    nextMs: nextMs === undefined ? null : whole(nextMs),
    error: error === undefined ? null : failure(error),
  }
}

function obtained({ share, server, address, transport, dialect, signing, encryption }: ShareReceipt): ObtainedShare {
  return { share, server, address, transport, dialect, signing, encryption }
}

function failure({ code, message }: NbtrunError): Failure {
  return { code, message }
}

function whole(ms: number): number {
  return Math.round(ms)
}
