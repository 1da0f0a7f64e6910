import { createHmac } from 'node:crypto'
import { md4 } from '../crypto/md4.ts'
import { Secret } from './secret.ts'

export interface Identity {
  readonly user: string
  /** Sent as it stands; empty: the server looks the user up in its own accounts, or in its domain. */
  readonly domain: string
  /** This machine's name, for the server's logs. */
  readonly workstation: string
}

/** Who logs in, and the one key that proves it. The key is as good as the password: whoever holds the credentials wipes them in the end. */
export class Credentials implements Identity {
  readonly user: string
  readonly domain: string
  readonly workstation: string
  /** NTOWFv2, 16 bytes; undefined for the anonymous login. */
  readonly key: Secret | undefined

  private constructor({ user, domain, workstation }: Identity, key: Secret | undefined) {
    this.user = user
    this.domain = domain
    this.workstation = workstation
    this.key = key
  }

  /** Derives the key and wipes the password (UTF-16LE). */
  static fromPassword(identity: Identity, password: Secret): Credentials {
    const hash = new Secret(md4(password.bytes))
    password.wipe()
    const key = ntowfv2(hash.bytes, identity)
    hash.wipe()
    return new Credentials(identity, new Secret(key))
  }

  static anonymous(): Credentials {
    return new Credentials({ user: '', domain: '', workstation: '' }, undefined)
  }

  wipe(): void {
    this.key?.wipe()
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
