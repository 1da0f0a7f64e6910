import { randomBytes } from 'node:crypto'
import { NbtrunError } from '../../base/errors.ts'
import { deferred, pause, within } from '../../base/time.ts'
import { decode, Writer, type Codec } from '../../base/wire.ts'
import { Credentials } from '../auth/credentials.ts'
import { spnegoNtlm } from '../auth/spnego.ts'
import type { Connection } from './connection.ts'
import { agree } from './negotiation.ts'
import type { Session } from './session.ts'
import type { Proven, SessionProof } from '../resources.ts'
import { isSmb3 } from './dialect.ts'
import { COMMAND, FLAG, header, HEADER_SIZE, type CommandName, type Header } from './header.ts'
import { negotiateRequest, negotiateResponse, SECURITY_MODE } from './negotiate.ts'
import { SETUP_FLAG, sessionSetupRequest } from './session-setup.ts'
import { STATUS, statusName } from '../status.ts'
import { openTransport, type Transport, type TransportOptions } from '../transport.ts'

/**
 * Asks later, on a connection of its own, whether the server still has a session that is open now: a SESSION_SETUP that would bind that connection to
 * it. It is signed now, so that no key is kept for it, and holds nothing secret. [MS-SMB2] 3.3.5.5.2: a server without such a session says
 * USER_SESSION_DELETED, one that has it goes on with the login. Undefined where there is no such proof: before SMB 3.0, and for guests, who cannot sign.
 */
export function sessionProof(connection: Connection, session: Session): SessionProof | undefined {
  const { signer, id } = session
  if (!isSmb3(connection.dialect) || signer === undefined) return undefined
  const setup = message(
    'SESSION_SETUP',
    SETUP_ID,
    sessionSetupRequest,
    {
      flags: SETUP_FLAG.BINDING,
      securityMode: SECURITY_MODE.SIGNING_REQUIRED,
      capabilities: 0,
      previousSessionId: 0n,
      securityBuffer: spnegoNtlm(Credentials.anonymous(), connection.host).first(Buffer.alloc(0)),
    },
    { sessionId: id, flags: FLAG.SIGNED },
  )
  signer.sign(setup)
  return {
    async ask(to) {
      const answer = await askProof(connection, id, setup, to)
      if (answer === 'hangs' && session.isLoggedOff) throw unproven(`what served it on ${connection.host} hangs since it was ended`)
      return answer
    },
  }
}

function askProof(connection: Connection, sessionId: bigint, setup: Buffer, to: TransportOptions): Promise<Proven> {
  return conversing(connection, to, async talk => {
    const { host, terms, offered, agreed } = connection
    const first = await negotiated(talk, connection, to)
    if (first === undefined) return 'hangs'
    if (first.status !== STATUS.SUCCESS) throw unproven(`${host} answers NEGOTIATE with ${statusName(first.status)}`)
    const now = agree(host, terms, offered, decode(negotiateResponse, first.body))
    if (now.dialect !== agreed.dialect || now.signing !== agreed.signing) throw unproven(`${host} has another dialect now, ${now.dialect}`)
    const { status } = await talk.say(setup, 'SESSION_SETUP')
    if (status === STATUS.USER_SESSION_DELETED) return 'gone'
    if (status === STATUS.MORE_PROCESSING_REQUIRED) return 'there'
    if (status === STATUS.REQUEST_NOT_ACCEPTED) {
      // Without multi-channel nothing is bound, and some say so before they look for the session: what do they say of one that never was?
      const control = await talk.say(about(setup, ~sessionId & MAX_ID), 'SESSION_SETUP')
      if (control.status === STATUS.USER_SESSION_DELETED) return 'there'
    }
    throw unproven(`${host} answers a request for the session with ${statusName(status)}`)
  })
}

/**
 * What the server says to the session's own client. Undefined where it says nothing to that one for half the time, but answers another one: connections of
 * one ClientGuid all go to one process of a server, which hangs then.
 */
