import assert from 'node:assert/strict'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pause } from '../../src/base/time.ts'
import { type Lab, startLab } from './index.ts'
import { nbtrunReceipt, noLab, type Call, type WithReceipt } from './nbtrun.ts'

/** A session only: no mapping is needed to see whether it is gone. */
const SESSION = ['--mapping', 'none', '--grace', '0']

describe('a verified teardown', { skip: noLab, timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    // a server without multi-channel binds no session to another connection
    const single = { global: ['server multi channel support = no'], shares: { app: ['read only = no'] } }
    lab = await startLab({ servers: { srv: {}, single }, clients: ['client1'] })
  })
  after(() => lab.dispose())

  const run = (options: readonly string[], call: Call & { readonly program?: readonly string[] } = {}): Promise<WithReceipt> =>
    nbtrunReceipt(lab, call.program ?? ['true'], { ...call, options: [...SESSION, ...options] })
  const admin = (user: 'boss' | 'alice' = 'boss'): string[] => ['--admin-auth-file', lab.authFile(user)]

  test('is not asked for: nothing is said', async () => {
    const { receipt } = await run([])
    assert.deepEqual([receipt.verified, receipt.verification], [null, null])
  })

  for (const dialect of ['3.0', '3.0.2', '3.1.1'])
    test(`says verified after a run with SMB ${dialect}, without anybody's rights`, async () => {
      const { code, stderr, receipt } = await run(['--verify', '--max-dialect', dialect])
      assert.deepEqual([code, stderr], [0, ''])
      assert.deepEqual([receipt.shares[0]?.dialect, receipt.verified, receipt.verification], [dialect, true, 'srv says that the session is gone'])
      await lab.server().untilSessions(0)
    })

  test('says verified over port 139 and where everything is encrypted', async () => {
    const { stderr, receipt } = await run(['--verify', '--transport', 'nbt', '--encrypt', '-v'])
    assert.equal(receipt.verified, true)
    assert.match(stderr, /^nbtrun: srv says that the session is gone$/m)
  })

  test('says verified of the session that was set up anew, and of every server', async () => {
    const flag = join(lab.host('client1').folder, 'tmp', 'root', 'again')
    const going = run(['--share', '//single/app', '--verify'], { program: ['sh', '-c', `until [ -e ${flag} ]; do sleep 0.05; done; rm ${flag}`] })
    await lab.server().untilSessions(1)
    await lab.server('single').untilSessions(1)
    const [before] = await lab.server().sessions()
    await lab.server().untilWorkers(1)
    const [pid] = lab.server().workers()
    process.kill(pid!, 'SIGKILL')
    for (let found = before; found === undefined || found.id === before?.id; [found] = await lab.server().sessions()) await pause(20)
    writeFileSync(flag, '')
    const { code, receipt } = await going
    assert.deepEqual([code, receipt.reconnects, receipt.verified], [0, 1, true])
    assert.equal(receipt.verification, 'srv says that the session is gone; single says that the session is gone')
  })

  test('says verified of a run that failed once it had a session', async () => {
    const { code, receipt } = await run(['--verify'], { share: '//srv/none' })
    assert.deepEqual([code, receipt.error?.code, receipt.verified], [125, 'SHARE_NOT_FOUND', true])
  })

  test('takes no part in what the run held', async () => {
    const { receipt } = await run(['--verify'])
    const last = receipt.steps.at(-1)
    assert.equal(last?.name, 'FIN srv')
    assert.ok(receipt.heldMs <= last.atMs + last.ms + 50, `${receipt.heldMs} ms held, ${last.atMs + last.ms} ms until the end`)
  })

  test('asks an administrator where the dialect knows no proof, who is never the session that he counts', async () => {
    const { receipt, stderr } = await run(['--verify', '--max-dialect', '2.1', ...admin()])
    assert.deepEqual([receipt.verified, receipt.verification, stderr], [true, 'srv lists no such session', ''])
    // boss runs and boss asks
    const own = await run(['--verify', '--max-dialect', '2.1', ...admin()], { as: 'boss' })
    assert.deepEqual([own.receipt.verified, own.receipt.verification], [true, 'srv lists no such session'])
    await lab.server().untilSessions(0)
  })

  test('knows nothing where the server refuses both ways, and says why', async () => {
    const old = await run(['--verify', '--max-dialect', '2.1'])
    assert.deepEqual([old.code, old.receipt.verified], [0, null])
    assert.match(old.receipt.verification ?? '', /^whether srv has the session is not known: SMB 2.1 has no proof for it$/)
    const refused = await run(['--verify', '--max-dialect', '2.1', ...admin('alice')])
    assert.equal(refused.receipt.verified, null)
    assert.match(refused.receipt.verification ?? '', /no proof for it, and srv could not be asked for its sessions: .*ERROR_ACCESS_DENIED/)
    assert.match(refused.stderr, /^nbtrun: whether srv has the session is not known/)
  })

  test('says verified, too, by the proof of a server that binds no sessions: it knows none', async () => {
    const { receipt } = await run(['--verify'], { share: '//single/app' })
    assert.deepEqual([receipt.verified, receipt.verification], [true, 'single says that the session is gone'])
  })

  /** The process that serves the session is stopped while the program runs: LOGOFF is not answered, and the session stays. */
  async function stopped(options: readonly string[], server = 'srv'): Promise<WithReceipt & { resume(): void }> {
    const folder = join(lab.host('client1').folder, 'tmp', 'root')
    const [started, go] = [join(folder, 'started'), join(folder, 'go')]
    const program = ['sh', '-c', `: >${started}; until [ -e ${go} ]; do sleep 0.05; done; rm ${started} ${go}`]
    const going = run(options, { program, share: `//${server}/app` })
    while (!existsSync(started)) await Promise.race([pause(20), going.then(() => assert.fail('it ended before it began'))])
    await lab.server(server).untilWorkers(1) // that of a run before may take its time to end
    const [pid, ...others] = lab.server(server).workers()
    assert.deepEqual([pid === undefined, others.length], [false, 0])
    process.kill(pid!, 'SIGSTOP')
    writeFileSync(go, '')
    return { ...(await going), resume: () => process.kill(pid!, 'SIGCONT') }
  }

  test('says still there when the process that serves the session was stopped before LOGOFF', async () => {
    const outcome = await stopped(['--verify', '--teardown-timeout', '3s', ...admin()])
    try {
      const { code, stderr, receipt } = outcome
      assert.deepEqual([code, receipt.end, receipt.verified, receipt.verification], [0, 'forced', false, 'srv lists the session still'])
      assert.match(stderr, /^nbtrun: srv lists the session still \[TEARDOWN_FAILED\]$/m)
      assert.deepEqual(
        (await lab.server().sessions()).map(({ user }) => user),
        ['alice'],
      )
    } finally {
      outcome.resume()
    }
    await lab.server().untilSessions(0)
  })

  for (const [server, how, says] of [
    ['srv', 'others are answered, this run is not', 'srv still has the session: it answers others, but what serves this one hangs'],
    ['single', 'a server that binds no sessions tells one that it has from one that never was', 'single still has the session'],
  ] as const)
    test(`and so without an administrator: ${how}`, async () => {
      const outcome = await stopped(['--verify', '--teardown-timeout', '4s'], server)
      try {
        const { code, receipt } = outcome
        assert.deepEqual([code, receipt.end, receipt.verified, receipt.verification], [0, 'forced', false, says])
        assert.equal((await lab.server(server).sessions()).length, 1)
      } finally {
        outcome.resume()
      }
      await lab.server(server).untilSessions(0)
    })

  test('and, where the dialect knows no proof either, that it cannot know', async () => {
    const outcome = await stopped(['--verify', '--max-dialect', '2.1', '--teardown-timeout', '2s', '--strict-teardown'])
    outcome.resume()
    assert.deepEqual([outcome.code, outcome.receipt.verified], [125, null])
    assert.match(outcome.receipt.verification ?? '', /^whether srv has the session is not known: SMB 2\.1 has no proof for it$/)
    await lab.server().untilSessions(0)
  })

  test('strictly: a session that is still there ends a run with 125', async () => {
    const outcome = await stopped(['--verify', '--teardown-timeout', '3s', '--strict-teardown', ...admin()])
    outcome.resume()
    assert.deepEqual([outcome.code, outcome.receipt.verified], [125, false])
    await lab.server().untilSessions(0)
  })

  test('--verify=end wants an administrator, before anything is taken', async () => {
    const { code, stderr, receipt } = await run(['--verify=end'])
    assert.deepEqual([code, receipt.end], [125, 'nothing-held'])
    assert.match(stderr, /--verify=end needs --admin-auth-file; only an administrator of the server may end a session \[USAGE\]/)
    const missing = await run(['--verify', '--admin-auth-file', '/nonexistent'])
    assert.deepEqual([missing.code, missing.receipt.end, missing.receipt.error?.code], [125, 'nothing-held', 'FILE_ERROR'])
    const file = join(lab.host('client1').folder, 'tmp', 'root', 'half.auth')
    writeFileSync(file, 'username = boss\n', { mode: 0o600 })
    const half = await run(['--verify', '--admin-auth-file', file])
    rmSync(file)
    assert.deepEqual([half.code, half.receipt.end, half.receipt.error?.code], [125, 'nothing-held', 'NO_PASSWORD'])
  })
})
