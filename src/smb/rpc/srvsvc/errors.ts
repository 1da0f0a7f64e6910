import { NbtrunError, type Code } from '../../../base/errors.ts'
import { UNKNOWN_CALL } from '../faults.ts'

/** What the server service answers: Win32 errors and those of the network management functions. [MS-ERREF] 2.2, [MS-SRVS] 2.2.2.11. */
const ROWS = [
  [0, 'NERR_Success', 'SERVER_REFUSED'],
  [5, 'ERROR_ACCESS_DENIED', 'ACCESS_DENIED'],
  [8, 'ERROR_NOT_ENOUGH_MEMORY', 'SERVER_REFUSED'],
  [50, 'ERROR_NOT_SUPPORTED', 'SERVER_REFUSED'],
  [87, 'ERROR_INVALID_PARAMETER', 'SERVER_REFUSED'],
  [123, 'ERROR_INVALID_NAME', 'SERVER_REFUSED'],
  [124, 'ERROR_INVALID_LEVEL', 'SERVER_REFUSED'],
  [234, 'ERROR_MORE_DATA', 'SERVER_REFUSED'],
  [2114, 'NERR_ServerNotStarted', 'SERVER_REFUSED'],
  [2123, 'NERR_BufTooSmall', 'SERVER_REFUSED'],
  [2221, 'NERR_UserNotFound', 'NO_SUCH_SESSION'],
  [2310, 'NERR_NetNameNotFound', 'SHARE_NOT_FOUND'],
  [2312, 'NERR_ClientNameNotFound', 'NO_SUCH_SESSION'],
  [2314, 'NERR_FileIdNotFound', 'SERVER_REFUSED'],
] as const satisfies readonly (readonly [number, string, Code])[]

export const NERR = {
  SUCCESS: 0,
  ACCESS_DENIED: 5,
  NOT_SUPPORTED: 50,
  INVALID_NAME: 123,
  INVALID_LEVEL: 124,
  MORE_DATA: 234,
  CLIENT_NAME_NOT_FOUND: 2312,
} as const

/** A refusal by the server service. `facts.status` has its number. */
export function serviceError(status: number, doing: string, ifDenied = "log in as a member of the server's Administrators"): NbtrunError {
  const [, name, code] = ROWS.find(([number]) => number === status) ?? [status, `error ${status}`, 'SERVER_REFUSED' as const]
  const hint = code === 'ACCESS_DENIED' ? ifDenied : undefined
  return new NbtrunError(code, `${doing}: server said ${name}`, { facts: { status, name, errno: 'EIO' }, ...(hint === undefined ? {} : { hint }) })
}

/** The server answers this question at another level perhaps, or knows no such question. */
export function isUnknownLevel(error: unknown): boolean {
  if (!(error instanceof NbtrunError)) return false
  const { status, fault } = error.facts
  return status === NERR.INVALID_LEVEL || status === NERR.NOT_SUPPORTED || UNKNOWN_CALL.has(fault)
}

export function isDenied(error: unknown): boolean {
  return error instanceof NbtrunError && error.code === 'ACCESS_DENIED'
}
