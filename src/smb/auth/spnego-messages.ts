import { type Codec, type Reader, WireError } from '../../base/wire.ts'
import { anyElement, context, element, expectElement, TAG } from './der.ts'

/** Mechanisms by their object identifier: its DER contents in hex. */
export const MECHANISM = {
  NTLMSSP: '2b06010401823702020a',
  NEGOEX: '2b06010401823702021e',
  KERBEROS: '2a864886f712010202',
  /** What Windows 2000 wrote for Kerberos, sent by all its successors. */
  MS_KERBEROS: '2a864882f712010202',
  KERBEROS_USER_TO_USER: '2a864886f71201020203',
} as const

const SPNEGO = Buffer.from('2b0601050502', 'hex')

/** NegTokenInit, and NegTokenInit2 when a server sends it. RFC 4178 section 4.2.1, [MS-SPNG] 2.2.1. */
export interface NegTokenInit {
  readonly mechTypes: readonly string[]
  readonly mechToken?: Buffer
  /** negHints.hintName, of no meaning. */
  readonly hint?: string
  readonly mechListMic?: Buffer
}

export const NEG_STATE = { ACCEPT_COMPLETED: 0, ACCEPT_INCOMPLETE: 1, REJECT: 2, REQUEST_MIC: 3 } as const

/** RFC 4178 section 4.2.2. */
export interface NegTokenResp {
  readonly negState?: number
  readonly supportedMech?: string
  readonly responseToken?: Buffer
  readonly mechListMic?: Buffer
}

/** What a mechListMIC signs: the MechTypeList of the NegTokenInit. RFC 4178 section 4.1. */
export function mechTypeList(mechTypes: readonly string[]): Buffer {
  return element(TAG.SEQUENCE, ...mechTypes.map(oid => element(TAG.OID, Buffer.from(oid, 'hex'))))
}

// The grammar is flat: a reader for each of its levels and no recursion, so nesting in the input cannot go deeper than it.

export const negTokenInit: Codec<NegTokenInit> = {
  name: 'SPNEGO NegTokenInit',
  put(w, { mechTypes, mechToken, hint, mechListMic }) {
    const fields = [element(context(0), mechTypeList(mechTypes))]
    if (mechToken !== undefined) fields.push(element(context(2), element(TAG.OCTETS, mechToken)))
    if (hint !== undefined) {
      const name = element(context(0), element(TAG.GENERAL_STRING, Buffer.from(hint, 'latin1')))
      fields.push(element(context(3), element(TAG.SEQUENCE, name)))
    }
    // [3] was taken by the hints: [MS-SPNG] 2.2.1
    if (mechListMic !== undefined) fields.push(element(context(hint === undefined ? 3 : 4), element(TAG.OCTETS, mechListMic)))
    w.bytes(element(TAG.APPLICATION_0, element(TAG.OID, SPNEGO), element(context(0), element(TAG.SEQUENCE, ...fields))))
  },
  get(outer) {
    const r = expectElement(outer, TAG.APPLICATION_0)
    if (!expectElement(r, TAG.OID).rest().equals(SPNEGO)) throw new WireError('mechanism is not SPNEGO', r.pos)
    const token: { -readonly [K in keyof NegTokenInit]: NegTokenInit[K] } = { mechTypes: [] }
    eachField(expectElement(r, context(0)), (tag, field) => {
      if (tag === context(0)) token.mechTypes = oids(expectElement(field, TAG.SEQUENCE))
      else if (tag === context(2)) token.mechToken = octets(field)
      else if (tag === context(4)) token.mechListMic = octets(field)
      else if (tag === context(3)) {
        const { tag: kind, contents } = anyElement(field)
        if (kind === TAG.OCTETS) token.mechListMic = contents.rest()
        else if (kind === TAG.SEQUENCE) Object.assign(token, hintOf(contents))
        else throw new WireError(`field 3 holds tag 0x${kind.toString(16)}`, field.pos)
      }
    })
    return token
  },
}

export const negTokenResp: Codec<NegTokenResp> = {
  name: 'SPNEGO NegTokenResp',
  put(w, { negState, supportedMech, responseToken, mechListMic }) {
    const fields: Buffer[] = []
    if (negState !== undefined) fields.push(element(context(0), element(TAG.ENUMERATED, Buffer.from([negState]))))
    if (supportedMech !== undefined) fields.push(element(context(1), element(TAG.OID, Buffer.from(supportedMech, 'hex'))))
    if (responseToken !== undefined) fields.push(element(context(2), element(TAG.OCTETS, responseToken)))
    if (mechListMic !== undefined) fields.push(element(context(3), element(TAG.OCTETS, mechListMic)))
    w.bytes(element(context(1), element(TAG.SEQUENCE, ...fields)))
  },
  get(outer) {
    const token: { -readonly [K in keyof NegTokenResp]: NegTokenResp[K] } = {}
    eachField(expectElement(outer, context(1)), (tag, field) => {
      if (tag === context(0)) token.negState = expectElement(field, TAG.ENUMERATED).u8()
      else if (tag === context(1)) token.supportedMech = expectElement(field, TAG.OID).rest().toString('hex')
      else if (tag === context(2)) token.responseToken = octets(field)
      else if (tag === context(3)) token.mechListMic = octets(field)
    })
    return token
  },
}

/** The fields of the SEQUENCE that stands next; unknown ones are the caller's to pass over. */
function eachField(r: Reader, take: (tag: number, field: Reader) => void): void {
  const sequence = expectElement(r, TAG.SEQUENCE)
  while (sequence.left > 0) {
    const { tag, contents } = anyElement(sequence)
    take(tag, contents)
  }
}

function octets(field: Reader): Buffer {
  return expectElement(field, TAG.OCTETS).rest()
}

function oids(sequence: Reader): string[] {
  const found: string[] = []
  while (sequence.left > 0) found.push(expectElement(sequence, TAG.OID).rest().toString('hex'))
  return found
}

/** negHints: hintName [0], hintAddress [1]. */
function hintOf(hints: Reader): { hint?: string } {
  while (hints.left > 0) {
    const { tag, contents } = anyElement(hints)
    if (tag === context(0)) return { hint: expectElement(contents, TAG.GENERAL_STRING).rest().toString('latin1') }
  }
  return {}
}
