import { SMB2_DIALECTS, type Smb2Dialect } from './smb2/dialect.ts'

/** A version of SMB. `NT1` is SMB1 as NT and Samba speak it, "NT LM 0.12". */
export type Dialect = 'NT1' | Smb2Dialect

/** Oldest first. */
export const DIALECTS: readonly Dialect[] = ['NT1', ...SMB2_DIALECTS]

/** Both ends included, oldest first; empty when `min` is above `max`. */
export function dialectsBetween(min: Dialect, max: Dialect): readonly Dialect[] {
  return DIALECTS.slice(DIALECTS.indexOf(min), DIALECTS.indexOf(max) + 1)
}

export function isSmb2(dialect: Dialect): dialect is Smb2Dialect {
  return dialect !== 'NT1'
}
