import { isIP } from 'node:net'
import { asError, type Code, type ErrorDetails, NbtrunError } from '../../base/errors.ts'
import { type Connection, type Network, WindowsError } from './network.ts'

/** winerror.h, lmerr.h: numbers that decide what is done next. */
export const ERROR = { alreadyAssigned: 85, remembered: 1202, conflict: 1219, notConnected: 2250, extended: 1208 } as const

/** The letter is taken, by a connection that is there or by one that Windows remembers: another one may be free. */
export const isLetterTaken = (thrown: unknown): boolean =>
  thrown instanceof WindowsError && (thrown.number === ERROR.alreadyAssigned || thrown.number === ERROR.remembered)

/** Somebody has files open, or stands in a folder: lmerr.h, NERR_ActiveConns, NERR_OpenFiles, NERR_DeviceInUse. */
export const isInUse = (thrown: unknown): boolean => thrown instanceof WindowsError && [2401, 2402, 2404].includes(thrown.number)

interface Row {
  readonly code: Code
  /** What it means for `\\srv\app`, without the number. */
  readonly what: (remote: string) => string
  readonly hint?: string
}

const unreachable = (what: (remote: string) => string, hint?: string): Row => ({ code: 'CONNECT_FAILED', what, ...(hint === undefined ? {} : { hint }) })
const full: Row = { code: 'SHARE_FULL', what: remote => `${remote} is full` }
const refusedLogin: Row = {
  code: 'LOGON_FAILED',
  what: remote => `the login for ${remote} is refused`,
  hint: 'check user and password; if you meant an account of a domain, write DOM/alice',
}
const restricted: Row = { code: 'LOGON_RESTRICTED', what: remote => `this account may not log in for ${remote}` }
const noNetwork = unreachable(
  remote => `there is no network to reach ${remote} by`,
  'is the Workstation service (LanmanWorkstation) running, and the network there?',
)

/** What WNetAddConnection2 answers, by number. */
const ROWS: Readonly<Record<number, Row>> = {
  5: { code: 'ACCESS_DENIED', what: remote => `access to ${remote} is denied` },
  51: unreachable(remote => `the server of ${remote} does not listen`),
  53: unreachable(remote => `the server of ${remote} is not found`, 'check its name, and whether it is up'),
  59: unreachable(remote => `the network failed on the way to ${remote}`),
  64: unreachable(remote => `the server of ${remote} is gone from the network`),
  65: { code: 'ACCESS_DENIED', what: remote => `access to ${remote} is denied by the network` },
  66: { code: 'SHARE_NOT_FOUND', what: remote => `${remote} is a printer or a pipe, not a folder`, hint: 'name a share that holds files' },
  67: unreachable(remote => `there is no ${remote} to be found`, 'check the name of the share; nbtrun shares //SERVER lists them'),
  69: full,
  71: full,
  86: refusedLogin,
  121: unreachable(remote => `the server of ${remote} does not answer in time`),
  384: { code: 'SMB1_ONLY', what: remote => `the server of ${remote} speaks SMB1 alone, which this Windows has switched off` },
  1200: { code: 'POINT_UNUSABLE', what: remote => `the letter for ${remote} is none`, hint: 'write //server/share=P:' },
  1203: unreachable(remote => `no network knows ${remote}`, 'check its name'),
  1208: { code: 'SERVER_REFUSED', what: remote => `the network refuses ${remote}` },
  1222: noNetwork,
  1231: unreachable(remote => `the network of ${remote} cannot be reached`),
  1232: unreachable(remote => `the server of ${remote} cannot be reached`),
  1233: unreachable(remote => `the server of ${remote} offers no file sharing`),
  1234: unreachable(remote => `the server of ${remote} does not listen`),
  1238: full,
  1240: restricted,
  1244: refusedLogin,
  1265: { code: 'DOWNGRADE', what: remote => `the login for ${remote} was tampered with, or no domain controller answers` },
  1272: { code: 'GUEST_REFUSED', what: remote => `${remote} lets everybody in as a guest, which this Windows forbids`, hint: 'log in with --user' },
  1311: { code: 'NO_LOGON_SERVER', what: remote => `nobody can judge the login for ${remote}` },
  1326: refusedLogin,
  1327: restricted,
  1328: restricted,
  1329: restricted,
  1330: { code: 'PASSWORD_EXPIRED', what: remote => `the password for ${remote} has expired` },
  1331: { code: 'ACCOUNT_DISABLED', what: remote => `the account for ${remote} is disabled` },
  1385: restricted,
  1395: full,
  1396: {
    code: 'LOGON_FAILED',
    what: remote => `the server of ${remote} is not the one that its name stands for`,
    hint: 'use the name under which the domain knows it',
  },
  1398: { code: 'CLOCK_SKEW', what: remote => `the clocks of this machine and the server of ${remote} differ too much` },
  1907: { code: 'PASSWORD_EXPIRED', what: remote => `the password for ${remote} must be changed` },
  1909: { code: 'ACCOUNT_LOCKED', what: remote => `the account for ${remote} is locked` },
  2202: refusedLogin,
}

