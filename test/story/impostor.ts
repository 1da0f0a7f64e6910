import { decode } from '../../src/base/wire.ts'
import { Credentials } from '../../src/smb/auth/credentials.ts'
import { hmacMd5 } from '../../src/smb/auth/ntlm.ts'
import { authenticateMessage } from '../../src/smb/auth/ntlm-messages.ts'
import { Secret } from '../../src/smb/auth/secret.ts'
import { openChannel } from '../../src/smb/crypto/channel.ts'
import { PreauthHash } from '../../src/smb/crypto/preauth.ts'
import { Rc4 } from '../../src/smb/crypto/rc4.ts'
import type { Signer } from '../../src/smb/crypto/signer.ts'
import { dialectOf, isSmb3 } from '../../src/smb/smb2/dialect.ts'
import { COMMAND, FLAG } from '../../src/smb/smb2/header.ts'
import { STATUS } from '../../src/smb/status.ts'
import type { Lab } from '../lab/index.ts'
import { field, type Meddler, type Wire } from './proxy.ts'

/** Changes an answer before it is signed; undefined keeps it from the client. `index` counts the server's messages. */
export type Lie = (frame: Buffer, index: number, wire: Wire) => Buffer | undefined

const NTLMSSP = Buffer.from('NTLMSSP\0', 'latin1')
const AUTHENTICATE = 3

/**
 * A meddler who knows alice's password, and so stands for a hostile server: what it changed is signed as it should be. Both sides' preauth hashes
 * are kept, so that even NEGOTIATE may be changed. One connection each.
 */
export function impostor(lab: Lab, lie: Lie): Meddler {
  const credentials = Credentials.fromPassword({ user: 'alice', domain: 'LAB', workstation: '' }, Secret.fromText(lab.password()))
  const [heardByClient, heardByServer] = [new PreauthHash(), new PreauthHash()]
  let sessionKey: Buffer | undefined
  let toClient: Signer | undefined
  let toServer: Signer | undefined
  let agreed: readonly [client: Agreed, server: Agreed] = [LATEST, LATEST]
  let index = 0

  const isSetup = (frame: Buffer): boolean => field.command(frame) <= COMMAND.SESSION_SETUP
  const isSigned = (frame: Buffer): boolean => frame.length >= 64 && (field.flags(frame) & FLAG.SIGNED) !== 0
  /** One message, as the client is to see it. */
  const tell = (frame: Buffer, wire: Wire): Buffer | undefined => {
    const isFinal = field.command(frame) === COMMAND.SESSION_SETUP && field.status(frame) === STATUS.SUCCESS
    const hashed = isSetup(frame) && !isFinal
    if (hashed) heardByServer.update(frame)
    const was = Buffer.from(frame)
    const told = lie(frame, index++, wire)
    if (told === undefined) return undefined
    if (hashed) heardByClient.update(told)
    if (field.command(was) === COMMAND.NEGOTIATE) agreed = [agreedIn(told), agreedIn(was)]
    const next = field.next(was)
    const fits = next !== 0 && told.length >= 64 && field.next(told) === next
    const whole = fits ? Buffer.concat([told, Buffer.alloc(-told.length & 7)]) : told // another one follows
    if (fits) whole.writeUInt32LE(whole.length, 20)
    if (isSigned(was) && isSigned(whole)) toClient?.sign(whole)
    return whole
  }

  return {
    fromClient(frame) {
      if (isSetup(frame)) {
        heardByClient.update(frame)
        heardByServer.update(frame)
        const at = frame.indexOf(NTLMSSP)
        if (at >= 0 && frame.readUInt32LE(at + 8) === AUTHENTICATE) {
          const login = decode(authenticateMessage, frame.subarray(at))
          const baseKey = hmacMd5(credentials.key!.bytes, login.ntResponse.subarray(0, 16)) // NTProofStr
          sessionKey = login.sessionKey.length === 0 ? baseKey : new Rc4(baseKey).apply(login.sessionKey)
          toClient = openChannel(agreed[0], { sessionKey, preauth: heardByClient.value }).signer
          toServer = openChannel(agreed[1], { sessionKey, preauth: heardByServer.value }).signer
        }
      } else for (const message of compounded(frame)) if (isSigned(message)) toServer?.sign(message)
      return frame
    },
    fromServer(frame, wire) {
      const told = compounded(frame).map(message => tell(Buffer.from(message), wire))
      return told.every(one => one === undefined) ? undefined : Buffer.concat(told.filter(one => one !== undefined))
    },
  }
}

type Agreed = Parameters<typeof openChannel>[0]
const LATEST: Agreed = { dialect: '3.1.1', signing: 'AES-GMAC', cipher: undefined }

/** What a NEGOTIATE answer chose, as far as it can be read. [MS-SMB2] 2.2.4 and 2.2.4.1.4. */
function agreedIn(m: Buffer): Agreed {
  const dialect = dialectOf(m.length < 70 ? 0 : m.readUInt16LE(64 + 4)) ?? '3.1.1'
  if (dialect !== '3.1.1') return { dialect, signing: isSmb3(dialect) ? 'AES-CMAC' : 'HMAC-SHA256', cipher: undefined }
  const at = m.indexOf(Buffer.from('0800040000000000', 'hex'), 128) // type 8, four bytes
  const id = at < 0 || at + 12 > m.length ? 1 : m.readUInt16LE(at + 10)
  return { ...LATEST, signing: (['HMAC-SHA256', 'AES-CMAC', 'AES-GMAC'] as const)[id] ?? 'AES-GMAC' }
}

/** The messages of a frame, each with its padding, as views. */
function compounded(frame: Buffer): Buffer[] {
  const next = frame.length >= 64 ? field.next(frame) : 0
  return next === 0 || next >= frame.length ? [frame] : [frame.subarray(0, next), ...compounded(frame.subarray(next))]
}
