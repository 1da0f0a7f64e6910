import type { Smb2Dialect } from '../smb2/dialect.ts'
import { isSmb3 } from '../smb2/dialect.ts'
import { cipherKeys, signingKey } from './keys.ts'
import { type Cipher, sealerFor, type Sealer } from './sealer.ts'
import { signerFor, type Signer, type SigningAlgorithm } from './signer.ts'

/** What protects the messages of one session. */
export interface Channel {
  readonly signer: Signer
  /** Undefined where the connection has no cipher. */
  readonly sealer: Sealer | undefined
  /** Zeroes every key. */
  wipe(): void
}

/** The keys of a session from the key of its login. [MS-SMB2] 3.2.5.3.3. Both buffers stay their owner's. */
export function openChannel(
  { dialect, signing, cipher }: { readonly dialect: Smb2Dialect; readonly signing: SigningAlgorithm; readonly cipher: Cipher | undefined },
  { sessionKey, preauth }: { readonly sessionKey: Buffer; readonly preauth: Buffer },
): Channel {
  const source = { sessionKey, preauth: dialect === '3.1.1' ? preauth : undefined }
  const key = isSmb3(dialect) ? signingKey(source) : Buffer.from(sessionKey)
  const signer = signerFor(signing, key)
  key.fill(0)
  const sealer = cipher === undefined ? undefined : newSealer(cipher, source)
  return {
    signer,
    sealer,
    wipe() {
      signer.wipe()
      sealer?.wipe()
    },
  }
}

function newSealer(cipher: Cipher, source: Parameters<typeof cipherKeys>[0]): Sealer {
  const keys = cipherKeys(source, cipher.startsWith('AES-256') ? 256 : 128)
  const sealer = sealerFor(cipher, keys)
  keys.toServer.fill(0)
  keys.fromServer.fill(0)
  return sealer
}
