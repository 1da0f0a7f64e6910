import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { NbtrunError } from '../../../../src/base/errors.ts'
import { decode } from '../../../../src/base/wire.ts'
import { Credentials } from '../../../../src/smb/auth/credentials.ts'
import { hmacMd5, NtlmClient } from '../../../../src/smb/auth/ntlm.ts'
import { authenticateMessage, avPairs, challengeMessage, MIC_AT } from '../../../../src/smb/auth/ntlm-messages.ts'
import { Secret } from '../../../../src/smb/auth/secret.ts'
import { cipherKeys, signingKey } from '../../../../src/smb/crypto/keys.ts'
import { PreauthHash } from '../../../../src/smb/crypto/preauth.ts'
import { Rc4 } from '../../../../src/smb/crypto/rc4.ts'
import { sealerFor } from '../../../../src/smb/crypto/sealer.ts'
import { signerFor } from '../../../../src/smb/crypto/signer.ts'
import { requireAuthentic } from '../../../../src/smb/smb2/authentic.ts'
import type { Call } from '../../../../src/smb/smb2/exchange.ts'
import { COMMAND, commandName, type CommandName, FLAG, header } from '../../../../src/smb/smb2/header.ts'
import { messagesIn } from '../../../../src/smb/smb2/inbound.ts'
import { isSealed } from '../../../../src/smb/smb2/transform.ts'
import { empty } from '../../../../src/smb/smb2/tree-connect.ts'
import { STATUS } from '../../../../src/smb/status.ts'
import { RECORDED } from '../../../vectors/vectors.ts'

