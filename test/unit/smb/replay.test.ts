// The recorded conversations once more, with our client in the place of the one that was recorded.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test, type TestContext } from 'node:test'
import { asError, NbtrunError } from '../../../src/base/errors.ts'
import { decode } from '../../../src/base/wire.ts'
import { Credentials } from '../../../src/smb/auth/credentials.ts'
import { NtlmClient } from '../../../src/smb/auth/ntlm.ts'
import { authenticateMessage } from '../../../src/smb/auth/ntlm-messages.ts'
import { Secret } from '../../../src/smb/auth/secret.ts'
import type { SecurityContext } from '../../../src/smb/auth/spnego.ts'
import { Connection } from '../../../src/smb/smb2/connection.ts'
import { PreauthHash } from '../../../src/smb/crypto/preauth.ts'
import { sealerFor } from '../../../src/smb/crypto/sealer.ts'
import { signerFor } from '../../../src/smb/crypto/signer.ts'
import { Session } from '../../../src/smb/smb2/session.ts'
import type { Smb2Dialect } from '../../../src/smb/smb2/dialect.ts'
import { commandName, FLAG, header } from '../../../src/smb/smb2/header.ts'
import { negotiateRequest } from '../../../src/smb/smb2/negotiate.ts'
import { isSealed } from '../../../src/smb/smb2/transform.ts'
import type { Transport } from '../../../src/smb/transport.ts'
import { Tree } from '../../../src/smb/smb2/tree.ts'
import { RECORDED } from '../../vectors/vectors.ts'

type Name = keyof typeof RECORDED

interface Line {
  readonly from: 'C' | 'S'
  readonly bytes: Buffer
}

function linesOf(name: Name): readonly Line[] {
  const lines = JSON.parse(readFileSync(new URL(`../../vectors/${name}.json`, import.meta.url), 'utf8')) as ['C' | 'S', string][]
  return lines.filter(([, hex]) => hex !== 'FIN').map(([from, hex]) => ({ from, bytes: Buffer.from(hex, 'hex').subarray(4) }))
}

const hex = (text: string): Buffer => Buffer.from(text, 'hex')

/** Answers the n-th request with what the recorded server said to the n-th of the recorded client. */
class Tape implements Transport {
  readonly kind = 'tcp'
  readonly port = 445
  readonly address = '192.0.2.1'
  readonly backlog = 0
  readonly heardAt = 0
  readonly sent: Buffer[] = []
  finished = false
  readonly #answers: Buffer[][] = []
  #onFrame: (frame: Buffer) => void = () => {}
  #onEnd: (error: NbtrunError | undefined) => void = () => {}

  constructor(lines: readonly Line[]) {
    for (const { from, bytes } of lines) {
      if (from === 'C') this.#answers.push([])
      else this.#answers.at(-1)!.push(Buffer.from(bytes))
    }
  }

