import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { Credentials } from '../../../../src/smb/auth/credentials.ts'
import { Secret } from '../../../../src/smb/auth/secret.ts'
import * as vectors from '../../../vectors/vectors.ts'

const ADMIN = { user: 'administrator', domain: 'SUT311', workstation: '' }

test('deriving the key wipes the password', () => {
  const bytes = Buffer.from('Password01!', 'utf16le')
  const password = new Secret(bytes)
  const credentials = Credentials.fromPassword(ADMIN, password)
  assert.deepEqual(credentials.key?.bytes, vectors.ANATOMY_NTLM.ntowfv2)
  assert.deepEqual(bytes, Buffer.alloc(bytes.length))
  assert.throws(() => password.bytes, { code: 'CLOSED' })
})

test('wiping the credentials zeroes the key', () => {
  const credentials = Credentials.fromPassword(ADMIN, Secret.fromText('Password01!'))
  const key = credentials.key!.bytes
  credentials.wipe()
  credentials.wipe()
  assert.deepEqual(key, Buffer.alloc(16))
  assert.throws(() => credentials.key?.bytes, { code: 'CLOSED' })
})

test('a password read as UTF-8 is the same password, and its bytes are zeroed', () => {
  const bytes = Buffer.from('pä§s€𝄞')
  const secret = Secret.fromUtf8(bytes)
  assert.deepEqual(secret.bytes, Buffer.from('pä§s€𝄞', 'utf16le'))
  assert.deepEqual(bytes, Buffer.alloc(bytes.length))
  assert.equal(Secret.fromUtf8(Buffer.alloc(0)).bytes.length, 0)
})

test('a secret shows nothing when it is printed', () => {
  const credentials = Credentials.fromPassword(ADMIN, Secret.fromText('Password01!'))
  const hex = vectors.ANATOMY_NTLM.ntowfv2.toString('hex')
  for (const shown of [JSON.stringify(credentials), inspect(credentials, { depth: 9, showHidden: true })]) {
    assert.ok(!shown.replace(/[^0-9a-f]/g, '').includes(hex.slice(0, 12)), shown)
  }
})

test('the user name is upper-cased letter by letter, the domain not at all', () => {
  const hash = Buffer.from('8846f7eaee8fb117ad06bdd830b7586c', 'hex') // of "password"
  const key = (text: string): Buffer => createHmac('md5', hash).update(Buffer.from(text, 'utf16le')).digest()
  const derived = (user: string, domain: string): Buffer | undefined =>
    Credentials.fromPassword({ user, domain, workstation: '' }, Secret.fromText('password')).key?.bytes
  assert.deepEqual(derived('alice', 'Dom'), key('ALICEDom'))
  assert.deepEqual(derived('jürgen.weiß', ''), key('JÜRGEN.WEIß'))
})
