import { NbtrunError, type Code } from '../base/errors.ts'

/** [MS-ERREF] 2.3.1: status, name, our code, and the errno that a program on the mapping sees. One row per status, sorted. */
const ROWS = [
  [0x0000_0000, 'STATUS_SUCCESS', 'SERVER_REFUSED', 'EIO'],
  [0x0000_0103, 'STATUS_PENDING', 'SERVER_REFUSED', 'EIO'],
  [0x0000_010b, 'STATUS_NOTIFY_CLEANUP', 'FILE_ERROR', 'EIO'],
  [0x0005_0002, 'STATUS_SMB_BAD_TID', 'CONNECTION_LOST', 'EIO'],
  [0x0016_0002, 'STATUS_SMB_BAD_COMMAND', 'FILE_ERROR', 'EOPNOTSUPP'],
  [0x005b_0002, 'STATUS_SMB_BAD_UID', 'CONNECTION_LOST', 'EIO'],
  [0x007c_0001, 'STATUS_OS2_INVALID_LEVEL', 'FILE_ERROR', 'EOPNOTSUPP'],
  [0x8000_0005, 'STATUS_BUFFER_OVERFLOW', 'FILE_ERROR', 'EIO'],
  [0x8000_0006, 'STATUS_NO_MORE_FILES', 'FILE_ERROR', 'ENOENT'],
  [0xc000_0001, 'STATUS_UNSUCCESSFUL', 'FILE_ERROR', 'EIO'],
  [0xc000_0002, 'STATUS_NOT_IMPLEMENTED', 'FILE_ERROR', 'EOPNOTSUPP'],
  [0xc000_0003, 'STATUS_INVALID_INFO_CLASS', 'FILE_ERROR', 'EOPNOTSUPP'],
  [0xc000_0008, 'STATUS_INVALID_HANDLE', 'FILE_ERROR', 'EBADF'],
  [0xc000_000d, 'STATUS_INVALID_PARAMETER', 'FILE_ERROR', 'EINVAL'],
  [0xc000_000f, 'STATUS_NO_SUCH_FILE', 'FILE_ERROR', 'ENOENT'],
  [0xc000_0010, 'STATUS_INVALID_DEVICE_REQUEST', 'FILE_ERROR', 'EOPNOTSUPP'],
  [0xc000_0011, 'STATUS_END_OF_FILE', 'FILE_ERROR', 'ENODATA'],
  [0xc000_0016, 'STATUS_MORE_PROCESSING_REQUIRED', 'SERVER_REFUSED', 'EIO'],
  [0xc000_0017, 'STATUS_NO_MEMORY', 'SERVER_REFUSED', 'ENOMEM'],
  [0xc000_0022, 'STATUS_ACCESS_DENIED', 'ACCESS_DENIED', 'EACCES'],
  [0xc000_0023, 'STATUS_BUFFER_TOO_SMALL', 'FILE_ERROR', 'EIO'],
  [0xc000_0033, 'STATUS_OBJECT_NAME_INVALID', 'FILE_ERROR', 'ENOENT'],
  [0xc000_0034, 'STATUS_OBJECT_NAME_NOT_FOUND', 'FILE_ERROR', 'ENOENT'],
  [0xc000_0035, 'STATUS_OBJECT_NAME_COLLISION', 'FILE_ERROR', 'EEXIST'],
  [0xc000_0039, 'STATUS_OBJECT_PATH_INVALID', 'FILE_ERROR', 'ENOTDIR'],
  [0xc000_003a, 'STATUS_OBJECT_PATH_NOT_FOUND', 'FILE_ERROR', 'ENOENT'],
  [0xc000_003b, 'STATUS_OBJECT_PATH_SYNTAX_BAD', 'FILE_ERROR', 'EINVAL'],
  [0xc000_0043, 'STATUS_SHARING_VIOLATION', 'FILE_ERROR', 'EBUSY'],
  [0xc000_0054, 'STATUS_FILE_LOCK_CONFLICT', 'FILE_ERROR', 'EAGAIN'],
  [0xc000_0055, 'STATUS_LOCK_NOT_GRANTED', 'FILE_ERROR', 'EAGAIN'],
  [0xc000_0056, 'STATUS_DELETE_PENDING', 'FILE_ERROR', 'ENOENT'],
  [0xc000_005e, 'STATUS_NO_LOGON_SERVERS', 'NO_LOGON_SERVER', 'EACCES'],
  [0xc000_0061, 'STATUS_PRIVILEGE_NOT_HELD', 'ACCESS_DENIED', 'EPERM'],
  [0xc000_0064, 'STATUS_NO_SUCH_USER', 'LOGON_FAILED', 'EACCES'],
  [0xc000_006a, 'STATUS_WRONG_PASSWORD', 'LOGON_FAILED', 'EACCES'],
  [0xc000_006d, 'STATUS_LOGON_FAILURE', 'LOGON_FAILED', 'EACCES'],
  [0xc000_006e, 'STATUS_ACCOUNT_RESTRICTION', 'LOGON_RESTRICTED', 'EACCES'],
  [0xc000_006f, 'STATUS_INVALID_LOGON_HOURS', 'LOGON_RESTRICTED', 'EACCES'],
  [0xc000_0070, 'STATUS_INVALID_WORKSTATION', 'LOGON_RESTRICTED', 'EACCES'],
  [0xc000_0071, 'STATUS_PASSWORD_EXPIRED', 'PASSWORD_EXPIRED', 'EACCES'],
  [0xc000_0072, 'STATUS_ACCOUNT_DISABLED', 'ACCOUNT_DISABLED', 'EACCES'],
  [0xc000_007e, 'STATUS_RANGE_NOT_LOCKED', 'FILE_ERROR', 'EINVAL'],
  [0xc000_007f, 'STATUS_DISK_FULL', 'FILE_ERROR', 'ENOSPC'],
  [0xc000_009a, 'STATUS_INSUFFICIENT_RESOURCES', 'SERVER_REFUSED', 'ENOMEM'],
  [0xc000_00a2, 'STATUS_MEDIA_WRITE_PROTECTED', 'FILE_ERROR', 'EROFS'],
  [0xc000_00ac, 'STATUS_PIPE_NOT_AVAILABLE', 'SERVER_REFUSED', 'EBUSY'],
  [0xc000_00b0, 'STATUS_PIPE_DISCONNECTED', 'FILE_ERROR', 'EPIPE'],
  [0xc000_00ba, 'STATUS_FILE_IS_A_DIRECTORY', 'FILE_ERROR', 'EISDIR'],
  [0xc000_00bb, 'STATUS_NOT_SUPPORTED', 'FILE_ERROR', 'EOPNOTSUPP'],
  [0xc000_00c9, 'STATUS_NETWORK_NAME_DELETED', 'CONNECTION_LOST', 'EIO'],
  [0xc000_00cb, 'STATUS_BAD_DEVICE_TYPE', 'SERVER_REFUSED', 'EIO'],
  [0xc000_00cc, 'STATUS_BAD_NETWORK_NAME', 'SHARE_NOT_FOUND', 'EIO'],
  [0xc000_00ce, 'STATUS_TOO_MANY_SESSIONS', 'SHARE_FULL', 'EIO'],
  [0xc000_00d0, 'STATUS_REQUEST_NOT_ACCEPTED', 'SHARE_FULL', 'EIO'],
  [0xc000_00d4, 'STATUS_NOT_SAME_DEVICE', 'FILE_ERROR', 'EXDEV'],
  [0xc000_00d5, 'STATUS_FILE_RENAMED', 'FILE_ERROR', 'ENOENT'],
  [0xc000_00e5, 'STATUS_INTERNAL_ERROR', 'FILE_ERROR', 'EIO'],
  [0xc000_0101, 'STATUS_DIRECTORY_NOT_EMPTY', 'FILE_ERROR', 'ENOTEMPTY'],
  [0xc000_0103, 'STATUS_NOT_A_DIRECTORY', 'FILE_ERROR', 'ENOTDIR'],
  [0xc000_0106, 'STATUS_NAME_TOO_LONG', 'FILE_ERROR', 'ENAMETOOLONG'],
  [0xc000_011f, 'STATUS_TOO_MANY_OPENED_FILES', 'FILE_ERROR', 'EMFILE'],
  [0xc000_0120, 'STATUS_CANCELLED', 'FILE_ERROR', 'EINTR'],
  [0xc000_0121, 'STATUS_CANNOT_DELETE', 'FILE_ERROR', 'EACCES'],
  [0xc000_0128, 'STATUS_FILE_CLOSED', 'FILE_ERROR', 'EBADF'],
  [0xc000_0133, 'STATUS_TIME_DIFFERENCE_AT_DC', 'CLOCK_SKEW', 'EACCES'],
  [0xc000_0148, 'STATUS_INVALID_LEVEL', 'FILE_ERROR', 'EOPNOTSUPP'],
  [0xc000_014b, 'STATUS_PIPE_BROKEN', 'FILE_ERROR', 'EPIPE'],
  [0xc000_015b, 'STATUS_LOGON_TYPE_NOT_GRANTED', 'LOGON_RESTRICTED', 'EACCES'],
  [0xc000_018b, 'STATUS_NO_TRUST_SAM_ACCOUNT', 'NO_LOGON_SERVER', 'EACCES'],
  [0xc000_018c, 'STATUS_TRUSTED_DOMAIN_FAILURE', 'NO_LOGON_SERVER', 'EACCES'],
  [0xc000_018d, 'STATUS_TRUSTED_RELATIONSHIP_FAILURE', 'NO_LOGON_SERVER', 'EACCES'],
  [0xc000_0192, 'STATUS_NETLOGON_NOT_STARTED', 'NO_LOGON_SERVER', 'EACCES'],
  [0xc000_0193, 'STATUS_ACCOUNT_EXPIRED', 'ACCOUNT_DISABLED', 'EACCES'],
  [0xc000_0203, 'STATUS_USER_SESSION_DELETED', 'CONNECTION_LOST', 'EIO'],
  [0xc000_0205, 'STATUS_INSUFF_SERVER_RESOURCES', 'SERVER_REFUSED', 'ENOMEM'],
  [0xc000_0224, 'STATUS_PASSWORD_MUST_CHANGE', 'PASSWORD_EXPIRED', 'EACCES'],
  [0xc000_0233, 'STATUS_DOMAIN_CONTROLLER_NOT_FOUND', 'NO_LOGON_SERVER', 'EACCES'],
  [0xc000_0234, 'STATUS_ACCOUNT_LOCKED_OUT', 'ACCOUNT_LOCKED', 'EACCES'],
  [0xc000_0246, 'STATUS_CONNECTION_COUNT_LIMIT', 'SHARE_FULL', 'EIO'],
  [0xc000_0257, 'STATUS_PATH_NOT_COVERED', 'SERVER_REFUSED', 'EREMOTE'],
  [0xc000_0259, 'STATUS_LICENSE_QUOTA_EXCEEDED', 'SHARE_FULL', 'EIO'],
  [0xc000_035c, 'STATUS_NETWORK_SESSION_EXPIRED', 'CONNECTION_LOST', 'EIO'],
  [0xc000_0388, 'STATUS_DOWNGRADE_DETECTED', 'DOWNGRADE', 'EIO'],
  [0xc000_0418, 'STATUS_NTLM_BLOCKED', 'NTLM_REFUSED', 'EACCES'],
] as const satisfies readonly (readonly [number, `STATUS_${string}`, Code, string])[]

