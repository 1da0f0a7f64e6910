import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode, encode } from '../../../../src/base/wire.ts'
import { Credentials } from '../../../../src/smb/auth/credentials.ts'
import { NtlmClient } from '../../../../src/smb/auth/ntlm.ts'
import { authenticateMessage, challengeMessage, NTLM } from '../../../../src/smb/auth/ntlm-messages.ts'
import { lmHash, ntlmV1, ntlmV1Extended } from '../../../../src/smb/auth/ntlmv1.ts'
import { rawNtlm } from '../../../../src/smb/auth/raw-ntlm.ts'
import { Secret } from '../../../../src/smb/auth/secret.ts'

const hex = (text: string): Buffer => Buffer.from(text, 'hex')
const PASSWORD = Buffer.from('Password', 'utf16le')
const CHALLENGE = hex('0123456789abcdef')
const CHANCE = { clientChallenge: Buffer.alloc(8, 0xaa), exportedSessionKey: Buffer.alloc(16, 0x55), time: 0n }
const identity = { user: 'User', domain: 'Domain', workstation: 'COMPUTER' }
const credentials = (level: 'ntlmv2' | 'ntlm' | 'lm'): Credentials => Credentials.fromPassword(identity, new Secret(Buffer.from(PASSWORD)), level)

// F.1: [doc] MS-NLMP 4.2.2 and 4.2.3
const NTOWF = hex('a4f49c406510bdcab6824ee7c30fd852')
const NT = '67c43011f30298a2ad35ece64f16331c44bdbed927841f94'
const LM = '98def7b87f88aa5dafe2df779688a172def11c7d5ccdef13'

test('LMOWFv1, both responses and the session base key are those of MS-NLMP 4.2.2', () => {
  assert.equal(lmHash(PASSWORD).toString('hex'), 'e52cac67419a9a224a3b108f3fa6cb6d')
  const { nt, lm, sessionBaseKey } = ntlmV1(NTOWF, CHALLENGE, lmHash(PASSWORD))
  assert.deepEqual([nt.toString('hex'), lm.toString('hex'), sessionBaseKey.toString('hex')], [NT, LM, 'd87262b0cde4b1cb7499becccdf10784'])
  assert.equal(ntlmV1(NTOWF, CHALLENGE).lm.toString('hex'), NT, 'no LM hash, no LM response')
})

test('with extended session security the response and the key are those of MS-NLMP 4.2.3', () => {
  const { nt, lm, sessionBaseKey } = ntlmV1Extended(NTOWF, CHALLENGE, CHANCE.clientChallenge)
  assert.equal(nt.toString('hex'), '7537f803ae367128ca458204bde7caf81e97ed2683267232')
  assert.equal(lm.toString('hex'), `${'aa'.repeat(8)}${'00'.repeat(16)}`)
  assert.equal(sessionBaseKey.toString('hex'), 'eb93429a8bd952f8b89c55b87f475edc')
})

test('NTLMv1 is proven only at its level: by default not even its hash is kept', () => {
  const challenge = { flags: NTLM.UNICODE | NTLM.NTLM | NTLM.SIGN, targetName: '', serverChallenge: CHALLENGE, targetInfo: Buffer.alloc(0), version: 0n }
  const answer = (level: 'ntlmv2' | 'ntlm' | 'lm') => {
    const client = new NtlmClient(credentials(level), 'srv', { ...CHANCE, exportedSessionKey: Buffer.alloc(16, 0x55) })
    return decode(authenticateMessage, client.authenticate(encode(challengeMessage, challenge)))
  }
  assert.deepEqual([credentials('ntlmv2').ntHash, credentials('ntlmv2').lmHash, credentials('ntlm').lmHash], [undefined, undefined, undefined])
  assert.ok(answer('ntlmv2').ntResponse.length > 24)
  assert.deepEqual([answer('ntlm').ntResponse.toString('hex'), answer('ntlm').lmResponse.toString('hex')], [NT, NT])
  assert.deepEqual([answer('lm').ntResponse.toString('hex'), answer('lm').lmResponse.toString('hex')], [NT, LM])
})

test('without NTLMSSP the key to sign with is the session key and the NT response behind it', () => {
  const server = { challenge: CHALLENGE, domain: '', server: '' }
  const v1 = rawNtlm(credentials('ntlm'), server, CHANCE)
  assert.deepEqual([v1.oem.toString('hex'), v1.unicode.toString('hex'), v1.macKey.toString('hex')], [NT, NT, `d87262b0cde4b1cb7499becccdf10784${NT}`])
  // [doc] MS-NLMP 4.2.4: with its target info
  const v2 = rawNtlm(credentials('ntlmv2'), { ...server, domain: 'Domain', server: 'Server' }, CHANCE)
  assert.equal(v2.unicode.subarray(0, 16).toString('hex'), '68cd0ab851e51c96aabc927bebef6a1c')
  assert.equal(v2.oem.toString('hex'), '86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa')
  assert.deepEqual(v2.macKey, Buffer.concat([hex('8de40ccadbc14a82f15cb0ad0de95ca3'), v2.unicode]))
  const nobody = rawNtlm(Credentials.anonymous(), server, CHANCE)
  assert.deepEqual([nobody.oem.length, nobody.unicode.length, nobody.macKey.length], [1, 0, 0])
})

test('wiping the credentials zeroes what the lower levels need, too', () => {
  const held = credentials('lm')
  const views = [held.ntHash!.bytes, held.lmHash!.bytes, held.key!.bytes]
  held.wipe()
  for (const view of views) assert.ok(view.every(byte => byte === 0))
})
