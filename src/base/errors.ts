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
  DIALECT_REFUSED: { exit: 125 },
  SIGNING_REFUSED: { exit: 125 },
  ENCRYPTION_REQUIRED: { exit: 125 },
  BAD_SIGNATURE: { exit: 125 },
  GUEST_REFUSED: { exit: 125 },
  LOGON_FAILED: { exit: 125 },
  SHARE_NOT_FOUND: { exit: 125 },
  ACCESS_DENIED: { exit: 125 },
  SHARE_FULL: { exit: 75 },
  SERVER_REFUSED: { exit: 125 },
  FILE_ERROR: { exit: 125 },
  MAPPING_FAILED: { exit: 125 },
  POINT_UNUSABLE: { exit: 125 },
  WINESERVER_OUTSIDE: { exit: 125 },
  PROGRAM_AMBIGUOUS: { exit: 125 },
  PROGRAM_NOT_RUNNABLE: { exit: 126 },
  PROGRAM_NOT_FOUND: { exit: 127 },
  CANCELLED: { exit: 125 },
  CLOSED: { exit: 125 },
  WIRE: { exit: 125 },
  TEARDOWN_FAILED: { exit: 125 },
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

/** Any thrown value as our error; an abort CANCELLED or TIMED_OUT, any other stranger INTERNAL; they keep their cause. */
export function asError(thrown: unknown): NbtrunError {
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