type StatusRow = (typeof ROWS)[number]
type StatusName = StatusRow[1]

const BY_NUMBER = new Map<number, StatusRow>(ROWS.map(row => [row[0], row]))

/** Statuses by name, as numbers. */
export const STATUS = Object.fromEntries(ROWS.map(row => [row[1].slice('STATUS_'.length), row[0]])) as {
  readonly [N in StatusName as N extends `STATUS_${infer Short}` ? Short : never]: number
}

/** These mean that what was to be ended is gone already. */
export const ALREADY_GONE: ReadonlySet<number> = new Set([
  STATUS.NETWORK_NAME_DELETED,
  STATUS.USER_SESSION_DELETED,
  STATUS.FILE_CLOSED,
  STATUS.NETWORK_SESSION_EXPIRED,
  STATUS.SMB_BAD_TID,
  STATUS.SMB_BAD_UID,
])

/** Its name in [MS-ERREF], or the number. */
export function statusName(status: number): string {
  return BY_NUMBER.get(status)?.[1] ?? `NTSTATUS 0x${status.toString(16).padStart(8, '0')}`
}

/** What was asked for, where that changes what a status means. */
export type Asked = 'session-setup' | 'tree-connect' | 'elsewhere'

/** Some statuses mean something else for one purpose: a login or tree connect refused for want of resources is a full server or share. */
const MEANING: Readonly<Record<Asked, ReadonlyMap<number, Code>>> = {
  'session-setup': new Map([
    [STATUS.INSUFFICIENT_RESOURCES, 'SHARE_FULL'],
    [STATUS.INSUFF_SERVER_RESOURCES, 'SHARE_FULL'],
    // no mechanism is left to log in by
    [STATUS.NOT_SUPPORTED, 'NTLM_REFUSED'],
  ]),
  'tree-connect': new Map([
    [STATUS.INSUFFICIENT_RESOURCES, 'SHARE_FULL'],
    [STATUS.INSUFF_SERVER_RESOURCES, 'SHARE_FULL'],
    [STATUS.OBJECT_NAME_NOT_FOUND, 'SHARE_NOT_FOUND'],
  ]),
  elsewhere: new Map(),
}

