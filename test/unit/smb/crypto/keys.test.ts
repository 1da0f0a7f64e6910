import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applicationKey, cipherKeys, kdf, signingKey } from '../../../../src/smb/crypto/keys.ts'
import { PreauthHash } from '../../../../src/smb/crypto/preauth.ts'
import * as vectors from '../../../vectors/vectors.ts'

const LOGIN = [
  vectors.ANATOMY_NEGOTIATE_REQUEST,
  vectors.ANATOMY_NEGOTIATE_RESPONSE,
  vectors.ANATOMY_SETUP_REQUEST_1,
  vectors.ANATOMY_SETUP_RESPONSE_1,
  vectors.ANATOMY_SETUP_REQUEST_2,
]

test('the counter KDF gives the values other clients have', () => {
  for (const { key, suffix, result } of vectors.KDF) {
    // label, its NUL, the separating NUL, 64 bytes of context, the length in bits
    const label = suffix.subarray(0, suffix.length - 64 - 4 - 1).toString('latin1')
    const context = suffix.subarray(suffix.length - 64 - 4, -4)
    assert.deepEqual(kdf(key, label, context), result)
  }
})

test('the preauth hash has the published value after each message', () => {
  const hash = new PreauthHash()
  for (const [i, message] of LOGIN.entries()) {
    hash.update(message)
    assert.equal(hash.value.toString('hex'), vectors.ANATOMY_HASHES[i])
  }
})

test('a fork of the preauth hash goes its own way', () => {
  const connection = new PreauthHash()
  connection.update(LOGIN[0]!)
  const session = connection.fork()
  session.update(LOGIN[1]!)
  assert.equal(connection.value.toString('hex'), vectors.ANATOMY_HASHES[0])
  assert.equal(session.value.toString('hex'), vectors.ANATOMY_HASHES[1])
})

test('3.1.1 derives the published keys from session key and preauth hash', () => {
  const source = { sessionKey: vectors.ANATOMY_NTLM.sessionKey, preauth: Buffer.from(vectors.ANATOMY_HASHES[4] ?? '', 'hex') }
  assert.deepEqual(signingKey(source), vectors.ANATOMY_KEYS.signing)
  assert.deepEqual(cipherKeys(source, 128), { toServer: vectors.ANATOMY_KEYS.toServer, fromServer: vectors.ANATOMY_KEYS.fromServer })
  assert.deepEqual(applicationKey(source), vectors.ANATOMY_KEYS.application)
  const channel2 = { sessionKey: vectors.ANATOMY_KEYS.channel2SessionKey, preauth: vectors.ANATOMY_CHANNEL_2_HASH }
  assert.deepEqual(signingKey(channel2), vectors.ANATOMY_KEYS.channel2Signing)
})

test('256-bit ciphers get keys of 32 bytes', () => {
  // section P, smb311_enc_ccm256 and smb311_enc_gcm256
  const recorded = [
    [
      '32a7833eec91b564efbe7e8e96d9373a',
      'fd67e26d5ce8bd561b9f455c08f2e7ea601cf06f861506d2aec74c9605a0ff69ac0cfce308a4cd458c6d0c617733531ba5082527382b9aca99412d39329ffc41',
      '287f351c755cc3a5cd4ba6afd86666c65415ea7ea1c9b2ab02f2081ef0863eaf',
      '5b8ccfa13376085966950dcfcb8e4020e2ab53d65f3f0a6d20be3aa15891b069',
    ],
    [
      '53a51bbd6f99ffc763be13197004c16e',
      '82c42e63f68107ccc3f003696c18eb8c847d404f26649b712e501d14fac0db8329b8897ba3b10f31fdb4bf7c3af23ffed219329e3f50ba02e0ef17c930e866f2',
      '701be811d01f9c6626996ce66007dafac34dbc3cca7ca0f73edce45820cc4dd1',
      '4097de0ec39ae475b80bacd3175ff4b20578ea9fa1d3644ce4c83d2cf511c8d7',
    ],
  ].map(row => row.map(value => Buffer.from(value, 'hex')))
  for (const [sessionKey, preauth, toServer, fromServer] of recorded) {
    assert.deepEqual(cipherKeys({ sessionKey: sessionKey!, preauth }, 256), { toServer, fromServer })
  }
})

test('3.0 derives the published keys from the session key alone', () => {
  for (const { sessionKey, signing, toServer, fromServer, application } of vectors.SMB30_KEYS) {
    const source = { sessionKey, preauth: undefined }
    if (signing !== undefined) assert.deepEqual(signingKey(source), signing)
    if (toServer !== undefined) assert.deepEqual(cipherKeys(source, 128), { toServer, fromServer })
    if (application !== undefined) assert.deepEqual(applicationKey(source), application)
  }
})
