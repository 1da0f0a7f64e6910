import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode, WireError } from '../../../../src/base/wire.ts'
import { Credentials } from '../../../../src/smb/auth/credentials.ts'
import { clientPairs, hmacMd5, NtlmClient, ntlmv2Temp } from '../../../../src/smb/auth/ntlm.ts'
import { ntlmSealingKey, ntlmSigningKey, NtlmMac } from '../../../../src/smb/auth/ntlm-mac.ts'
import { AV, authenticateMessage, avPairs, challengeMessage, MIC_AT, negotiateMessage, NTLM } from '../../../../src/smb/auth/ntlm-messages.ts'
import { Secret } from '../../../../src/smb/auth/secret.ts'
import { negTokenInit, negTokenResp } from '../../../../src/smb/auth/spnego-messages.ts'
import { Rc4 } from '../../../../src/smb/crypto/rc4.ts'
import * as vectors from '../../../vectors/vectors.ts'
import { codecContract, decodesOrRefuses } from '../../contract.ts'

const NLMP = { user: 'User', domain: 'Domain', workstation: 'COMPUTER' }
const ADMIN = { user: 'administrator', domain: 'SUT311', workstation: 'DRIVER311' }

/** The NTLM messages of the published 3.1.1 login, out of their SESSION_SETUP and SPNEGO shells. */
const ANATOMY = {
  negotiate: decode(negTokenInit, vectors.ANATOMY_SETUP_REQUEST_1.subarray(88)).mechToken!,
  challenge: decode(negTokenResp, vectors.ANATOMY_SETUP_RESPONSE_1.subarray(72)).responseToken!,
  authenticate: decode(negTokenResp, vectors.ANATOMY_SETUP_REQUEST_2.subarray(88)).responseToken!,
}

function login(identity: typeof NLMP, password: string): Credentials {
  return Credentials.fromPassword(identity, Secret.fromText(password))
}

codecContract(negotiateMessage, vectors.NTLM_NEGOTIATE, { flags: 0xe2088297, version: 0x0f00_0000_295a_000an })

codecContract(challengeMessage, vectors.NLMP_CHALLENGE, {
  flags: 0xe28a8237,
  targetName: 'Server',
  serverChallenge: Buffer.from('0123456789abcdef', 'hex'),
  targetInfo: vectors.NLMP_4_2.targetInfo,
  version: 0x0f00_0000_1770_0006n,
})

codecContract(authenticateMessage, vectors.NLMP_AUTHENTICATE, {
  ...NLMP,
  flags: 0xe2888235,
  lmResponse: vectors.NLMP_4_2.lmv2,
  ntResponse: Buffer.concat([vectors.NLMP_4_2.ntProof, ntlmv2Temp(0n, Buffer.alloc(8, 0xaa), vectors.NLMP_4_2.targetInfo)]),
  sessionKey: vectors.NLMP_4_2.encryptedKey,
  version: 0x0f00_0000_0a28_0105n,
  mic: undefined,
})

codecContract(
  authenticateMessage,
  ANATOMY.authenticate,
  {
    ...ADMIN,
    flags: 0xe2888215,
    lmResponse: Buffer.alloc(24),
    ntResponse: ANATOMY.authenticate.subarray(0xa8, 0xa8 + 0xee),
    sessionKey: vectors.ANATOMY_NTLM.encryptedKey,
    version: 0x0f00_0000_2580_0306n,
    mic: vectors.ANATOMY_NTLM.mic,
  },
  { name: 'NTLM AUTHENTICATE with MIC' },
)

codecContract(avPairs, vectors.NLMP_4_2.targetInfo, [
  { id: 2, value: Buffer.from('Domain', 'utf16le') },
  { id: 1, value: Buffer.from('Server', 'utf16le') },
])

