import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NbtrunError } from '../../../../src/base/errors.ts'
import { decode, encode, Reader, WireError } from '../../../../src/base/wire.ts'
import { Credentials } from '../../../../src/smb/auth/credentials.ts'
import { anyElement, element } from '../../../../src/smb/auth/der.ts'
import { authenticateMessage } from '../../../../src/smb/auth/ntlm-messages.ts'
import { Secret } from '../../../../src/smb/auth/secret.ts'
import { type SecurityContext, spnegoNtlm } from '../../../../src/smb/auth/spnego.ts'
import { MECHANISM, mechTypeList, NEG_STATE, negTokenInit, negTokenResp } from '../../../../src/smb/auth/spnego-messages.ts'
import * as vectors from '../../../vectors/vectors.ts'
import { codecContract } from '../../contract.ts'

const { NTLMSSP, NEGOEX, MS_KERBEROS, KERBEROS, KERBEROS_USER_TO_USER } = MECHANISM

codecContract(negTokenInit, vectors.SPNEGO_INIT, { mechTypes: [NTLMSSP], mechToken: vectors.NTLM_NEGOTIATE }, { name: 'NegTokenInit with a token' })
codecContract(negTokenInit, vectors.SPNEGO_NEGOEX_HINT, { mechTypes: [NEGOEX, NTLMSSP] }, { name: 'NegTokenInit without a token' })
codecContract(
  negTokenInit,
  vectors.SPNEGO_INIT_2,
  { mechTypes: [NEGOEX, MS_KERBEROS, KERBEROS, KERBEROS_USER_TO_USER, NTLMSSP], hint: 'not_defined_in_RFC4178@please_ignore' },
  { name: 'NegTokenInit2 with a hint' },
)
codecContract(
  negTokenResp,
  vectors.SPNEGO_CHALLENGE,
  { negState: NEG_STATE.ACCEPT_INCOMPLETE, supportedMech: NTLMSSP, responseToken: vectors.SPNEGO_CHALLENGE.subarray(31) },
  { name: 'NegTokenResp with a challenge' },
)
codecContract(negTokenResp, vectors.SPNEGO_COMPLETED, { negState: NEG_STATE.ACCEPT_COMPLETED }, { name: 'NegTokenResp accept-completed' })
codecContract(negTokenResp, vectors.SPNEGO_REQUEST_MIC, { negState: NEG_STATE.REQUEST_MIC, supportedMech: NTLMSSP }, { name: 'NegTokenResp request-mic' })
codecContract(
  negTokenResp,
  vectors.ANATOMY_SETUP_RESPONSE_2.subarray(72),
  { negState: NEG_STATE.ACCEPT_COMPLETED, mechListMic: vectors.ANATOMY_NTLM.serverMic },
  { name: 'NegTokenResp with a mechListMIC' },
)

test('other tokens of real peers decode', () => {
  assert.deepEqual(decode(negTokenResp, vectors.SPNEGO_COMPLETED_BER), { negState: 0 }) // lengths longer than needed
  assert.equal(decode(negTokenInit, vectors.SPNEGO_INIT_OEM).mechToken?.toString('latin1', 0, 7), 'NTLMSSP')
  assert.equal(decode(negTokenResp, vectors.SPNEGO_CHALLENGE_2).responseToken?.length, 0xee)
  assert.equal(decode(negTokenResp, vectors.SPNEGO_AUTHENTICATE).responseToken?.length, 0xa2)
  const windows = decode(negTokenInit, vectors.ANATOMY_NEGOTIATE_RESPONSE.subarray(128, 128 + 0x140))
  assert.deepEqual(windows.mechTypes, [NEGOEX, NTLMSSP])
  assert.equal(windows.mechToken?.toString('latin1', 0, 8), 'NEGOEXTS')
})

test('both places of the mechListMIC are read and written', () => {
  const mechListMic = Buffer.alloc(16, 5)
  for (const token of [
    { mechTypes: [NTLMSSP], mechListMic },
    { mechTypes: [NTLMSSP], mechListMic, hint: 'x' },
  ])
    assert.deepEqual(decode(negTokenInit, encode(negTokenInit, token)), token)
})

test('lengths are written in the shortest form and read in any definite one', () => {
  for (const length of [0, 127, 128, 255, 256, 65535, 65536]) {
    const made = element(4, Buffer.alloc(length, 1))
    assert.equal(made.length - length, length < 128 ? 2 : length < 256 ? 3 : length < 65536 ? 4 : 5)
    assert.equal(anyElement(new Reader(made)).contents.left, length)
  }
  assert.equal(anyElement(new Reader(Buffer.from('048400000001aa', 'hex'))).contents.left, 1)
  for (const bad of ['0480aa0000', '04850000000001aa', '0484ffffffff', '0481']) assert.throws(() => anyElement(new Reader(Buffer.from(bad, 'hex'))), WireError)
})