async function negotiated(talk: Conversation, connection: Connection, to: TransportOptions): Promise<Said | undefined> {
  const negotiate = (clientGuid: Buffer): Buffer => message('NEGOTIATE', 0, negotiateRequest, { ...connection.offered, clientGuid }, {})
  const answer = talk.say(negotiate(connection.offered.clientGuid), 'NEGOTIATE')
  const answered = new AbortController()
  const settled = answer.then(
    () => answered.abort(),
    () => answered.abort(),
  )
  const half = to.timeoutMs / 2
  await Promise.race([settled, pause(half, answered.signal)])
  if (!answered.signal.aborted) {
    const asStranger = conversing(connection, { ...to, timeoutMs: Math.max(200, half - FIN_MS) }, other => other.say(negotiate(randomBytes(16)), 'NEGOTIATE'))
    const isAnswered = await asStranger.then(
      ({ status }) => status === STATUS.SUCCESS,
      () => false,
    )
    if (isAnswered && !answered.signal.aborted) return undefined
  }
  return answer
}

/** The same request about another session. Its signature is wrong then, which a server without that session cannot tell. */
function about(setup: Buffer, sessionId: bigint): Buffer {
  const other = Buffer.from(setup)
  const w = new Writer()
  header.put(w, { ...decode(header, setup), messageId: SETUP_ID + 1, sessionId })
  w.done().copy(other, 0, 0, SIGNATURE_AT)
  return other
}

/** A connection of its own for one conversation. */
async function conversing<T>(connection: Connection, to: TransportOptions, talk: (conversation: Conversation) => Promise<T>): Promise<T> {
  const transport = await openTransport(to)
  const conversation = new Conversation(transport, to.timeoutMs)
  const stop = (): void => transport.destroy()
  to.signal?.addEventListener('abort', stop, { once: true })
  try {
    if (transport.address !== connection.transport.address) throw unproven(`${to.host} is at ${transport.address} now, not at ${connection.transport.address}`)
    return await talk(conversation)
  } finally {
    to.signal?.removeEventListener('abort', stop)
    await transport.finish(FIN_MS)
  }
}

/**
 * AES-GMAC's nonce is the MessageId: no two messages may have the same under one key. The session never signs with this one, which its own NEGOTIATE
 * or login used up before it had a key, and asking again sends the same bytes again.
 */
const SETUP_ID = 1
const MAX_ID = 0xffff_ffff_ffff_ffffn
/** In the header of SMB2. [MS-SMB2] 2.2.1.2. */
const SIGNATURE_AT = 48
const FIN_MS = 500

function unproven(why: string): NbtrunError {
  return new NbtrunError('SERVER_REFUSED', why)
}

function message<T>(command: CommandName, messageId: number, codec: Codec<T>, body: T, more: Partial<Header>): Buffer {
  const w = new Writer()
  header.put(w, {
    charge: messageId === 0 ? 0 : 1,
    status: 0,
    command: COMMAND[command],
    credits: 1,
    flags: 0,
    next: 0,
    messageId,
    asyncId: 0n,
    treeId: 0,
    sessionId: 0n,
    ...more,
  })
  codec.put(w, body)
  return Buffer.from(w.done())
}

interface Said {
  readonly status: number
  readonly body: Buffer
}

/** Two questions and their answers, one after the other: no more is needed here. */
class Conversation {
  readonly #transport: Transport
  readonly #timeoutMs: number
  #heard = deferred<Buffer>()

  constructor(transport: Transport, timeoutMs: number) {
    this.#transport = transport
    this.#timeoutMs = timeoutMs
    this.#heard.promise.catch(() => {})
    transport.start(
      frame => this.#heard.resolve(frame),
      cause => this.#heard.reject(cause ?? unproven('the server hangs up')),
    )
  }

  async say(request: Buffer, command: CommandName): Promise<Said> {
    this.#transport.send([request])
    return within(this.#timeoutMs, () => this.#answer(command), `waiting for the answer to ${command}`)
  }

  async #answer(command: CommandName): Promise<Said> {
    for (;;) {
      const frame = await this.#heard.promise
      this.#heard = deferred()
      this.#heard.promise.catch(() => {})
      const h = decode(header, frame)
      if (h.command !== COMMAND[command]) throw unproven(`the server answers ${command} with something else`)
      if (h.status !== STATUS.PENDING) return { status: h.status, body: frame.subarray(HEADER_SIZE) }
    }
  }
}
