import { asError, NbtrunError } from '../../base/errors.ts'
import { spell } from '../../base/time.ts'
import { fileTimeNow } from '../../mapping/fuse/attributes.ts'
import type { Cipher } from '../../smb/crypto/sealer.ts'
import { type Dialect, DIALECTS, dialectsBetween } from '../../smb/dialect.ts'
import { reachOnce } from '../../smb/reach.ts'
import type { Connection } from '../../smb/resources.ts'
import { CIPHERS, type Terms } from '../../smb/terms.ts'
import { termsOf, transportOf } from '../servers.ts'
import { type Check, failed, finding, note, ok, type Seen } from './check.ts'
import type { Patient } from './patient.ts'
import { answerMs, brief } from './patience.ts'
import { notFound } from './ports.ts'

/** What a server said of itself before anybody logged in. */
export interface Heard {
  readonly dialect: Dialect
  readonly signs: Connection['signs']
  readonly cipher: Cipher | undefined
  /** How far its clock is ahead of ours, ms; undefined where it does not tell. */
  readonly aheadMs: number | undefined
}

/** After so many questions without an answer a server is not asked for more. */
const MOST_SILENT = 2
const DIALECTS_MS = 60_000
/** What Kerberos takes, and with it a domain. */
const MOST_SKEW_MS = 300_000

const noPort = (patient: Patient): string | undefined => notFound(patient) ?? ((patient.ways ?? []).length === 0 ? 'no port is open' : undefined)
/** Why there is no server to ask for more. */
export const notHeard = (patient: Patient): string | undefined => noPort(patient) ?? (patient.heard === undefined ? 'no dialect is agreed on' : undefined)

/** What the server offers, asked in connections of their own and without a login. */
export const SERVER: readonly Check[] = [
  {
    group: 'server',
    check: 'dialects',
    limitMs: DIALECTS_MS,
    needless: noPort,
    async look(patient, signal) {
      const { 'min-dialect': min, 'max-dialect': max } = patient.settings
      const wanted = dialectsBetween(min, max)
      const offered: Dialect[] = []
      const odd: string[] = []
      let silence: NbtrunError | undefined
      let silent = 0
      for (const dialect of [...DIALECTS].reverse()) {
        try {
          const heard = await ask(patient, { minDialect: dialect, maxDialect: dialect }, signal)
          offered.unshift(dialect)
          if (wanted.includes(dialect)) patient.heard ??= heard
        } catch (thrown) {
          signal.throwIfAborted()
          const error = asError(thrown)
          if (SILENT.has(error.code)) {
            silence ??= error
            if (++silent === MOST_SILENT) break
          } else if (!REFUSALS.has(error.code)) odd.push(`${dialect}: ${error.message} [${error.code}]`)
        }
      }
      patient.offered = offered
      return judgeDialects(patient, offered, silence, odd)
    },
  },
  {
    group: 'server',
    check: 'signing',
    limitMs: 1000,
    needless: notHeard,
    async look({ heard }) {
      const { signs } = heard!
      return signs === 'no' ? note('the server cannot sign', 'SIGNING_OFF') : ok(signs, { signing: signs })
    },
  },
  {
    group: 'server',
    check: 'encryption',
    limitMs: DIALECTS_MS,
    needless: notHeard,
    async look(patient, signal) {
      const { heard, settings } = patient
      const ciphers: Cipher[] = []
      // a server names the one that it chose: each is offered alone
      if (heard!.dialect !== '3.1.1') ciphers.push(...(heard!.cipher === undefined ? [] : [heard!.cipher]))
      else
        for (const cipher of CIPHERS) {
          const { cipher: chosen } = await ask(patient, { minDialect: '3.1.1', maxDialect: '3.1.1', ciphers: [cipher] }, signal)
          if (chosen !== undefined) ciphers.push(chosen)
        }
      if (ciphers.length > 0) return ok(ciphers.join(', '), { ciphers })
      const text = `nothing can be encrypted with SMB ${heard!.dialect}`
      return settings.encrypt ? finding('ENCRYPTION_REFUSED', text) : note(text, 'NO_ENCRYPTION')
    },
  },
  {
    group: 'server',
    check: 'clock',
    limitMs: 1000,
    needless: patient => notHeard(patient) ?? (patient.heard?.aheadMs === undefined ? 'the server does not tell its time' : undefined),
    look: async ({ heard }) => judgeClock(heard!.aheadMs ?? 0),
  },
]

const SILENT: ReadonlySet<string> = new Set(['TIMED_OUT', 'CONNECT_FAILED', 'CALLED_NAME_REFUSED'])
/** How servers say that they do not speak a dialect: by their word, or by hanging up. */
const REFUSALS: ReadonlySet<string> = new Set(['DIALECT_REFUSED', 'SMB1_ONLY', 'CONNECTION_LOST', 'SERVER_REFUSED'])

async function ask(patient: Patient, terms: Partial<Terms>, signal: AbortSignal): Promise<Heard> {
  const { target, found, calledName } = patient
  const settings = brief(patient.settings)
  const { host } = target!
  const transport = { ...transportOf(settings, host), find: async () => found!, ...(calledName === undefined ? {} : { calledName }) }
  const options = { ...termsOf(settings), requireEncryption: false, requireSigning: false, ...terms }
  const { connection } = await reachOnce({ ...transport, signal }, { host, ioTimeoutMs: answerMs(settings), ...options })
  const { dialect, signs, cipher, serverTime } = connection
  const aheadMs = serverTime === 0n ? undefined : Number(serverTime - fileTimeNow()) / 10_000
  await connection.close()
  return { dialect, signs, cipher, aheadMs }
}

export function judgeDialects(
  { target, settings, heard }: Patient,
  offered: readonly Dialect[],
  silence: NbtrunError | undefined,
  odd: readonly string[],
): Seen {
  const { host = '' } = target ?? {}
  const { 'min-dialect': min, 'max-dialect': max } = settings
  const facts = { offered: [...offered] }
  const told = [offered.join(', '), ...odd].filter(part => part !== '').join('; ')
  if (heard !== undefined) return ok(told, facts)
  if (offered.length === 0) {
    if (silence !== undefined) return failed(silence)
    return finding(
      'DIALECT_REFUSED',
      `${host} speaks no SMB that nbtrun knows${told === '' ? '' : ` (${told})`}`,
      'check that this port is one of a file server',
    )
  }
  if (offered.every(dialect => dialect === 'NT1')) return { ...finding('SMB1_ONLY', `${host} speaks SMB1 only`), facts }
  const asked = min === max ? min : `${min} to ${max}`
  return { ...finding('DIALECT_REFUSED', `${host} offers ${told}; asked for is ${asked}`), facts }
}

export function judgeClock(aheadMs: number): Seen {
  const facts = { aheadMs: Math.round(aheadMs) }
  const off = Math.abs(aheadMs)
  const text = off < 1000 ? 'the same time as here' : `${spell(off)} ${aheadMs > 0 ? 'ahead' : 'behind'}`
  return off > MOST_SKEW_MS ? { ...finding('CLOCK_SKEW', text), facts } : ok(text, facts)
}