test('NTOWFv2, proof and keys are those of MS-NLMP 4.2.4', () => {
  const v = vectors.NLMP_4_2
  const key = login(NLMP, 'Password').key!.bytes
  assert.deepEqual(key, v.ntowfv2)
  const serverChallenge = Buffer.from('0123456789abcdef', 'hex')
  const proof = hmacMd5(key, serverChallenge, ntlmv2Temp(0n, Buffer.alloc(8, 0xaa), v.targetInfo))
  assert.deepEqual(proof, v.ntProof)
  assert.deepEqual(hmacMd5(key, proof), v.sessionBaseKey)
  assert.deepEqual(new Rc4(v.sessionBaseKey).apply(Buffer.alloc(16, 0x55)), v.encryptedKey)
  assert.deepEqual(ntlmSigningKey(Buffer.alloc(16, 0x55), 'client-to-server'), v.signKey)
  const sealKey = ntlmSealingKey(Buffer.alloc(16, 0x55), 'client-to-server', NTLM.KEY_128)
  assert.deepEqual(sealKey, v.sealKey)
})

test('sealing encrypts the message and its checksum with one stream, as in MS-NLMP 4.2.4.4', () => {
  const v = vectors.NLMP_4_2
  const text = Buffer.from('Plaintext', 'utf16le')
  const stream = new Rc4(v.sealKey)
  assert.deepEqual(stream.apply(text), v.sealed)
  const checksum = hmacMd5(v.signKey, Buffer.alloc(4), text).subarray(0, 8)
  assert.deepEqual(Buffer.concat([Buffer.from([1, 0, 0, 0]), stream.apply(checksum), Buffer.alloc(4)]), v.signature)
})

test('weaker sealing keys are cut as MS-NLMP 3.4.5.3 says', () => {
  const key = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex')
  const longer = Buffer.from(key)
  longer.fill(0xff, 7)
  assert.deepEqual(ntlmSealingKey(key, 'client-to-server', NTLM.KEY_56), ntlmSealingKey(longer, 'client-to-server', NTLM.KEY_56))
  longer.fill(0xff, 5)
  assert.notDeepEqual(ntlmSealingKey(key, 'client-to-server', NTLM.KEY_56), ntlmSealingKey(longer, 'client-to-server', NTLM.KEY_56))
  assert.deepEqual(ntlmSealingKey(key, 'client-to-server', 0), ntlmSealingKey(longer, 'client-to-server', 0))
})

test('the published 3.1.1 login follows from its password', () => {
  const v = vectors.ANATOMY_NTLM
  const key = login(ADMIN, 'Password01!').key!.bytes
  assert.deepEqual(key, v.ntowfv2)
  const recorded = decode(authenticateMessage, ANATOMY.authenticate)
  assert.deepEqual(decode(challengeMessage, ANATOMY.challenge).serverChallenge, v.serverChallenge)
  assert.deepEqual(hmacMd5(key, v.serverChallenge, recorded.ntResponse.subarray(16)), v.ntProof)
  assert.deepEqual(hmacMd5(key, v.ntProof), v.keyExchangeKey)
  assert.deepEqual(new Rc4(v.keyExchangeKey).apply(recorded.sessionKey), v.sessionKey)
  const unsigned = Buffer.from(ANATOMY.authenticate).fill(0, MIC_AT, MIC_AT + 16)
  assert.deepEqual(hmacMd5(v.sessionKey, ANATOMY.negotiate, ANATOMY.challenge, unsigned), v.mic)
})

test('the proof libsmb2 computes over its challenge is ours', () => {
  const { serverChallenge } = decode(challengeMessage, vectors.LIBSMB2_CHALLENGE)
  const { ntResponse, ...theirs } = decode(authenticateMessage, vectors.LIBSMB2_AUTHENTICATE)
  const key = login(theirs, 'Password').key!.bytes
  const proof = hmacMd5(key, serverChallenge, ntResponse.subarray(16))
  assert.equal(proof.toString('hex'), '961bfb56517cdb5b5262649281f3017e')
  assert.equal(hmacMd5(key, proof).toString('hex'), '2f4b891439889f06b009c113e95e8a3d')
})

