import { constants } from 'node:os'
import { asError, NbtrunError, type Code } from '../../base/errors.ts'

/** Names of errors as errno.h spells them. */
export type ErrnoName = keyof typeof constants.errno

/** Errors that carry no errno of their own. */
const BY_CODE: Partial<Record<Code, ErrnoName>> = {
  ACCESS_DENIED: 'EACCES',
  CANCELLED: 'EINTR',
  TIMED_OUT: 'ETIMEDOUT',
  WIRE: 'EINVAL',
}

/** An error of the mapping's own making, named as the program will see it. */
export function fault(errno: ErrnoName, doing: string): NbtrunError {
  return new NbtrunError('FILE_ERROR', `${doing}: ${errno}`, { facts: { errno } })
}

/** The errno that a failure becomes for the program; EIO when nothing better is known, as for a lost connection. */
export function errnoName(thrown: unknown): ErrnoName {
  const error = asError(thrown)
  const name = error.facts['errno']
  if (typeof name === 'string' && name in constants.errno) return name as ErrnoName
  return BY_CODE[error.code] ?? 'EIO'
}

export function errnoNumber(name: ErrnoName): number {
  return constants.errno[name]
}

export function isErrno(thrown: unknown, ...names: readonly ErrnoName[]): boolean {
  return names.includes(errnoName(thrown))
}

/** STATUS_FILE_LOCK_CONFLICT and STATUS_LOCK_NOT_GRANTED, [MS-ERREF] 2.3.1: somebody else holds a lock there. */
const LOCK_CONFLICTS = new Set<unknown>([0xc000_0054, 0xc000_0055])

export function isLockConflict(thrown: unknown): boolean {
  return thrown instanceof NbtrunError && LOCK_CONFLICTS.has(thrown.facts['status'])
}
