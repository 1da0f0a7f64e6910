import { asError, CODES, type Code, type NbtrunError } from '../../base/errors.ts'
import type { Patient } from './patient.ts'

/** What is looked at, in this order. */
export const GROUPS = ['host', 'names', 'ports', 'server', 'share'] as const
export type Group = (typeof GROUPS)[number]

/** What is found beside the failures that have codes of their own, and its cure. As those they are never renamed and never used for something else. */
export const FINDINGS = {
  NODE_TOO_OLD: 'install Node 20.19 or newer',
  FUSE_MISSING: 'modprobe fuse, or docker run --device /dev/fuse',
  FUSE_DENIED: 'chmod 666 /dev/fuse, or join the group that owns it',
  TOOLS_MISSING: 'apt install util-linux mount',
  NAMESPACES_DENIED: 'sysctl user.max_user_namespaces=10000',
  KOFFI_MISSING: 'npm install koffi',
  FUSERMOUNT3_MISSING: 'apt install fuse3',
  WINE_MISSING: 'apt install wine',
  STATE_UNUSABLE: 'give this user a home folder, or set XDG_STATE_HOME to one that it may write to',
  DEAD_RUNS: 'nbtrun reap',
  NAMES_DISAGREE: 'a run takes the first: correct the other, or choose with --name-order',
  PORT_445_CLOSED: 'open port 445 on the server and on the way there; --transport nbt does not try it',
  SIGNING_OFF: 'switch signing on at the server',
  NO_ENCRYPTION: 'update the server to SMB 3.0 or newer, and switch encryption on',
  GUEST_SESSION: 'log in with --user: what a guest reads and writes is not signed',
  NOT_WRITABLE: 'ask the admin of the server to let this user write, or run with --read-only',
  DISK_FULL: 'make room on the share, or have its quota raised',
} as const satisfies Record<string, string>

/** A stable name for what is found. */
export type Symptom = Code | keyof typeof FINDINGS

export type Facts = Readonly<Record<string, string | number | boolean | readonly string[]>>

/** ok: as it should be. note: it works, and should be known. finding: to be mended. skipped: not looked at, and why. */
export type State = 'ok' | 'note' | 'finding' | 'skipped'

/** What a look showed. */
export interface Seen {
  readonly state: State
  /** One line, for people. */
  readonly text: string
  readonly code?: Symptom
  /** What to do, in one line. */
  readonly cure?: string
  /** For programs. */
  readonly facts?: Facts
  /** Where one look shows several things: its name, and the time it took. */
  readonly check?: string
  readonly ms?: number
}

/** One thing to look at. What `look` throws is a finding. */
export interface Check {
  readonly group: Group
  /** A stable name, once in its group. */
  readonly check: string
  /** What the look may take, ms; undefined where a person is asked. */
  readonly limitMs: number | undefined
  /** Told to stop, it needs so long to give back what it took, ms. */
  readonly settleMs?: number
  /** Why it need not be looked at. */
  readonly needless?: (patient: Patient) => string | undefined
  readonly look: (patient: Patient, signal: AbortSignal) => Promise<Seen | readonly Seen[]>
}

export function ok(text: string, facts?: Facts): Seen {
  return { state: 'ok', text, ...(facts === undefined ? {} : { facts }) }
}

export function note(text: string, code?: Symptom, cure = cureOf(code), facts?: Facts): Seen {
  return seen('note', text, code, cure, facts)
}

export function finding(code: Symptom, text: string, cure = cureOf(code), facts?: Facts): Seen {
  return seen('finding', text, code, cure, facts)
}

/** A failure with its own code, unless a better one is known, and its hint as the cure. */
export function failed(thrown: unknown, code?: Symptom, state: 'finding' | 'note' = 'finding'): Seen {
  const error: NbtrunError = asError(thrown)
  const symptom = code ?? error.code
  return seen(state, error.message.replace(/\s*\n\s*/g, ' '), symptom, error.hint ?? cureOf(symptom) ?? LAST_CURES[symptom] ?? 'a run with -vv says more')
}

/** Where a failure has no hint of its own. */
const LAST_CURES: Partial<Record<Symptom, string>> = {
  TIMED_OUT: 'see whether the server hangs, or give it longer with --connect-timeout and --io-timeout',
  CONNECTION_LOST: 'see in the log of the server why it ended the connection',
  SERVER_REFUSED: 'see in the log of the server why',
  WIRE: 'check that this is a file server, and that nothing on the way changes what is sent',
}

function seen(state: State, text: string, code: Symptom | undefined, cure: string | undefined, facts?: Facts): Seen {
  return {
    state,
    text,
    ...(code === undefined ? {} : { code }),
    ...(cure === undefined ? {} : { cure }),
    ...(facts === undefined ? {} : { facts }),
  }
}

function cureOf(code: Symptom | undefined): string | undefined {
  if (code === undefined) return undefined
  if (code in FINDINGS) return FINDINGS[code as keyof typeof FINDINGS]
  const { hint }: { readonly exit: number; readonly hint?: string } = CODES[code as Code]
  return hint
}
