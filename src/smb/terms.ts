import type { AuthLevel } from './auth/credentials.ts'
import type { Cipher } from './crypto/sealer.ts'
import type { SigningAlgorithm } from './crypto/signer.ts'
import type { Dialect } from './dialect.ts'

/** What may be agreed with a server. Nothing below it is ever taken, whatever the server offers. */
export interface Terms {
  readonly minDialect: Dialect
  readonly maxDialect: Dialect
  /** For 3.1.1, in the order of preference; the older dialects leave no choice. */
  readonly signing: readonly SigningAlgorithm[]
  /** In the order of preference; 3.0 and 3.0.2 know AES-128-CCM alone. */
  readonly ciphers: readonly Cipher[]
  /** How passwords are proven: what is weaker is never sent. */
  readonly authLevel: AuthLevel
  /** SMB1 may log in by SPNEGO, which NT 4.0 does not know. */
  readonly extendedSecurity: boolean
  /** No session that cannot be signed, guests included. */
  readonly requireSigning: boolean
  /** Everything after the login is encrypted, or there is no login. */
  readonly requireEncryption: boolean
}

export const SIGNING_ALGORITHMS: readonly SigningAlgorithm[] = ['AES-GMAC', 'AES-CMAC', 'HMAC-SHA256']

/**
 * GCM before CCM, which goes over everything twice. 128 bits before 256: both kinds of key come from the login's session key, and NTLM's
 * has 128. A server that takes 256 alone gets it.
 */
export const CIPHERS: readonly Cipher[] = ['AES-128-GCM', 'AES-256-GCM', 'AES-128-CCM', 'AES-256-CCM']

/** What is agreed unless somebody asks for something else: the best that both can do, down to SMB 2.0.2. */
export const TERMS: Terms = {
  minDialect: '2.0.2',
  maxDialect: '3.1.1',
  signing: SIGNING_ALGORITHMS,
  ciphers: CIPHERS,
  authLevel: 'ntlmv2',
  extendedSecurity: true,
  requireSigning: false,
  requireEncryption: false,
}

/** The terms among these options, what is not said being as it is unless somebody asks for something else. */
export function termsOf(options: Partial<Terms>): Terms {
  const { minDialect, maxDialect, signing, ciphers, authLevel, extendedSecurity, requireSigning, requireEncryption } = { ...TERMS, ...options }
  return { minDialect, maxDialect, signing, ciphers, authLevel, extendedSecurity, requireSigning, requireEncryption }
}
