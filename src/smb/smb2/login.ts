import { NbtrunError } from '../../base/errors.ts'
import { decode } from '../../base/wire.ts'
import type { SecurityContext } from '../auth/spnego.ts'
import type { Connection } from './connection.ts'
import { openChannel, type Channel } from '../crypto/channel.ts'
import type { SessionOptions } from '../resources.ts'
import type { Call, Reply } from './exchange.ts'
import { FLAG } from './header.ts'
import { CAPABILITY, SECURITY_MODE } from './negotiate.ts'
import { SESSION_FLAG, sessionSetupRequest, sessionSetupResponse, type SessionSetupResponse } from './session-setup.ts'
import { empty } from './tree-connect.ts'
import { refused, STATUS } from '../status.ts'
import type { Terms } from '../terms.ts'

/** Rounds of SESSION_SETUP after which the server is not believed to come to an end. */
const MAX_ROUNDS = 4

const NO_KEY = Buffer.alloc(0)

/** How long a server may take to end a session that it granted and we refuse, ms. */
const REFUSAL_MS = 1000

/** A session as the server granted it. Without a channel it is a guest's or nobody's and cannot be signed. */
export interface Granted {
  readonly id: bigint
  readonly answer: SessionSetupResponse
  readonly channel: Channel | undefined
  /** Whether everything in it is to be encrypted, because we asked for that or the server did. */
  readonly encrypted: boolean
}

/** The rounds of SESSION_SETUP. [MS-SMB2] 3.2.4.2.3. */
export async function establish(connection: Connection, context: SecurityContext, options: SessionOptions): Promise<Granted> {
  const { who, allowUnsigned = false, logonHint, previousSessionId = 0n, taking } = options
  const { host } = connection
  const preauth = connection.preauth.fork()
  // every answer must be signed or is refused, so the server shall sign all of them, this one too
  const securityMode = allowUnsigned ? SECURITY_MODE.SIGNING_ENABLED : SECURITY_MODE.SIGNING_REQUIRED
  let token = context.first(connection.negotiated.securityBuffer)
  let sessionId = 0n
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const reply = await connection.request({
      command: 'SESSION_SETUP',
      codec: sessionSetupRequest,
      body: { flags: 0, securityMode, capabilities: CAPABILITY.DFS, previousSessionId, securityBuffer: token },
      sessionId,
      onSent: message => preauth.update(message),
    })
    const { status } = reply.header
    if (sessionId === 0n && (status === STATUS.SUCCESS || status === STATUS.MORE_PROCESSING_REQUIRED)) await taking?.(reply.header.sessionId)
    if (status === STATUS.SUCCESS) {
      const sessionKey = round === 0 ? NO_KEY : context.sessionKey // a server of guests may not even ask who it is
      return accept(connection, { sessionKey, preauth: preauth.value }, reply)
    }
    if (status !== STATUS.MORE_PROCESSING_REQUIRED) throw logonRefused(status, who, connection, logonHint)
    sessionId = reply.header.sessionId
    preauth.update(reply.message)
    token = context.step(decode(sessionSetupResponse, reply.body).securityBuffer)
  }
  throw new NbtrunError('LOGON_FAILED', `logging in as ${who} on ${host}: the server asks for more without end`)
}

/** [MS-SMB2] 3.2.5.3.3. The last answer is not hashed, but signed with the key that follows from the hash: nothing in it counts before that. */
function accept({ host, agreed, terms }: Connection, keys: { readonly sessionKey: Buffer; readonly preauth: Buffer }, reply: Reply): Granted {
  const id = reply.header.sessionId
  if ((reply.header.flags & FLAG.SIGNED) === 0) {
    const answer = decode(sessionSetupResponse, reply.body)
    if (keys.sessionKey.length > 0 && !isKeyless(answer)) throw badLogin(host, agreed.signing)
    return { id, answer, channel: undefined, encrypted: mustEncrypt(terms, answer) }
  }
  if (keys.sessionKey.length === 0) throw badLogin(host, agreed.signing)
  const channel = openChannel(agreed, keys)
  if (!channel.signer.verify(reply.message)) {
    channel.wipe()
    throw badLogin(host, agreed.signing)
  }
  const answer = decode(sessionSetupResponse, reply.body)
  return { id, answer, channel, encrypted: mustEncrypt(terms, answer) }
}