test('the mechListMICs of the published login are made and accepted, and no other', () => {
  const v = vectors.ANATOMY_NTLM
  assert.deepEqual(ntlmSigningKey(v.sessionKey, 'client-to-server'), v.clientSign)
  assert.deepEqual(ntlmSealingKey(v.sessionKey, 'client-to-server', 0xe2888215), v.clientSeal)
  assert.deepEqual(ntlmSigningKey(v.sessionKey, 'server-to-client'), v.serverSign)
  assert.deepEqual(ntlmSealingKey(v.sessionKey, 'server-to-client', 0xe2888215), v.serverSeal)
  const mac = (): NtlmMac => new NtlmMac(v.sessionKey, 0xe2888215)
  assert.deepEqual(mac().sign(v.mechTypes), v.clientMic)
  assert.equal(mac().verify(v.mechTypes, v.serverMic), true)
  assert.equal(mac().verify(v.mechTypes, v.clientMic), false)
  assert.equal(mac().verify(v.mechTypes, v.serverMic.subarray(0, 15)), false)
  for (let bit = 0; bit < 128; bit++) {
    const changed = Buffer.from(v.serverMic)
    changed[bit >> 3]! ^= 1 << (bit & 7)
    assert.equal(mac().verify(v.mechTypes, changed), false)
  }
})

test('the client answers the published challenge as Windows did', () => {
  const v = vectors.ANATOMY_NTLM
  const theirs = decode(authenticateMessage, ANATOMY.authenticate)
  const chance = { clientChallenge: theirs.ntResponse.subarray(32, 40), exportedSessionKey: Buffer.from(v.sessionKey), time: 0n }
  const client = new NtlmClient(login(ADMIN, 'Password01!'), 'SUT311', chance)
  const token = client.authenticate(ANATOMY.challenge)
  const ours = decode(authenticateMessage, token)
  const { ntResponse, mic, sessionKey } = ours
  const theirResponse = theirs.ntResponse
  for (const field of ['flags', 'domain', 'user', 'workstation', 'lmResponse'] as const) assert.deepEqual(ours[field], theirs[field])

  // the same blob but for MsvAvSingleHost and the zeros at the end
  assert.deepEqual(ntResponse.subarray(16, 44), theirResponse.subarray(16, 44))
  const MSV_AV_SINGLE_HOST = 8
  const pairs = decode(avPairs, theirResponse.subarray(44)).filter(({ id }) => id !== MSV_AV_SINGLE_HOST)
  assert.deepEqual(decode(avPairs, ntResponse.subarray(44)), pairs)

  const proof = hmacMd5(v.ntowfv2, v.serverChallenge, ntResponse.subarray(16))
  assert.deepEqual(ntResponse.subarray(0, 16), proof)
  assert.deepEqual(new Rc4(hmacMd5(v.ntowfv2, proof)).apply(sessionKey), v.sessionKey)
  assert.deepEqual(hmacMd5(v.sessionKey, client.negotiate, ANATOMY.challenge, Buffer.from(token).fill(0, MIC_AT, MIC_AT + 16)), mic)
  assert.deepEqual(client.sessionKey, v.sessionKey)
})

test('a server that does not tell its time gets LMv2, our time and no MIC', () => {
  const chance = { clientChallenge: Buffer.alloc(8, 0xaa), exportedSessionKey: Buffer.alloc(16, 0x55), time: 0x01d518cc4eb24a80n }
  const token = new NtlmClient(login(NLMP, 'Password'), 'srv', chance).authenticate(vectors.NLMP_CHALLENGE)
  const { lmResponse, ntResponse, mic, flags } = decode(authenticateMessage, token)
  assert.deepEqual(lmResponse, vectors.NLMP_4_2.lmv2)
  assert.equal(mic, undefined)
  assert.equal(ntResponse.readBigUInt64LE(24), chance.time)
  assert.equal(
    decode(avPairs, ntResponse.subarray(44))
      .find(({ id }) => id === AV.FLAGS)
      ?.value.readUInt32LE(),
    0,
  )
  assert.equal(flags & NTLM.UNICODE, NTLM.UNICODE)
})

