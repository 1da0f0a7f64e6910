import { NbtrunError } from '../base/errors.ts'
import { decode, encode, WireError } from '../base/wire.ts'
import { isSmb1, NONE_OF_THEM, SMB2_STRING, smb1NegotiateRequest, smb1NegotiateResponse } from './smb1/negotiate.ts'
import { DIALECT, WILDCARD } from './smb2/dialect.ts'
import { COMMAND, FLAG, header, HEADER_SIZE } from './smb2/header.ts'
import { negotiateResponse, type NegotiateResponse } from './smb2/negotiate.ts'
import { refused, STATUS } from './status.ts'

/**
 * Multi-protocol negotiate: an SMB1 NEGOTIATE that asks for SMB2 by name. Servers of SMB2 need none; one that speaks SMB1 alone answers nothing
 * else, and so can be told from one that is broken. [MS-SMB2] 3.2.4.2.2.1. It offers SMB1 no dialect of its own.
 */
export function multiProtocolRequest(dialects: readonly number[]): Buffer {
  return encode(smb1NegotiateRequest, { dialects: stringsFor(dialects) })
}

/** Its answer: undefined when the server wants an SMB2 NEGOTIATE now, with MessageId 1. Throws SMB1_ONLY. [MS-SMB2] 3.2.5.2. */
export function multiProtocolAnswer(host: string, dialects: readonly number[], frame: Buffer): NegotiateResponse | undefined {
  if (isSmb1(frame)) {
    const { dialectIndex } = decode(smb1NegotiateResponse, frame)
    if (dialectIndex === NONE_OF_THEM) throw new NbtrunError('SMB1_ONLY', `${host} speaks SMB1 only, which this version of nbtrun does not`)
    throw new WireError(`SMB1 NEGOTIATE response: dialect ${dialectIndex} is not to be had in SMB1`, 0)
  }
  const { command, flags, status, messageId } = decode(header, frame)
  const isAnswer = command === COMMAND.NEGOTIATE && messageId === 0 && (flags & FLAG.SERVER_TO_REDIR) !== 0
  if (!isAnswer) throw new WireError('the answer to a multi-protocol negotiate is none', 12)
  if (status !== STATUS.SUCCESS) throw refused(status, `negotiating with ${host}`)
  const answer = decode(negotiateResponse, frame.subarray(HEADER_SIZE))
  return answer.dialect === WILDCARD && stringsFor(dialects).includes(SMB2_STRING.newer) ? undefined : answer
}

function stringsFor(dialects: readonly number[]): string[] {
  const strings: string[] = []
  if (dialects.includes(DIALECT['2.0.2'])) strings.push(SMB2_STRING['2.0.2'])
  if (dialects.some(revision => revision > DIALECT['2.0.2'])) strings.push(SMB2_STRING.newer)
  return strings
}