function mustEncrypt({ requireEncryption }: Terms, { sessionFlags }: SessionSetupResponse): boolean {
  return requireEncryption || (sessionFlags & SESSION_FLAG.ENCRYPT_DATA) !== 0
}

function isKeyless({ sessionFlags }: SessionSetupResponse): boolean {
  return (sessionFlags & (SESSION_FLAG.IS_GUEST | SESSION_FLAG.IS_NULL)) !== 0
}

/** Never less than was asked for: no guest, no session without a signature, none in the clear where it must be encrypted. */
export function requireGoodEnough(
  { host, agreed, terms }: Connection,
  { answer, channel, encrypted }: Granted,
  { who, allowUnsigned = false }: SessionOptions,
): void {
  if ((channel === undefined || isKeyless(answer)) && !allowUnsigned) {
    throw new NbtrunError('GUEST_REFUSED', `${host} let ${who} in only as a guest, which cannot be signed`, {
      hint: 'check user and password; where it knows guests only, --guest takes it as it is',
    })
  }
  if (channel === undefined && terms.requireSigning) {
    throw new NbtrunError('SIGNING_REFUSED', `the session of ${who} on ${host} cannot be signed`, {
      hint: 'log in with --user, or leave out --signing required',
    })
  }
  if (!encrypted || channel?.sealer !== undefined) return
  if (terms.requireEncryption) {
    throw new NbtrunError('ENCRYPTION_REFUSED', `the session of ${who} on ${host} cannot be encrypted`, { hint: 'log in with --user, or leave out --encrypt' })
  }
  throw new NbtrunError('ENCRYPTION_REQUIRED', `${host} encrypts every session, which this one cannot (SMB ${agreed.dialect})`)
}

/** Ends a session that nobody will use: the server must not count it for longer. What becomes of that is no news to anybody. */
export async function giveUp(connection: Connection, { id, channel, encrypted }: Granted): Promise<void> {
  if (channel?.sealer !== undefined) connection.sealers.set(id, channel.sealer)
  const call = { command: 'LOGOFF', codec: empty, body: null, sessionId: id, timeoutMs: REFUSAL_MS } as const
  await connection.request({ ...call, ...protection(channel, encrypted) }).catch(() => {})
  connection.sealers.delete(id)
  channel?.wipe()
}

function badLogin(host: string, signing: string): NbtrunError {
  return new NbtrunError('BAD_SIGNATURE', `the login on ${host} is not signed as it must be (${signing})`, {
    hint: 'somebody or something between here and the server changes what is sent',
  })
}

function logonRefused(status: number, who: string, { host, agreed }: Connection, hint: string | undefined): NbtrunError {
  const error = refused(status, `logging in as ${who} on ${host}`, 'session-setup')
  // [MS-SMB2] 3.3.5.5: so a server refuses who cannot encrypt where it encrypts everything
  if (error.code === 'ACCESS_DENIED' && agreed.cipher === undefined) {
    return new NbtrunError('ENCRYPTION_REQUIRED', `${error.message}: it may encrypt every session, which SMB ${agreed.dialect} here cannot`, {
      facts: error.facts,
    })
  }
  return hint === undefined || error.code !== 'LOGON_FAILED'
    ? error
    : new NbtrunError(error.code, error.message, { facts: error.facts, hint: `${error.hint}; ${hint}` })
}

/** What a request of a session carries: sealed, signed, or, without keys, as it is. */
export function protection(channel: Channel | undefined, encrypted: boolean): Pick<Call<unknown>, 'signer' | 'sealer'> {
  if (channel === undefined) return {}
  return { signer: channel.signer, ...(encrypted && channel.sealer !== undefined ? { sealer: channel.sealer } : {}) }
}
