// A run's LOGOFF and FIN never reach the server: the session is left there, and whoever asks afterwards finds it.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, test } from 'node:test'
import { execa } from 'execa'
import type { Receipt } from '../../src/run/receipt.ts'
import { connect } from '../../src/smb/index.ts'
import { COMMAND } from '../../src/smb/smb2/header.ts'
import { STATUS } from '../../src/smb/status.ts'
import { type Lab, startLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { field, type Meddler, proxy, type Proxy } from './proxy.ts'

/** Keeps the first connection's LOGOFF, and its FIN after that, from the server. */
function swallowing(): Meddler {
  let swallowed = false
  return {
    fromClient(frame, { client }) {
      if (swallowed || field.command(frame) !== COMMAND.LOGOFF) return frame
      swallowed = true
      client.removeAllListeners('end')
      return undefined
    },
  }
}

describe('a session that was left on the server', { skip: noLab, timeout: 800_000 }, () => {
  let lab: Lab
  const folder = mkdtempSync(join(tmpdir(), 'nbtrun-left-'))
  before(async () => {
    lab = await startLab({ servers: { srv: { global: ['admin users = boss'] } }, clients: [] })
  })
  afterEach(() => lab.server().untilSessions(0)) // the relay ended the connections, and the server finds out
  after(() => {
    lab.dispose()
    rmSync(folder, { recursive: true })
  })

  async function run({ port }: Proxy, options: readonly string[], as: 'alice' | 'boss' = 'alice'): Promise<{ receipt: Receipt; stderr: string }> {
    const file = join(folder, 'receipt.json')
    const own = ['--share', '//127.0.0.1/app', '--port', String(port), '--mapping', 'none', '--grace', '0', '--receipt', file]
    const words = [...own, '--auth-file', lab.authFile(as), '--teardown-timeout', '4s', ...options, '--', 'true']
    const { stderr } = await execa(join(import.meta.dirname, '..', '..', 'bin', 'nbtrun.js'), words, { reject: false, timeout: 60_000 })
    return { receipt: JSON.parse(readFileSync(file, 'utf8')) as Receipt, stderr }
  }
  const leaky = (): Promise<Proxy> => proxy({ host: lab.server().address, port: 445 }, swallowing())
  const users = async (): Promise<string[]> => (await lab.server().sessions()).map(({ user }) => user).sort()

  test('is found by the proof, without anybody’s rights', async () => {
    await using between = await leaky()
    const { receipt, stderr } = await run(between, ['--verify'])
    assert.deepEqual([receipt.end, receipt.verified, receipt.verification], ['forced', false, '127.0.0.1 still has the session'])
    assert.match(stderr, /127\.0\.0\.1 still has the session/)
    assert.deepEqual(await users(), ['alice'])
  })

  test('is found by the list, where the dialect knows no proof', async () => {
    await using between = await leaky()
    const { receipt } = await run(between, ['--verify', '--max-dialect', '2.1', '--admin-auth-file', lab.authFile('boss')])
    assert.deepEqual([receipt.verified, receipt.verification], [false, '127.0.0.1 lists the session still'])
    assert.deepEqual(await users(), ['alice'])
  })

  test('is ended by --verify=end, and it alone', async () => {
    await using between = await leaky()
    const bob = await connect(lab.server().address, { user: 'bob', password: lab.password('bob'), domain: 'LAB' })
    const { receipt } = await run(between, ['--verify=end', '--admin-auth-file', lab.authFile('boss')])
    assert.deepEqual([receipt.verified, receipt.verification], [true, '127.0.0.1 still had the session and has ended it'])
    assert.deepEqual(await users(), ['bob'])
    await bob.close()
  })

  test('is not ended while its user has another one from here', async () => {
    await using between = await leaky()
    const other = await connect(lab.server().address, { user: 'alice', password: lab.password('alice'), domain: 'LAB' })
    const { receipt } = await run(between, ['--verify=end', '--admin-auth-file', lab.authFile('boss')])
    assert.equal(receipt.verified, false)
    assert.match(receipt.verification ?? '', /^127\.0\.0\.1 still has the session, and .*(2 sessions of LAB\/alice fit|has 1 more from here)/)
    assert.deepEqual(await users(), ['alice', 'alice'])
    await other.close()
  })

  test('is not ended by its own user, who is an administrator: that would end who asks', async () => {
    await using between = await leaky()
    const { receipt } = await run(between, ['--verify=end', '--admin-auth-file', lab.authFile('boss')], 'boss')
    assert.equal(receipt.verified, false)
    assert.deepEqual(await users(), ['boss'])
  })

  for (const [what, meddle, why] of [
    [
      'a server that binds no sessions, whichever it has',
      // as Windows does without multi-channel: [MS-SMB2] 3.3.5.5
      (frame: Buffer) => (field.status(frame) === STATUS.USER_SESSION_DELETED ? restated(frame, STATUS.REQUEST_NOT_ACCEPTED) : frame),
      /^whether 127\.0\.0\.1 has the session is not known: .* answers a request for the session with STATUS_REQUEST_NOT_ACCEPTED$/,
    ],
    [
      'one that refuses to be asked',
      (frame: Buffer) => (field.status(frame) === STATUS.USER_SESSION_DELETED ? restated(frame, STATUS.ACCESS_DENIED) : frame),
      /^whether 127\.0\.0\.1 has the session is not known: .* answers a request for the session with STATUS_ACCESS_DENIED$/,
    ],
    [
      'one that said goodbye and hangs then',
      (frame: Buffer, connection: number) => (connection === 1 ? undefined : frame),
      /^whether 127\.0\.0\.1 has the session is not known: what served it on 127\.0\.0\.1 hangs since it was ended$/,
    ],
    [
      'one that says nothing to anybody then',
      (frame: Buffer, connection: number) => (connection > 0 ? undefined : frame),
      /^whether 127\.0\.0\.1 has the session is not known: (waiting for the answer to NEGOTIATE|asking 127\.0\.0\.1 for the session) took longer than/,
    ],
  ] as const)
    test(`is not made up: of ${what}, nothing is known`, async () => {
      const connections: unknown[] = []
      const meddler: Meddler = {
        fromServer(frame, { client }) {
          if (!connections.includes(client)) connections.push(client)
          return meddle(frame, connections.indexOf(client))
        },
      }
      {
        await using between = await proxy({ host: lab.server().address, port: 445 }, meddler)
        const { receipt } = await run(between, ['--verify'])
        assert.deepEqual([receipt.end, receipt.verified], ['acknowledged', null])
        assert.match(receipt.verification ?? '', why)
      }
    })

  function restated(frame: Buffer, status: number): Buffer {
    frame.writeUInt32LE(status, 8)
    return frame
  }
})
