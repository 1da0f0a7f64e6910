import { randomBytes } from 'node:crypto'
import { NbtrunError } from '../../base/errors.ts'
import { WireError } from '../../base/wire.ts'
import type { Cipher } from '../crypto/sealer.ts'
import type { SigningAlgorithm } from '../crypto/signer.ts'
import { dialectsBetween, isSmb2 } from '../dialect.ts'
import { DIALECT, dialectOf, isSmb3, type Smb2Dialect } from './dialect.ts'
import {
  CAPABILITY,
  checkPreauth,
  chosenCipher,
  chosenSigning,
  clientContexts,
  SECURITY_MODE,
  type NegotiateRequest,
  type NegotiateResponse,
} from './negotiate.ts'
import type { Terms } from '../terms.ts'

/** What a server and we have agreed upon. */
export interface Agreed {
  readonly dialect: Smb2Dialect
  readonly signing: SigningAlgorithm
  /** Undefined where nothing can be encrypted. */
  readonly cipher: Cipher | undefined
  /** Whether one request may move more than 64 KiB. */
  readonly largeMtu: boolean
}

/** The NEGOTIATE that these terms allow. [MS-SMB2] 3.2.4.2.2.2. `clientGuid`: 16 bytes. */
export function offer(terms: Terms, host: string, clientGuid: Buffer): NegotiateRequest {
  const dialects = dialectsBetween(terms.minDialect, terms.maxDialect).filter(isSmb2)
  if (dialects.length === 0) throw new NbtrunError('USAGE', `no SMB dialect lies between ${terms.minDialect} and ${terms.maxDialect}`)
  const smb3 = dialects.some(isSmb3)
  const latest = dialects.includes('3.1.1')
  const encrypts = terms.ciphers.length > 0 && (latest || terms.ciphers.includes(SMB30_CIPHER))
  return {
    securityMode: terms.requireSigning ? SECURITY_MODE.SIGNING_REQUIRED : SECURITY_MODE.SIGNING_ENABLED,
    capabilities: smb3 ? CAPABILITY.LARGE_MTU | (encrypts ? CAPABILITY.ENCRYPTION : 0) : 0,
    clientGuid,
    dialects: dialects.map(name => DIALECT[name]),
    contexts: latest ? clientContexts(randomBytes(32), terms, host) : [],
  }
}

const SMB30_CIPHER: Cipher = 'AES-128-CCM'

/** Judges the answer to an offer. [MS-SMB2] 3.2.5.2. Throws DIALECT_REFUSED, SIGNING_REFUSED, ENCRYPTION_REFUSED, WIRE. */
export function agree(host: string, terms: Terms, offered: NegotiateRequest, answer: NegotiateResponse): Agreed {
  const dialect = offered.dialects.includes(answer.dialect) ? dialectOf(answer.dialect) : undefined
  if (dialect === undefined) throw dialectRefused(host, terms, `it answered with ${spelled(answer.dialect)}`)
  if (answer.maxReadSize === 0 || answer.maxWriteSize === 0 || answer.maxTransactSize === 0) {
    throw new WireError(`NEGOTIATE response: ${host} takes no bytes at a time`, 0)
  }
  if (dialect === '3.1.1') checkPreauth(answer)
  const signing = signingOf(host, dialect, terms, answer)
  const cipher = cipherOf(dialect, terms, answer)
  if (terms.requireEncryption && cipher === undefined) {
    throw new NbtrunError('ENCRYPTION_REFUSED', `${host} cannot encrypt with SMB ${dialect}`, { facts: { dialect } })
  }
  return { dialect, signing, cipher, largeMtu: dialect !== '2.0.2' && (answer.capabilities & CAPABILITY.LARGE_MTU) !== 0 }
}

function signingOf(host: string, dialect: Smb2Dialect, { signing }: Terms, answer: NegotiateResponse): SigningAlgorithm {
  if (!isSmb3(dialect)) return 'HMAC-SHA256'
  if (dialect !== '3.1.1') return 'AES-CMAC'
  const chosen = chosenSigning(answer, signing)
  if (chosen !== undefined) return chosen
  // without a word about it, it is this one
  if (!signing.includes('AES-CMAC'))
    throw new NbtrunError('SIGNING_REFUSED', `${host} signs with AES-CMAC only`, { hint: 'allow it with --signing-algorithms' })
  return 'AES-CMAC'
}

function cipherOf(dialect: Smb2Dialect, { ciphers }: Terms, answer: NegotiateResponse): Cipher | undefined {
  if (dialect === '3.1.1') return chosenCipher(answer, ciphers)
  const can = isSmb3(dialect) && (answer.capabilities & CAPABILITY.ENCRYPTION) !== 0
  return can && ciphers.includes(SMB30_CIPHER) ? SMB30_CIPHER : undefined
}

/** `why` says what the server did instead of agreeing. */
export function dialectRefused(host: string, { minDialect, maxDialect }: Terms, why: string): NbtrunError {
  const asked = minDialect === maxDialect ? `SMB ${minDialect}` : `SMB ${minDialect} to ${maxDialect}`
  return new NbtrunError('DIALECT_REFUSED', `${host} does not speak ${asked}: ${why}`)
}

function spelled(revision: number): string {
  const dialect = dialectOf(revision)
  return dialect === undefined ? `dialect 0x${revision.toString(16).padStart(4, '0')}` : `SMB ${dialect}`
}
