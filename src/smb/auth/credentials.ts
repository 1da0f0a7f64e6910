import { createHmac } from 'node:crypto'
import { md4 } from '../crypto/md4.ts'
import { lmHash } from './ntlmv1.ts'
import { Secret } from './secret.ts'

export interface Identity {
  readonly user: string
  /** Sent as it stands; empty: the server looks the user up in its own accounts, or in its domain. */
  readonly domain: string
  /** This machine's name, for the server's logs. */
  readonly workstation: string
}

/** How a password is proven: `ntlm` is NTLMv1, `lm` sends the LM response too. Both are for servers that know nothing better: who listens can find the password. */
export type AuthLevel = 'ntlmv2' | 'ntlm' | 'lm'

/** Who logs in, and the one key that proves it. The key is as good as the password: whoever holds the credentials wipes them in the end. */
export class Credentials implements Identity {
  readonly user: string
  readonly domain: string
  readonly workstation: string
  /** NTOWFv2, 16 bytes; undefined for the anonymous login. */
  readonly key: Secret | undefined

  /** MD4 of the password, 16 bytes, where NTLMv1 was asked for; and what LM makes of it. */
  readonly ntHash: Secret | undefined
  readonly lmHash: Secret | undefined

  private constructor({ user, domain, workstation }: Identity, key: Secret | undefined, { nt, lm }: { readonly nt?: Secret; readonly lm?: Secret } = {}) {
    this.user = user
    this.domain = domain
    this.workstation = workstation
    this.key = key
    this.ntHash = nt
    this.lmHash = lm
  }

  /** Derives the key, at a lower level also what that needs, and wipes the password (UTF-16LE). */
  static fromPassword(identity: Identity, password: Secret, level: AuthLevel = 'ntlmv2'): Credentials {
    const hash = new Secret(md4(password.bytes))
    const lm = level === 'lm' ? lmHash(password.bytes) : undefined
    password.wipe()
    const key = new Secret(ntowfv2(hash.bytes, identity))
    if (level !== 'ntlmv2') return new Credentials(identity, key, { nt: hash, ...(lm === undefined ? {} : { lm: new Secret(lm) }) })
    hash.wipe()
    return new Credentials(identity, key)
  }

  static anonymous(): Credentials {
    return new Credentials({ user: '', domain: '', workstation: '' }, undefined)
  }

  wipe(): void {
    this.key?.wipe()
    this.ntHash?.wipe()
    this.lmHash?.wipe()
  }
}

/** [MS-NLMP] 3.3.2. `hash` is MD4 of the password in UTF-16LE. */
function ntowfv2(hash: Buffer, { user, domain }: Identity): Buffer {
  return createHmac('md5', hash)
    .update(Buffer.from(upper(user) + domain, 'utf16le'))
    .digest()
}

/** Windows maps each UTF-16 unit to one unit: ß stays ß. */
function upper(text: string): string {
  return text.replace(/[^]/g, unit => {
    const mapped = unit.toUpperCase()
    return mapped.length === 1 ? mapped : unit
  })
}