/** Every number with a meaning of its own. */
export const NUMBERS: readonly number[] = [...Object.keys(ROWS).map(Number), ERROR.alreadyAssigned, ERROR.remembered, ERROR.conflict]

/** A connection of this logon session, and in whose name it was made, where that is known. */
type Other = Connection & { readonly user?: string | undefined }

/** The same with what Windows says about the others. */
export async function explainOn(network: Network, thrown: unknown, connection: Connection): Promise<NbtrunError> {
  const others = await network.connections().catch(() => [])
  if (!(thrown instanceof WindowsError) || thrown.number !== ERROR.conflict) return explain(thrown, connection, others)
  const userOf = (other: Connection): Promise<string | undefined> => network.userOf(other).catch(() => undefined)
  const same = others.filter(({ remote }) => sameText(serverOf(remote), serverOf(connection.remote)))
  return explain(thrown, connection, await Promise.all(same.map(async other => ({ ...other, user: await userOf(other) }))))
}

/** Why a connection could not be made. `others`: the connections of this logon session. */
export function explain(thrown: unknown, { device, remote }: Connection, others: readonly Other[] = []): NbtrunError {
  if (!(thrown instanceof WindowsError)) return asError(thrown)
  const { number, detail } = thrown
  const says = detail === '' ? '' : `: ${detail}`
  const told = (code: Code, what: string, hint?: string): NbtrunError => {
    const details: ErrorDetails = { cause: thrown, facts: { windows: number, remote }, ...(hint === undefined ? {} : { hint }) }
    return new NbtrunError(code, `${what} (${number}${says})`, details)
  }
  if (number === ERROR.conflict) return told('OTHER_LOGIN', ...conflict(remote, others))
  if (number === ERROR.alreadyAssigned || number === ERROR.remembered) {
    const holder = others.find(other => other.device === device)
    const why = number === ERROR.remembered ? 'is remembered by Windows for another share' : `is in use${holder === undefined ? '' : ` for ${holder.remote}`}`
    return told('POINT_UNUSABLE', `${device} ${why}`, 'name another letter, or leave it away for the first free one')
  }
  const row = ROWS[number]
  if (row !== undefined) return told(row.code, row.what(remote), row.hint)
  return told('MAPPING_FAILED', `Windows does not connect ${remote}`, `net helpmsg ${number} says what that means`)
}

/** Windows has one user a server name: a second one is refused, under another name of the same server it is a session of its own. */
function conflict(remote: string, others: readonly Other[]): [what: string, hint: string] {
  const server = serverOf(remote)
  const held = others.filter(other => sameText(serverOf(other.remote), server))
  const who = held.length === 0 ? 'a program of this user' : held.map(other => `${other.device} ${other.remote}`.trim()).join(', ')
  const user = held.find(other => other.user !== undefined)?.user ?? 'another user'
  const other = isIP(server) !== 0 ? 'its name' : server.includes('.') ? 'its address, or an alias,' : 'its full name (server.domain) or its address'
  return [
    `${server} is connected as ${user} already, by ${who}`,
    `name the server by ${other}: that is a session of its own; or log in as the user who is connected; nothing of others is ended`,
  ]
}

/** `srv` of `\\srv\app`. */
export function serverOf(remote: string): string {
  return /^\\\\([^\\]+)/.exec(remote)?.[1] ?? ''
}

export function sameText(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase()
}
