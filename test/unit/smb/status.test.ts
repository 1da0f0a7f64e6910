import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALREADY_GONE, refused, saysStatus, STATUS, statusName } from '../../../src/smb/status.ts'

/** What a login may be refused with, and what our code for it is. [MS-ERREF] 2.3.1. */
const LOGINS = {
  LOGON_FAILURE: 'LOGON_FAILED',
  NO_SUCH_USER: 'LOGON_FAILED',
  WRONG_PASSWORD: 'LOGON_FAILED',
  PASSWORD_EXPIRED: 'PASSWORD_EXPIRED',
  PASSWORD_MUST_CHANGE: 'PASSWORD_EXPIRED',
  ACCOUNT_LOCKED_OUT: 'ACCOUNT_LOCKED',
  ACCOUNT_DISABLED: 'ACCOUNT_DISABLED',
  ACCOUNT_EXPIRED: 'ACCOUNT_DISABLED',
  ACCOUNT_RESTRICTION: 'LOGON_RESTRICTED',
  INVALID_LOGON_HOURS: 'LOGON_RESTRICTED',
  INVALID_WORKSTATION: 'LOGON_RESTRICTED',
  LOGON_TYPE_NOT_GRANTED: 'LOGON_RESTRICTED',
  TIME_DIFFERENCE_AT_DC: 'CLOCK_SKEW',
  NTLM_BLOCKED: 'NTLM_REFUSED',
  NOT_SUPPORTED: 'NTLM_REFUSED',
  NO_LOGON_SERVERS: 'NO_LOGON_SERVER',
  NO_TRUST_SAM_ACCOUNT: 'NO_LOGON_SERVER',
  TRUSTED_DOMAIN_FAILURE: 'NO_LOGON_SERVER',
  TRUSTED_RELATIONSHIP_FAILURE: 'NO_LOGON_SERVER',
  NETLOGON_NOT_STARTED: 'NO_LOGON_SERVER',
  DOMAIN_CONTROLLER_NOT_FOUND: 'NO_LOGON_SERVER',
  ACCESS_DENIED: 'ACCESS_DENIED',
} as const

test('each refused login has its code, its cure in one line, and the status among its facts', () => {
  for (const [short, code] of Object.entries(LOGINS)) {
    const status = STATUS[short as keyof typeof LOGINS]
    const error = refused(status, 'logging in as alice on srv', 'session-setup')
    assert.equal(error.code, code, short)
    assert.deepEqual([error.facts['status'], error.facts['name']], [status, `STATUS_${short}`])
    assert.match(error.line, new RegExp(`^logging in as alice on srv: server said STATUS_${short}; [^\n]{20,}$`))
    assert.equal(error.exit, 125)
  }
})

test('a status means what it means for what was asked', () => {
  const code = (status: number, ...asked: Parameters<typeof refused> extends [unknown, unknown, ...infer Rest] ? Rest : never): string =>
    refused(status, 'x', ...asked).code
  assert.deepEqual([code(STATUS.NOT_SUPPORTED), code(STATUS.NOT_SUPPORTED, 'session-setup')], ['FILE_ERROR', 'NTLM_REFUSED'])
  assert.deepEqual(
    [code(STATUS.INSUFFICIENT_RESOURCES), code(STATUS.INSUFFICIENT_RESOURCES, 'tree-connect'), code(STATUS.INSUFFICIENT_RESOURCES, 'session-setup')],
    ['SERVER_REFUSED', 'SHARE_FULL', 'SHARE_FULL'],
  )
})

/** What servers answer to who ends things twice, or has one session too many: our code, and whether what was to be ended is ended. */
const ENDINGS = [
  [0xc000_00c9, 'NETWORK_NAME_DELETED', 'CONNECTION_LOST', true],
  [0xc000_0203, 'USER_SESSION_DELETED', 'CONNECTION_LOST', true],
  [0xc000_0128, 'FILE_CLOSED', 'FILE_ERROR', true],
  [0xc000_035c, 'NETWORK_SESSION_EXPIRED', 'CONNECTION_LOST', true],
  [0xc000_0022, 'ACCESS_DENIED', 'ACCESS_DENIED', false],
  [0xc000_000d, 'INVALID_PARAMETER', 'FILE_ERROR', false],
  [0xc000_0008, 'INVALID_HANDLE', 'FILE_ERROR', false],
  [0xc000_009a, 'INSUFFICIENT_RESOURCES', 'SHARE_FULL', false],
  [0xc000_00ce, 'TOO_MANY_SESSIONS', 'SHARE_FULL', false],
  [0xc000_00d0, 'REQUEST_NOT_ACCEPTED', 'SHARE_FULL', false],
  [0xc000_0246, 'CONNECTION_COUNT_LIMIT', 'SHARE_FULL', false],
  [0xc000_0259, 'LICENSE_QUOTA_EXCEEDED', 'SHARE_FULL', false],
] as const

test('what is gone already is told from what could not be ended, and a server that is full from one that says no', () => {
  for (const [status, name, code, isGone] of ENDINGS) {
    assert.equal(STATUS[name], status, name)
    assert.deepEqual([refused(status, 'x', 'tree-connect').code, ALREADY_GONE.has(status)], [code, isGone], name)
  }
})

test('a status without a row keeps its number', () => {
  const error = refused(0xc0de_0001, 'x')
  assert.deepEqual([error.code, error.facts['name'], error.facts['errno']], ['SERVER_REFUSED', 'NTSTATUS 0xc0de0001', 'EIO'])
  assert.equal(statusName(0xc000_0133), 'STATUS_TIME_DIFFERENCE_AT_DC')
  assert.equal(saysStatus(error, 0xc0de_0001), true)
  assert.equal(saysStatus(error, STATUS.SUCCESS), false)
})