/** Whole logins and what followed, between smbprotocol and Samba 4.17: user root, password root1. */
for (const [name, expected] of Object.entries(RECORDED)) {
  const messages = readMessages(name)
  const { negotiate, challenge, authenticate } = ntlmOf(messages)
  const credentials = Credentials.fromPassword({ user: 'root', domain: '', workstation: 'VM' }, Secret.fromText('root1'))

  describe(`the recorded conversation ${name}`, () => {
    test('the session key follows from the password', () => {
      const { sessionKey, proof, mic } = readLogin()
      assert.deepEqual(decode(authenticateMessage, authenticate).ntResponse.subarray(0, 16), proof)
      assert.equal(sessionKey.toString('hex'), expected.sessionKey)
      const unsigned = Buffer.from(authenticate).fill(0, MIC_AT, MIC_AT + 16)
      assert.deepEqual(hmacMd5(sessionKey, negotiate, challenge, unsigned), mic)
    })

    test('our client would have logged in the same way', () => {
      const { sessionKey, theirs } = readLogin()
      const chance = { clientChallenge: theirs.ntResponse.subarray(32, 40), exportedSessionKey: Buffer.from(sessionKey), time: 0n }
      const ours = decode(authenticateMessage, new NtlmClient(credentials, '127.0.0.1', chance).authenticate(challenge))
      for (const field of ['user', 'domain', 'workstation', 'lmResponse'] as const) assert.deepEqual(ours[field], theirs[field])
      assert.deepEqual(ours.ntResponse.subarray(16, 44), theirs.ntResponse.subarray(16, 44)) // versions, server's time, our challenge
      const pairs = (response: Buffer): Map<number, string> =>
        new Map(decode(avPairs, response.subarray(44)).map(({ id, value }) => [id, value.toString('hex')]))
      const made = pairs(ours.ntResponse)
      for (const [id, value] of pairs(theirs.ntResponse)) assert.equal(made.get(id), value, `AV_PAIR ${id}`)
    })

    test('the preauth hash and the signing key follow from the session key', () => {
      const { key, preauth } = deriveKey()
      if ('preauth' in expected) assert.equal(preauth?.toString('hex'), expected.preauth)
      assert.equal(key.toString('hex'), expected.signingKey)
    })

    test('every signature is right, and ours would be the same', () => {
      const signer = signerFor(expected.algorithm, deriveKey().key)
      const signed = messages.filter(({ bytes }) => !isSealed(bytes) && bytes.readUInt32LE(16) & FLAG.SIGNED)
      assert.equal(signed.length, expected.signatures)
      for (const { bytes } of signed) {
        assert.equal(signer.verify(bytes), true)
        const again = Buffer.from(bytes).fill(0x11, 48, 64)
        signer.sign(again)
        assert.deepEqual(again, bytes)
      }
    })

    if ('sealed' in expected) {
      const { cipher, messages: count, ...keys } = expected.sealed
      test('every sealed message opens, and ours would be the same with the same nonce', () => {
        const { toServer, fromServer } = sealingKeys()
        assert.deepEqual({ toServer: toServer.toString('hex'), fromServer: fromServer.toString('hex') }, keys)
        const sealed = messages.filter(({ bytes }) => isSealed(bytes))
        assert.equal(sealed.length, count)
        const seen: string[] = []
        for (const { bytes, from } of sealed) {
          const own = from === 'S' ? { toServer, fromServer } : { toServer: fromServer, fromServer: toServer }
          const message = sealerFor(cipher, own).open(bytes)
          const h = decode(header, message)
          seen.push(`${from} ${commandName(h.command)}${h.status === STATUS.PENDING ? ' interim' : ''}`)
          const sender = sealerFor(cipher, { toServer: own.fromServer, fromServer: own.toServer }, () => bytes.subarray(20, 36))
          assert.deepEqual(sender.seal(h.sessionId, message), bytes)
        }
        const both = (...commands: string[]): string[] => commands.flatMap(command => [`C ${command}`, `S ${command}`])
        const validated = name.startsWith('smb302') ? ['IOCTL'] : []
        const reading = seen.includes('S READ interim') ? ['C READ', 'S READ interim', 'S READ'] : both('READ')
        const teardown = both('ECHO', 'CLOSE', 'TREE_DISCONNECT', 'TREE_DISCONNECT', 'LOGOFF')
        assert.deepEqual(seen, [...both('TREE_CONNECT', ...validated, 'TREE_CONNECT', 'CREATE'), ...reading, ...teardown])
      })
    }

    test('every flipped bit of an answer that is signed or sealed is caught', () => {
      const sealer = 'sealed' in expected ? sealerFor(expected.sealed.cipher, sealingKeys()) : undefined
      const signer = signerFor(expected.algorithm, deriveKey().key)
      let bits = 0
      for (const { from, bytes } of messages) {
        const sealed = isSealed(bytes)
        if (from === 'C' || !(sealed || bytes.readUInt32LE(16) & FLAG.SIGNED)) continue
        const { command, messageId, sessionId } = decode(header, sealed ? sealer!.open(bytes) : bytes)
        const call: Call<null> = {
          command: commandName(command) as CommandName,
          codec: empty,
          body: null,
          sessionId,
          ...(sealed ? { sealer: sealer! } : { signer }),
        }
        const sealers = new Map(sealer === undefined ? [] : [[sessionId, sealer]])
        /** What of the frame would be taken for the answer to the request. */
        const taken = (): number[] =>
          [...messagesIn(bytes, sealers)]
            .filter(received => received.header.messageId === messageId)
            .map(received => {
              requireAuthentic(call, received, false)
              return received.header.flags
            })
        assert.equal(taken().length, 1)
        for (let bit = 0; bit < 8 * bytes.length; bit++, bits++) {
          bytes[bit >> 3]! ^= 1 << (bit & 7)
          try {
            // LOGOFF's answer may be unsigned, which the session notes; anything else unsigned is refused
            for (const flags of taken()) assert.ok(command === COMMAND.LOGOFF && !sealed && flags === FLAG.SERVER_TO_REDIR, `bit ${bit} of ${call.command}`)
          } catch (thrown) {
            if (!(thrown instanceof NbtrunError)) throw thrown
            assert.match(thrown.code, /^(BAD_SIGNATURE|WIRE)$/)
          }
          bytes[bit >> 3]! ^= 1 << (bit & 7)
        }
      }
      assert.ok(bits > 5000)
    })
  })

  function readLogin() {
    const theirs = decode(authenticateMessage, authenticate)
    const key = credentials.key!.bytes
    const proof = hmacMd5(key, decode(challengeMessage, challenge).serverChallenge, theirs.ntResponse.subarray(16))
    return { theirs, proof, mic: theirs.mic, sessionKey: new Rc4(hmacMd5(key, proof)).apply(theirs.sessionKey) }
  }

  function sealingKeys(): { toServer: Buffer; fromServer: Buffer } {
    const bits = 'sealed' in expected && expected.sealed.cipher.includes('256') ? 256 : 128
    return cipherKeys({ sessionKey: readLogin().sessionKey, preauth: deriveKey().preauth }, bits)
  }

  function deriveKey(): { key: Buffer; preauth: Buffer | undefined } {
    const { sessionKey } = readLogin()
    const dialect = messages[1]!.bytes.readUInt16LE(64 + 4)
    if (dialect < 0x0300) return { key: sessionKey, preauth: undefined }
    if (dialect < 0x0311) return { key: signingKey({ sessionKey, preauth: undefined }), preauth: undefined }
    const hash = new PreauthHash()
    const lastRequest = messages.findLastIndex(({ from, bytes }) => from === 'C' && bytes.readUInt16LE(12) === COMMAND.SESSION_SETUP)
    for (const { bytes } of messages.slice(0, lastRequest + 1)) hash.update(bytes)
    return { key: signingKey({ sessionKey, preauth: hash.value }), preauth: hash.value }
  }
}

interface Message {
  readonly from: string
  readonly bytes: Buffer
}

function readMessages(name: string): readonly Message[] {
  const lines = JSON.parse(readFileSync(new URL(`../../../vectors/${name}.json`, import.meta.url), 'utf8')) as [string, string][]
  return lines.filter(([, hex]) => hex !== 'FIN').map(([from, hex]) => ({ from, bytes: Buffer.from(hex, 'hex').subarray(4) }))
}

/** The three NTLM messages stand bare at the end of their SESSION_SETUPs. */
function ntlmOf(messages: readonly Message[]): { negotiate: Buffer; challenge: Buffer; authenticate: Buffer } {
  const found = messages.map(({ bytes }) => ({ bytes, at: bytes.indexOf('NTLMSSP\0') })).filter(({ at }) => at > 0)
  const [negotiate, challenge, authenticate] = found.map(({ bytes, at }) => bytes.subarray(at))
  return { negotiate: negotiate!, challenge: challenge!, authenticate: authenticate! }
}