test('nesting without end is refused or passed over, never followed', () => {
  let nested: Buffer = Buffer.alloc(0)
  for (let i = 0; i < 10_000; i++)
    nested = Buffer.concat([Buffer.from([0x30, 0x83, nested.length >> 16, (nested.length >> 8) & 0xff, nested.length & 0xff]), nested])
  assert.throws(() => decode(negTokenInit, nested), WireError)
  assert.deepEqual(decode(negTokenResp, element(0xa1, nested)), {})
})

/** The client of the published 3.1.1 login, with its session key. */
function published(): SecurityContext {
  const credentials = Credentials.fromPassword({ user: 'administrator', domain: 'SUT311', workstation: 'DRIVER311' }, Secret.fromText('Password01!'))
  const chance = { clientChallenge: Buffer.alloc(8, 1), exportedSessionKey: Buffer.from(vectors.ANATOMY_NTLM.sessionKey), time: 0n }
  return spnegoNtlm(credentials, 'SUT311', chance)
}

const OFFER = vectors.ANATOMY_NEGOTIATE_RESPONSE.subarray(128, 128 + 0x140)
const CHALLENGE = vectors.ANATOMY_SETUP_RESPONSE_1.subarray(72)
const VERDICT = vectors.ANATOMY_SETUP_RESPONSE_2.subarray(72)

test('a login: first token, challenge answered and signed, the signature of the server checked', () => {
  const context = published()
  const first = decode(negTokenInit, context.first(OFFER))
  assert.deepEqual(first.mechTypes, [NTLMSSP])
  assert.deepEqual(mechTypeList(first.mechTypes), vectors.ANATOMY_NTLM.mechTypes)
  const second = decode(negTokenResp, context.step(CHALLENGE))
  assert.deepEqual(second.mechListMic, vectors.ANATOMY_NTLM.clientMic)
  assert.equal(decode(authenticateMessage, second.responseToken!).user, 'administrator')
  assert.deepEqual(context.sessionKey, vectors.ANATOMY_NTLM.sessionKey)
  context.finish(VERDICT)
})

test('every other mechListMIC of the server is refused', () => {
  for (let bit = 0; bit < 128; bit++) {
    const context = published()
    context.first(OFFER)
    context.step(CHALLENGE)
    const mechListMic = Buffer.from(vectors.ANATOMY_NTLM.serverMic)
    mechListMic[bit >> 3]! ^= 1 << (bit & 7)
    assert.throws(() => context.finish(encode(negTokenResp, { negState: 0, mechListMic })), { code: 'BAD_SIGNATURE' })
  }
})

test('a server may leave out the offer, the final token and the signature', () => {
  for (const verdict of [Buffer.alloc(0), vectors.SPNEGO_COMPLETED, vectors.SPNEGO_COMPLETED_BER]) {
    const context = published()
    context.first(Buffer.alloc(0))
    context.step(CHALLENGE)
    context.finish(verdict)
  }
})

test('a server without NTLM is told apart before the login', () => {
  const offer = encode(negTokenInit, { mechTypes: [MS_KERBEROS, KERBEROS] })
  assert.throws(() => published().first(offer), { code: 'NTLM_REFUSED', message: 'the server takes no NTLM login (only MS_KERBEROS, KERBEROS)' })
})

test('tokens out of turn, without a challenge, rejecting or of another mechanism are refused', () => {
  assert.throws(() => published().finish(VERDICT), WireError)
  assert.throws(() => published().step(vectors.SPNEGO_COMPLETED), WireError)
  assert.throws(() => published().step(encode(negTokenResp, { negState: NEG_STATE.REJECT })), { code: 'NTLM_REFUSED' })
  assert.throws(() => published().step(encode(negTokenResp, { supportedMech: KERBEROS, responseToken: Buffer.alloc(9) })), WireError)
  const context = published()
  context.step(CHALLENGE)
  assert.throws(() => context.step(CHALLENGE), WireError)
  assert.throws(() => published().sessionKey, { code: 'INTERNAL' })
})

test('an anonymous login sends no mechListMIC and has an empty key', () => {
  const context = spnegoNtlm(Credentials.anonymous(), 'srv')
  context.first(OFFER)
  assert.equal(decode(negTokenResp, context.step(CHALLENGE)).mechListMic, undefined)
  assert.equal(context.sessionKey.length, 0)
  context.finish(vectors.SPNEGO_COMPLETED)
})

test('every change of one byte in a server token is taken or refused in words', () => {
  for (let at = 0; at < CHALLENGE.length; at++) {
    for (const delta of [0x01, 0x7f, 0x80, 0xff]) {
      const token = Buffer.from(CHALLENGE)
      token[at]! ^= delta
      try {
        published().step(token)
      } catch (thrown) {
        assert.ok(thrown instanceof WireError || (thrown instanceof NbtrunError && thrown.code === 'NTLM_REFUSED'), String(thrown))
      }
    }
  }
})

test('wipe zeroes the session key', () => {
  const context = published()
  context.step(CHALLENGE)
  const key = context.sessionKey
  context.wipe()
  assert.deepEqual(key, Buffer.alloc(16))
})
