import { NbtrunError } from '../base/errors.ts'
import { decode, encode, WireError } from '../base/wire.ts'
import { isSmb1, NONE_OF_THEM, NT_LM_012, SMB2_STRING, smb1NegotiateRequest, smb1NegotiateResponse } from './smb1/negotiate.ts'
import { DIALECT, WILDCARD } from './smb2/dialect.ts'
import { COMMAND, FLAG, header, HEADER_SIZE } from './smb2/header.ts'
import { negotiateResponse, type NegotiateResponse } from './smb2/negotiate.ts'
import { refused, STATUS } from './status.ts'

/** What may be agreed upon by an SMB1 NEGOTIATE. */
export interface Offer {
  /** Of SMB2. */
  readonly dialects: readonly number[]
  /** NT LM 0.12 too. */
  readonly smb1?: boolean
  /** In SMB1, log in by SPNEGO where the server can. */
  readonly extendedSecurity?: boolean
}

/** What a server chose: NT LM 0.12, or a dialect of SMB2 by an answer in SMB2; undefined: it wants an SMB2 NEGOTIATE now, with MessageId 1. */
export type Chosen = 'NT1' | { readonly answer: NegotiateResponse | undefined }

/**
 * Multi-protocol negotiate: an SMB1 NEGOTIATE that asks for SMB2 by name. Servers of SMB2 need none; one that speaks SMB1 alone answers nothing
 * else, and so can be told from one that is broken. [MS-SMB2] 3.2.4.2.2.1. A dialect of SMB1 is offered only where that was asked for.
 */
export function multiProtocolRequest({ extendedSecurity = true, ...offer }: Offer): Buffer {
  return encode(smb1NegotiateRequest, { dialects: stringsFor(offer), extendedSecurity })
}

/** Its answer. Throws SMB1_ONLY. [MS-SMB2] 3.2.5.2. */
export function multiProtocolAnswer(host: string, offer: Offer, frame: Buffer): Chosen {
  if (isSmb1(frame)) {
    const { dialectIndex } = decode(smb1NegotiateResponse, frame)
    if (stringsFor(offer)[dialectIndex] === NT_LM_012) return 'NT1'
    if (dialectIndex === NONE_OF_THEM && offer.smb1 !== true) throw smb1Only(host)
    if (dialectIndex === NONE_OF_THEM) throw new NbtrunError('DIALECT_REFUSED', `${host} speaks no SMB that it was asked for: ${stringsFor(offer).join(', ')}`)
    throw new WireError(`SMB1 NEGOTIATE response: dialect ${dialectIndex} is not to be had in SMB1`, 0)
  }
  const { command, flags, status, messageId } = decode(header, frame)
  const isAnswer = command === COMMAND.NEGOTIATE && messageId === 0 && (flags & FLAG.SERVER_TO_REDIR) !== 0
  if (!isAnswer) throw new WireError('the answer to a multi-protocol negotiate is none', 12)
  if (status !== STATUS.SUCCESS) throw refused(status, `negotiating with ${host}`)
  const answer = decode(negotiateResponse, frame.subarray(HEADER_SIZE))
  return { answer: answer.dialect === WILDCARD && stringsFor(offer).includes(SMB2_STRING.newer) ? undefined : answer }
}

function smb1Only(host: string): NbtrunError {
  return new NbtrunError('SMB1_ONLY', `${host} speaks SMB1 only, which nbtrun does only when asked to`)
}

function stringsFor({ dialects, smb1 = false }: Offer): string[] {
  const strings: string[] = smb1 ? [NT_LM_012] : []
  if (dialects.includes(DIALECT['2.0.2'])) strings.push(SMB2_STRING['2.0.2'])
  if (dialects.some(revision => revision > DIALECT['2.0.2'])) strings.push(SMB2_STRING.newer)
  return strings
}
