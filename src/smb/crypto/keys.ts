import { createHmac } from 'node:crypto'

/** NIST SP 800-108 in counter mode with HMAC-SHA256, r = 32: the first `bits` (128 or 256) of one block. [MS-SMB2] 3.1.4.2. */
export function kdf(key: Uint8Array, label: string, context: Uint8Array, bits: 128 | 256 = 128): Buffer {
  const counter = Buffer.from([0, 0, 0, 1])
  const length = Buffer.from([0, 0, bits >>> 8, bits & 0xff])
  const block = createHmac('sha256', key).update(counter).update(label, 'latin1').update('\0').update(context).update(length).digest()
  return block.subarray(0, bits / 8)
}

/** What the keys of a session come from. `preauth` is the session's preauth integrity hash and belongs to 3.1.1 alone. */
export interface KeySource {
  /** From the authentication; 16 bytes for NTLM. */
  readonly sessionKey: Buffer
  /** 64 bytes with dialect 3.1.1, undefined with 3.0 and 3.0.2. */
  readonly preauth: Buffer | undefined
}

/** Dialects 3.x; before them the session key itself signs. */
export function signingKey({ sessionKey, preauth }: KeySource): Buffer {
  return preauth === undefined ? kdf(sessionKey, 'SMB2AESCMAC\0', text('SmbSign\0')) : kdf(sessionKey, 'SMBSigningKey\0', preauth)
}

/** `bits` is 256 for the AES-256 ciphers. */
export function cipherKeys({ sessionKey, preauth }: KeySource, bits: 128 | 256): { toServer: Buffer; fromServer: Buffer } {
  if (preauth === undefined) {
    // the space after ServerIn is the specification's own
    return { toServer: kdf(sessionKey, 'SMB2AESCCM\0', text('ServerIn \0'), bits), fromServer: kdf(sessionKey, 'SMB2AESCCM\0', text('ServerOut\0'), bits) }
  }
  return { toServer: kdf(sessionKey, 'SMBC2SCipherKey\0', preauth, bits), fromServer: kdf(sessionKey, 'SMBS2CCipherKey\0', preauth, bits) }
}

/** What programs above SMB may derive keys from: [MS-SMB2] 3.2.4.25. */
export function applicationKey({ sessionKey, preauth }: KeySource): Buffer {
  return preauth === undefined ? kdf(sessionKey, 'SMB2APP\0', text('SmbRpc\0')) : kdf(sessionKey, 'SMBAppKey\0', preauth)
}

function text(context: string): Buffer {
  return Buffer.from(context, 'latin1')
}