test('without key exchange the session key is the base key, and none is sent', () => {
  const challenge = Buffer.from(vectors.NLMP_CHALLENGE)
  challenge.writeUInt32LE((challenge.readUInt32LE(20) & ~NTLM.KEY_EXCH) >>> 0, 20)
  const client = new NtlmClient(login(NLMP, 'Password'), 'srv')
  const { ntResponse, sessionKey } = decode(authenticateMessage, client.authenticate(challenge))
  assert.equal(sessionKey.length, 0)
  assert.deepEqual(client.sessionKey, hmacMd5(vectors.NLMP_4_2.ntowfv2, ntResponse.subarray(0, 16)))
})

test("our pairs replace the server's own of the same kind and keep its flags", () => {
  const flags = Buffer.from('01000000', 'hex')
  const other = { id: 3, value: Buffer.from('srv', 'utf16le') }
  const made = decode(avPairs, clientPairs([{ id: AV.FLAGS, value: flags }, other, { id: AV.TARGET_NAME, value: flags }], 'h', true))
  assert.deepEqual(made, [
    other,
    { id: AV.FLAGS, value: Buffer.from('03000000', 'hex') },
    { id: AV.CHANNEL_BINDINGS, value: Buffer.alloc(16) },
    { id: AV.TARGET_NAME, value: Buffer.from('cifs/h', 'utf16le') },
  ])
})

test('an anonymous login has an empty NT response, one zero byte for LM and no keys', () => {
  const client = new NtlmClient(Credentials.anonymous(), 'srv')
  const { user, domain, lmResponse, ntResponse, sessionKey, flags } = decode(authenticateMessage, client.authenticate(ANATOMY.challenge))
  assert.deepEqual([user, domain, lmResponse, ntResponse.length, sessionKey.length], ['', '', Buffer.alloc(1), 0, 0])
  assert.notEqual(flags & NTLM.ANONYMOUS, 0)
  assert.equal(client.sessionKey.length, 0)
  assert.equal(client.mac, undefined)
})

test('every challenge is answered or refused with WireError', () => {
  const credentials = login(NLMP, 'Password')
  const answering = { name: 'challenge', put: () => {}, get: (r: { readonly buf: Buffer }) => new NtlmClient(credentials, 'srv').authenticate(r.buf) }
  decodesOrRefuses(answering, ANATOMY.challenge)
  for (let length = 0; length < ANATOMY.challenge.length; length++) {
    assert.throws(() => answering.get({ buf: ANATOMY.challenge.subarray(0, length) }), WireError)
  }
})

test('target info that would not fit the answer is refused', () => {
  const head = Buffer.from(vectors.NLMP_CHALLENGE.subarray(0, 56))
  const value = Buffer.alloc(65000)
  const info = Buffer.concat([Buffer.from([3, 0, 0xe8, 0xfd]), value, Buffer.alloc(4)])
  head.writeUInt16LE(0, 12) // no target name
  head.writeUInt16LE(info.length, 40)
  head.writeUInt32LE(56, 44)
  assert.throws(() => new NtlmClient(login(NLMP, 'Password'), 'srv').authenticate(Buffer.concat([head, info])), WireError)
})

test('wipe zeroes the session key', () => {
  const client = new NtlmClient(login(NLMP, 'Password'), 'srv')
  client.authenticate(ANATOMY.challenge)
  const key = client.sessionKey
  assert.notDeepEqual(key, Buffer.alloc(16))
  client.wipe()
  assert.deepEqual(key, Buffer.alloc(16))
})