  start(onFrame: (frame: Buffer) => void, onEnd: (error: NbtrunError | undefined) => void): void {
    this.#onFrame = onFrame
    this.#onEnd = onEnd
  }
  send(parts: readonly Buffer[]): void {
    this.sent.push(Buffer.concat(parts))
    for (const frame of this.#answers[this.sent.length - 1] ?? []) setImmediate(() => this.#onFrame(frame))
  }
  keepAlive(): void {}
  async finish(): Promise<void> {
    this.finished = true
    this.#onEnd(undefined)
  }
  destroy(): void {
    this.finished = true
  }
}

/** The recorded client sent NTLM without SPNEGO, and chose what ours is given as its chance. */
function bareNtlm(name: Name, lines: readonly Line[]): SecurityContext {
  const authenticate = lines.map(({ bytes }) => bytes.subarray(bytes.indexOf('NTLMSSP\0'))).filter(b => b.length > 12 && b.readUInt32LE(8) === 3)[0]!
  const { ntResponse } = decode(authenticateMessage, authenticate)
  const chance = { clientChallenge: ntResponse.subarray(32, 40), exportedSessionKey: hex(RECORDED[name].sessionKey), time: 0n }
  const credentials = Credentials.fromPassword({ user: 'root', domain: '', workstation: 'VM' }, Secret.fromText('root1'))
  const ntlm = new NtlmClient(credentials, '127.0.0.1', chance)
  return {
    first: () => ntlm.negotiate,
    step: token => ntlm.authenticate(token),
    get sessionKey() {
      return ntlm.sessionKey
    },
    finish: () => {},
    wipe: () => ntlm.wipe(),
  }
}

/**
 * 3.1.1 hashes the requests of the login, and ours differ from the recorded ones in what they ask for (credits, capabilities): the hash is made over the
 * recorded messages instead, one for one.
 */
function hashRecorded(t: TestContext, lines: readonly Line[]): void {
  const update = Object.getOwnPropertyDescriptor(PreauthHash.prototype, 'update')!.value as (this: PreauthHash, message: Uint8Array) => void
  let n = 0
  t.mock.method(PreauthHash.prototype, 'update', function (this: PreauthHash) {
    update.call(this, lines[n++]!.bytes)
  })
}

interface Played {
  readonly tape: Tape
  readonly connection: Connection
  readonly session: Session
  readonly text: string
  readonly ciphers: readonly (string | undefined)[]
}

/** What the recorded client did, done by ours. */
async function play(t: TestContext, name: Name, lines: readonly Line[] = linesOf(name)): Promise<Played> {
  const { clientGuid, dialects } = decode(negotiateRequest, lines[0]!.bytes.subarray(64))
  const dialect = (['2.0.2', '2.1', '3.0', '3.0.2', '3.1.1'] as const)[[0x202, 0x210, 0x300, 0x302, 0x311].indexOf(dialects[0]!)] as Smb2Dialect
  hashRecorded(t, lines)
  const tape = new Tape(lines)
  const terms = { minDialect: dialect, maxDialect: dialect, requireEncryption: 'sealed' in RECORDED[name] }
  const connection = await Connection.negotiate(tape, { host: '127.0.0.1', ioTimeoutMs: 5000, clientGuid, ...terms })
  const session = await Session.setup(connection, bareNtlm(name, lines), { who: 'root' })
  const tree = await Tree.connect(session, 'DATA')
  const ipc = await Tree.connect(session, 'IPC$')
  const file = await tree.open('hello.txt', { read: true })
  const text = (await file.read(0, 6)).toString()
  await session.echo(5000)
  const ends = [await file.close(), await tree.close(), await ipc.close(), await session.close(), await connection.close()]
  for (const end of ends) if (end.how !== 'clean') throw asError(end.error)
  return { tape, connection, session, text, ciphers: [tree.cipher, ipc.cipher] }
}

for (const name of Object.keys(RECORDED) as Name[]) {
  const expected = RECORDED[name]
  const sealed = 'sealed' in expected ? expected.sealed : undefined

  describe(`against the server of ${name}`, () => {
    test('our client negotiates, logs in, reads the file and says goodbye', async t => {
      const { tape, connection, text, ciphers } = await play(t, name)
      assert.equal(text, 'hello\n')
      assert.equal(`smb${connection.dialect.replaceAll('.', '').padEnd(3, '0')}`, name.slice(0, 6))
      assert.equal(connection.signing, expected.algorithm)
      assert.deepEqual(ciphers, [sealed?.cipher, sealed?.cipher])
      assert.equal(tape.finished, true)
    })

    test('each of our requests is the recorded one’s like, under the recorded keys', async t => {
      const lines = linesOf(name).filter(({ from }) => from === 'C')
      const { tape } = await play(t, name)
      const signer = signerFor(expected.algorithm, hex(expected.signingKey))
      /** The server's side of it: opens what comes from the client. */
      const server = sealed === undefined ? undefined : sealerFor(sealed.cipher, { toServer: hex(sealed.fromServer), fromServer: hex(sealed.toServer) })
      const open = (frame: Buffer): Buffer => (isSealed(frame) ? server!.open(frame) : frame)
      const likeness = (frame: Buffer): unknown[] => {
        const { command, charge, messageId, treeId, sessionId, flags } = decode(header, open(frame))
        return [commandName(command), isSealed(frame), command < 2 ? 0 : charge, messageId, treeId, sessionId, isSealed(frame) ? 0 : flags & FLAG.SIGNED]
      }
      assert.deepEqual(tape.sent.map(likeness), lines.map(({ bytes }) => bytes).map(likeness))
      for (const frame of tape.sent) if (!isSealed(frame) && frame.readUInt32LE(16) & FLAG.SIGNED) assert.equal(signer.verify(frame), true)
    })

    test('the keys of the session are gone with it', async t => {
      const { connection, session } = await play(t, name)
      assert.equal(connection.sealers.size, 0)
      assert.throws(() => session.signer!.sign(Buffer.alloc(64)), { code: 'CLOSED' })
      assert.equal(session.sealer === undefined, connection.cipher === undefined)
      if (session.sealer !== undefined) assert.throws(() => session.sealer!.seal(1n, Buffer.alloc(64)), { code: 'CLOSED' })
    })

    test('a bit flipped in any protected answer ends it with BAD_SIGNATURE or WIRE', async t => {
      const lines = linesOf(name)
      let tried = 0
      for (const [at, { from, bytes }] of lines.entries()) {
        if (from === 'C' || !(isSealed(bytes) || bytes.readUInt32LE(16) & FLAG.SIGNED)) continue
        const place = isSealed(bytes) ? 20 + ((7 * at) % (bytes.length - 20)) : 48 + ((7 * at) % (bytes.length - 48))
        const flipped = lines.map(({ from: who, bytes: b }, i) => ({ from: who, bytes: i === at ? Buffer.from(b) : b }))
        flipped[at]!.bytes[place]! ^= 1 << (at % 8)
        await assert.rejects(play(t, name, flipped), (thrown: unknown) => {
          assert.ok(thrown instanceof NbtrunError)
          assert.match(thrown.code, /^(BAD_SIGNATURE|WIRE|DOWNGRADE)$/, `byte ${place} of line ${at}: ${thrown.message}`)
          return true
        })
        t.mock.restoreAll()
        tried++
      }
      assert.ok(tried > 8)
    })
  })
}
