import { NbtrunError } from '../../base/errors.ts'
import { decode } from '../../base/wire.ts'
import type { Credentials } from '../auth/credentials.ts'
import type { Chance } from '../auth/ntlm.ts'
import { rawNtlm } from '../auth/raw-ntlm.ts'
import { spnegoNtlm } from '../auth/spnego.ts'
import type { SessionOptions } from '../resources.ts'
import { refused, STATUS } from '../status.ts'
import type { Connection } from './connection.ts'
import type { Reply } from './exchange.ts'
import { SECURITY } from './negotiated.ts'
import { rawSessionSetupRequest, sessionSetupRequest, sessionSetupResponse } from './session-setup.ts'
import { Smb1Signer } from './signer.ts'

/** Rounds of SESSION_SETUP_ANDX after which the server is not believed to come to an end. */
const MAX_ROUNDS = 4

/** A session as the server granted it. */
export interface Granted {
  readonly uid: number
  readonly guest: boolean
  /** Undefined where the server does not sign, or the login gives no key for it. */
  readonly signer: Smb1Signer | undefined
}

/** SESSION_SETUP_ANDX by SPNEGO, or where there is no extended security by NTLM alone. [MS-SMB] 3.2.4.2.4, [MS-CIFS] 3.2.4.2.4. */
export function establish(connection: Connection, credentials: Credentials, options: SessionOptions, chance: Chance): Promise<Granted> {
  const by = connection.negotiated.challenge.length === 0 ? bySpnego : byNtlm
  return by(connection, credentials, options, chance)
}

async function bySpnego(connection: Connection, credentials: Credentials, options: SessionOptions, chance: Chance): Promise<Granted> {
  const context = spnegoNtlm(credentials, connection.host, chance)
  try {
    let token = context.first(connection.negotiated.securityBlob)
    let uid = 0
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const body = { ...connection.introduction, resetClient: options.resetClient === true, securityBlob: token }
      const reply = await connection.request({ command: 'SESSION_SETUP_ANDX', codec: sessionSetupRequest, body, uid, login: connection.terms })
      const { status } = reply.header
      if (status === STATUS.SUCCESS) {
        const answer = decode(sessionSetupResponse, reply.body)
        const key = round === 0 ? Buffer.alloc(0) : Buffer.from(context.sessionKey) // a server of guests may not even ask who it is
        const signer = answer.guest ? undefined : signerOf(connection, key, reply)
        if (!answer.guest && key.length > 0) context.finish(answer.securityBlob)
        return { uid: reply.header.uid, guest: answer.guest, signer }
      }
      if (status !== STATUS.MORE_PROCESSING_REQUIRED) throw logonRefused(status, connection.host, options)
      uid = reply.header.uid
      token = context.step(decode(sessionSetupResponse, reply.body).securityBlob)
    }
  } finally {
    context.wipe()
  }
  throw new NbtrunError('LOGON_FAILED', `logging in as ${options.who} on ${connection.host}: the server asks for more without end`)
}

async function byNtlm(connection: Connection, credentials: Credentials, options: SessionOptions, chance: Chance): Promise<Granted> {
  const { oem, unicode, macKey } = rawNtlm(credentials, connection.negotiated, chance)
  const { user, domain } = credentials
  const body = { ...connection.introduction, resetClient: options.resetClient === true, oemPassword: oem, unicodePassword: unicode, user, domain }
  const reply = await connection.request({ command: 'SESSION_SETUP_ANDX', codec: rawSessionSetupRequest, body, login: connection.terms })
  if (reply.header.status !== STATUS.SUCCESS) throw logonRefused(reply.header.status, connection.host, options)
  const { guest } = decode(sessionSetupResponse, reply.body)
  return { uid: reply.header.uid, guest, signer: guest ? undefined : rawSignerOf(connection, macKey) }
}

/**
 * The login's answer has number 1, and is signed where the server signs. One that said in NEGOTIATE that it can must; another one may (Samba by
 * default, when the client says that it must), and shows it by its first signature. [MS-CIFS] 3.2.5.3.
 */
function signerOf(connection: Connection, key: Buffer, { message }: Reply): Smb1Signer | undefined {
  const must = announcesSigning(connection)
  if (key.length === 0) return undefined
  const signer = new Smb1Signer(key)
  const does = must || !UNSIGNED.some(none => message.subarray(SIGNATURE_AT, SIGNATURE_AT + 8).equals(none))
  if (does && signer.verify(message, 1)) return signer
  signer.wipe()
  if (!does) return undefined
  throw new NbtrunError('BAD_SIGNATURE', `the login on ${connection.host} is not signed as it must be (MD5)`, {
    hint: 'somebody or something between here and the server changes what is sent',
  })
}

/** What stands for a signature in answers without one: nothing, or what the request had there. */
const SIGNATURE_AT = 14
const UNSIGNED = [Buffer.alloc(8), Buffer.from('BSRSPYL ', 'latin1')]

/** A login by NTLM alone has an unsigned answer: the server has its key only now. The first answer that is signed is the next one. */
function rawSignerOf(connection: Connection, key: Buffer): Smb1Signer | undefined {
  const wanted = announcesSigning(connection) || connection.terms.requireSigning
  return wanted && key.length > 0 ? new Smb1Signer(key) : undefined
}

function announcesSigning({ negotiated: { securityMode } }: Connection): boolean {
  return (securityMode & (SECURITY.SIGNING_ENABLED | SECURITY.SIGNING_REQUIRED)) !== 0
}

/** Never less than was asked for. */
export function requireGoodEnough(
  { host, terms }: Connection,
  { guest, signer }: Granted,
  anonymous: boolean,
  { who, allowUnsigned = false }: SessionOptions,
): void {
  if ((guest || anonymous) && !allowUnsigned) {
    throw new NbtrunError('GUEST_REFUSED', `${host} let ${who} in only as a guest, which cannot be signed`, {
      hint: 'check user and password; where it knows guests only, --guest takes it as it is',
    })
  }
  if (signer === undefined && terms.requireSigning) {
    throw new NbtrunError('SIGNING_REFUSED', `the session of ${who} on ${host} cannot be signed`, {
      hint: guest || anonymous ? 'log in with --user, or leave out --signing required' : 'switch signing on there, or leave out --signing required',
    })
  }
}

function logonRefused(status: number, host: string, { who, logonHint }: SessionOptions): NbtrunError {
  const error = refused(status, `logging in as ${who} on ${host}`, 'session-setup')
  return logonHint === undefined || error.code !== 'LOGON_FAILED'
    ? error
    : new NbtrunError(error.code, error.message, { facts: error.facts, hint: `${error.hint}; ${logonHint}` })
}