const HINTS: Partial<Record<Code, string>> = {
  LOGON_FAILED: 'check user, domain and password (--user, --auth-file)',
  SHARE_NOT_FOUND: 'check the name of the share; nbtrun shares //SERVER lists what the server offers',
  ACCESS_DENIED: "ask the server's admin for access, or give another --user",
  SHARE_FULL: 'try again when a seat is free',
}

/** A refusal by the server. `doing` says what was attempted: `connecting to share //srv/app`. Its facts have `status`, its `name`, and `errno`. */
export function refused(status: number, doing: string, asked: Asked = 'elsewhere'): NbtrunError {
  const row = BY_NUMBER.get(status)
  const name = statusName(status)
  const code = MEANING[asked].get(status) ?? row?.[2] ?? 'SERVER_REFUSED'
  const hint = HINTS[code]
  const said = code === 'SHARE_FULL' ? `it is full (server said ${name})` : `server said ${name}`
  return new NbtrunError(code, `${doing}: ${said}`, {
    facts: { status, name, errno: row?.[3] ?? 'EIO' },
    ...(hint === undefined ? {} : { hint }),
  })
}

/** Whether an error is the server's refusal with this status. */
export function saysStatus(error: unknown, ...statuses: readonly number[]): boolean {
  return error instanceof NbtrunError && typeof error.facts['status'] === 'number' && statuses.includes(error.facts['status'])
}
