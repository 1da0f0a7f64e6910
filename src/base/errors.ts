/** Every way a run can fail, in one table. Codes are API: never renamed, never reused. `exit` is nbtrun's own exit code. */
export const CODES = {
  USAGE: { exit: 125, hint: 'see nbtrun --help' },
  SHELL_ATE_SHARE: { exit: 125 },
  PASSWORD_IN_ARGV: { exit: 125 },
  NO_PASSWORD: { exit: 125 },
  HOST_NOT_FOUND: { exit: 125 },
  NAME_HELD: { exit: 75 },
  PORT_UNAVAILABLE: { exit: 125 },
  CONNECT_FAILED: { exit: 125 },
  CONNECTION_LOST: { exit: 125 },
  TIMED_OUT: { exit: 125 },
  CALLED_NAME_REFUSED: { exit: 125 },
  SMB1_ONLY: { exit: 125, hint: 'switch SMB2 or newer on there (a NAS calls it the maximum protocol), or take it as it is with --server nt4' },
  DIALECT_REFUSED: { exit: 125, hint: 'allow others with --min-dialect and --max-dialect, or update the server' },
  DOWNGRADE: { exit: 125, hint: 'somebody or something between here and the server changes what is sent; nothing was read or written' },
  SIGNING_REFUSED: { exit: 125 },
  SIGNING_REQUIRED: { exit: 125, hint: 'guests and nobodies cannot sign: log in with --user' },
  ENCRYPTION_REFUSED: { exit: 125, hint: 'leave out --encrypt, or have the admin switch encryption on (SMB 3.0 or newer)' },
  ENCRYPTION_REQUIRED: { exit: 125, hint: 'allow SMB 3.0 or newer with --max-dialect, and one of its ciphers' },
  BAD_SIGNATURE: { exit: 125 },
  GUEST_REFUSED: { exit: 125 },
  NTLM_REFUSED: { exit: 125, hint: 'nbtrun logs in by NTLM only: ask its admin to allow that for this account or server' },
  LOGON_FAILED: { exit: 125 },
  OTHER_LOGIN: { exit: 125 },
  LOGON_RESTRICTED: { exit: 125, hint: 'the password is not the trouble: ask the admin when, from where and how this account may log in' },
  NO_LOGON_SERVER: { exit: 125, hint: 'its domain controller does not answer it: try again later, or tell its admin' },
  PASSWORD_EXPIRED: { exit: 125, hint: 'change the password first (on Windows, or: smbpasswd -r SERVER -U USER)' },
  ACCOUNT_LOCKED: { exit: 125, hint: 'wait until the lock has passed, or have the admin end it; more tries make it last' },
  ACCOUNT_DISABLED: { exit: 125, hint: 'ask the admin to enable the account' },
  CLOCK_SKEW: { exit: 125, hint: 'set the clocks of this machine, the server and its domain by one source' },
  SHARE_NOT_FOUND: { exit: 125 },
  ACCESS_DENIED: { exit: 125 },
  NO_SUCH_SESSION: { exit: 125 },
  SHARE_FULL: { exit: 75 },
  SERVER_REFUSED: { exit: 125 },
  FILE_ERROR: { exit: 125 },
  MAPPING_FAILED: { exit: 125 },
  POINT_UNUSABLE: { exit: 125 },
  WINESERVER_OUTSIDE: { exit: 125 },
  WINE_PREFIX: { exit: 125 },
  PROGRAM_AMBIGUOUS: { exit: 125 },
  PROGRAM_NOT_RUNNABLE: { exit: 126 },
  PROGRAM_NOT_FOUND: { exit: 127 },
  CANCELLED: { exit: 125 },
  CLOSED: { exit: 125 },
  WIRE: { exit: 125 },
  TEARDOWN_FAILED: { exit: 125 },
  OUTPUT_LOST: { exit: 125 },
  OUT_OF_DESCRIPTORS: { exit: 125, hint: 'allow nbtrun more at once: ulimit -n 1024, or more' },
  INTERNAL: { exit: 125 },
} as const satisfies Record<string, { exit: number; hint?: string }>

export type Code = keyof typeof CODES

export interface ErrorDetails {
  readonly cause?: unknown
  /** What to do next; printed after the message, on the same line. */
  readonly hint?: string
  /** Machine-readable particulars, for receipts and callers: never a secret. */
  readonly facts?: Readonly<Record<string, string | number | boolean>>
}

/** The one error class. `message` is a line without capital or full stop: what failed, with which value. */
export class NbtrunError extends Error {
  readonly code: Code
  readonly hint: string | undefined
  readonly facts: Readonly<Record<string, string | number | boolean>>

  constructor(code: Code, message: string, { cause, hint, facts }: ErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause })
    const row: { exit: number; hint?: string } = CODES[code]
    this.code = code
    this.hint = hint ?? row.hint
    this.facts = facts ?? {}
  }

  static {
    this.prototype.name = 'NbtrunError'
  }

  get exit(): number {
    return CODES[this.code].exit
  }

  /** `what, which value; what to do`, as it is printed. */
  get line(): string {
    return this.hint === undefined ? this.message : `${this.message}; ${this.hint}`
  }
}

/** Any thrown value as our error; what came of too many open files is that, an abort CANCELLED or TIMED_OUT, any other stranger INTERNAL; they keep their cause. */
export function asError(thrown: unknown): NbtrunError {
  const short = outOfDescriptors(thrown)
  if (short !== undefined) return short
  if (thrown instanceof NbtrunError) return thrown
  if (thrown instanceof DOMException && thrown.name === 'AbortError') return new NbtrunError('CANCELLED', 'cancelled', { cause: thrown })
  if (thrown instanceof DOMException && thrown.name === 'TimeoutError') return new NbtrunError('TIMED_OUT', 'no time left', { cause: thrown })
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return new NbtrunError('INTERNAL', message.split('\n', 1)[0] ?? 'unknown failure', { cause: thrown, hint: 'this is a defect in nbtrun' })
}

/** The `code` of a Node system error (ENOENT, ECONNREFUSED …), or undefined. */
export function errnoOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined
}

/** Causes of causes that are looked at. */
const MAX_DEPTH = 8

/** OUT_OF_DESCRIPTORS where that is what it came of in the end, whatever it was called on the way; else undefined. */
export function outOfDescriptors(thrown: unknown, depth = 0): NbtrunError | undefined {
  if (!(thrown instanceof Error) || depth > MAX_DEPTH) return undefined
  if (thrown instanceof NbtrunError && thrown.code === 'OUT_OF_DESCRIPTORS') return thrown
  const errno = errnoOf(thrown)
  if (errno === 'EMFILE') return new NbtrunError('OUT_OF_DESCRIPTORS', 'too many files are open (EMFILE)', { cause: thrown })
  if (errno === 'ENFILE') {
    const hint = 'end what holds them, or allow more: sysctl fs.file-max'
    return new NbtrunError('OUT_OF_DESCRIPTORS', 'too many files are open on this machine (ENFILE)', { cause: thrown, hint })
  }
  const below: readonly unknown[] = thrown instanceof AggregateError ? thrown.errors : [thrown.cause]
  for (const cause of below) {
    const short = outOfDescriptors(cause, depth + 1)
    if (short !== undefined) return short
  }
  return undefined
}
