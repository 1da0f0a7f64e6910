// Recorded SMB1 conversations once more, with our client in the place of the one that was recorded.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asError } from '../../../../src/base/errors.ts'
import { Credentials } from '../../../../src/smb/auth/credentials.ts'
import { Secret } from '../../../../src/smb/auth/secret.ts'
import { negotiate } from '../../../../src/smb/negotiate.ts'
import { Connection } from '../../../../src/smb/smb1/connection.ts'
import { COMMAND } from '../../../../src/smb/smb1/header.ts'
import { Session } from '../../../../src/smb/smb1/session.ts'
import { Smb1Signer } from '../../../../src/smb/smb1/signer.ts'
import { type Line, linesOf, SIGNED, Tape } from './recorded.ts'

const OPTIONS = { host: '127.0.0.1', ioTimeoutMs: 5000, minDialect: 'NT1', maxDialect: 'NT1' } as const
const root = (): Credentials => Credentials.fromPassword({ user: 'root', domain: '', workstation: 'VM' }, Secret.fromText('root1'))
const command = (message: Buffer): string => Object.entries(COMMAND).find(([, number]) => number === message[4])?.[0] ?? 'unknown'

async function logIn(tape: Tape, chance: { clientChallenge: Buffer; exportedSessionKey: Buffer }): Promise<Session> {
  const connection = await negotiate(tape, OPTIONS)
  assert.ok(connection instanceof Connection)
  return Session.setup(connection, root(), { who: 'root' }, { ...chance, time: 0n })
}

/** What smbclient did, done by ours: every answer is the recorded one, with its signature. */
async function playSigned(lines: readonly Line[]): Promise<{ tape: Tape; text: string; signing: string | undefined }> {
  const tape = new Tape(lines)
  const session = await logIn(tape, { clientChallenge: SIGNED.clientChallenge, exportedSessionKey: Buffer.from(SIGNED.sessionKey) })
  const ipc = await session.connect('IPC$')
  // smbclient asked for a DFS referral here, which was refused
  await ipc.volume().catch((thrown: unknown) => {
    const error = asError(thrown)
    if (error.facts['status'] !== 0xc000_0225) throw error
  })
  if (!session.connection.isOpen) throw asError((await session.connection.closed).error)
  for (const { how, error } of [await ipc.close()]) if (how !== 'clean') throw asError(error)
  const tree = await session.connect('DATA')
  const file = await tree.open('hello.txt', { read: true })
  const text = (await file.read(0, 6)).toString()
  for (const { how, error } of [await file.close(), await tree.close()]) if (how !== 'clean') throw asError(error)
  return { tape, text, signing: session.signing }
}

test('smb1_ntlmssp_signed: our client logs in from the password, verifies every answer and reads the file', async () => {
  const lines = linesOf('smb1_ntlmssp_signed')
  const { tape, text, signing } = await playSigned(lines)
  assert.deepEqual([text, signing], ['hello\n', 'MD5'])
  assert.deepEqual(
    tape.sent.map(command),
    lines.filter(({ from }) => from === 'C').map(({ bytes }) => command(bytes)),
  )
})

test('smb1_ntlmssp_signed: our requests are signed with the recorded key, from number 2 on', async () => {
  const { tape } = await playSigned(linesOf('smb1_ntlmssp_signed'))
  const signer = new Smb1Signer(Buffer.from(SIGNED.sessionKey))
  for (const [i, message] of tape.sent.slice(3).entries()) assert.ok(signer.verify(message, 2 + 2 * i), command(message))
})

test('smb1_ntlmssp_signed: every flipped bit in a signed answer ends the connection', async () => {
  const lines = linesOf('smb1_ntlmssp_signed')
  const answers = lines.flatMap(({ from }, i) => (from === 'S' ? [i] : [])).slice(2) // the login's last answer is the first that is signed
  for (const index of answers) {
    const { bytes } = lines[index]!
    for (let bit = 0; bit < 8 * bytes.length; bit += 1 + (bit > 8 * 48 ? 12 : 0)) {
      const changed = Buffer.from(bytes)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      const meddled = lines.map((line, i) => (i === index ? { ...line, bytes: changed } : line))
      const what = `bit ${bit & 7} of byte ${bit >> 3} in the answer to ${command(bytes)}`
      const thrown = await playSigned(meddled).then(
        () => assert.fail(`${what} was taken`),
        (error: unknown) => asError(error),
      )
      if (index !== answers[0]) assert.ok(['BAD_SIGNATURE', 'WIRE'].includes(thrown.code), `${what}: ${thrown.code} ${thrown.message}`)
    }
  }
})

test('smb1_ntlmssp_unsigned_logoff: our client is taken for the recorded one, and says goodbye in its order', async () => {
  const tape = new Tape(linesOf('smb1_ntlmssp_unsigned_logoff'), { renumber: true })
  const session = await logIn(tape, { clientChallenge: Buffer.alloc(8, 1), exportedSessionKey: Buffer.alloc(16, 2) })
  assert.equal(session.signing, undefined)
  const left = await session.connect('DATA') // the recorded client never gave it back
  left.abort(new Error('left'))
  const tree = await session.connect('DATA')
  const found = { setup: [1], parameters: Buffer.alloc(2), maxParameters: 10, maxData: 1024 }
  assert.equal((await tree.transact('TRANSACTION2', found, 'listing')).data.readUInt32LE(0), 0x60)
  const ends = [await tree.close(), await session.close()]
  assert.deepEqual(
    ends.map(({ how }) => how),
    ['clean', 'clean'],
  )
  assert.deepEqual([tree.farewell, session.farewell], ['STATUS_SUCCESS', 'STATUS_SUCCESS'])
  assert.deepEqual(tape.sent.slice(-2).map(command), ['TREE_DISCONNECT', 'LOGOFF_ANDX'])
  session.connection.abort(new Error('done'))
})
