import { asError, NbtrunError } from '../../base/errors.ts'
import { decode, encode } from '../../base/wire.ts'
import type { Connection } from './connection.ts'
import type { Call, Reply } from './exchange.ts'
import { FSCTL, ioctlRequest, ioctlResponse, NO_FILE } from './ioctl.ts'
import { VALIDATE_RESPONSE_SIZE, validateNegotiateRequest, validateNegotiateResponse } from './validate-negotiate.ts'
import { refused, STATUS } from '../status.ts'

/** Sends in a session that is signed or encrypted, on one of its trees. */
interface Asker {
  request<T>(call: Call<T>): Promise<Reply>
}

/** The session is gone: said by whom, nobody knows, as these may come unsigned. */
const GONE: ReadonlySet<number> = new Set([STATUS.USER_SESSION_DELETED, STATUS.NETWORK_SESSION_EXPIRED])

/**
 * Before 3.1.1 nothing protects NEGOTIATE itself, so the server is asked, signed, what it heard and said there. Somebody in between who struck out the
 * better dialects is found out by this. DOWNGRADE. [MS-SMB2] 3.2.5.5 and 3.2.5.14.12.
 */
export async function confirmNegotiation(connection: Connection, asker: Asker): Promise<void> {
  const { host, offered, negotiated } = connection
  let reply: Reply
  try {
    const input = encode(validateNegotiateRequest, offered)
    const body = { code: FSCTL.VALIDATE_NEGOTIATE_INFO, fileId: NO_FILE, input, maxOutput: VALIDATE_RESPONSE_SIZE }
    reply = await asker.request({ command: 'IOCTL', codec: ioctlRequest, body })
  } catch (thrown) {
    const cause = asError(thrown)
    // a server that heard something else than we said hangs up; and only the server itself can sign
    if (cause.code === 'CONNECTION_LOST') throw downgraded(connection, `${host} hung up when asked to confirm it`, cause)
    if (cause.code === 'BAD_SIGNATURE') throw downgraded(connection, 'the confirmation has no valid signature', cause)
    throw cause
  }
  const { status } = reply.header
  if (GONE.has(status)) throw refused(status, `confirming the negotiation with ${host}`)
  if (status === STATUS.ACCESS_DENIED) throw downgraded(connection, `${host} does not confirm it`)
  if (status !== STATUS.SUCCESS) return // it knows no such question, and signed that: an old server
  const heard = decode(validateNegotiateResponse, decode(ioctlResponse, reply.body).output)
  for (const field of ['dialect', 'capabilities', 'securityMode'] as const) {
    if (heard[field] !== negotiated[field]) throw downgraded(connection, `${host} says that it answered with another ${NAMES[field]}`)
  }
  if (!heard.serverGuid.equals(negotiated.serverGuid)) throw downgraded(connection, `${host} says that it is another server`)
}

const NAMES = { dialect: 'dialect', capabilities: 'set of capabilities', securityMode: 'security mode' } as const

function downgraded({ agreed }: Connection, how: string, cause?: NbtrunError): NbtrunError {
  return new NbtrunError('DOWNGRADE', `the negotiation of SMB ${agreed.dialect} was tampered with: ${how}`, {
    facts: { dialect: agreed.dialect },
    ...(cause === undefined ? {} : { cause }),
  })
}
