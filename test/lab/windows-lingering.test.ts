import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, describe, test } from 'node:test'
import { pause } from '../../src/base/time.ts'
import type { Receipt } from '../../src/run/receipt.ts'
import { type Lab, missing, startLab, type User } from './index.ts'
import { offline, type Ran, until, WindowsNode, windowsPath } from './windows-node.ts'

/** Longer than the age of a session may be off, ms. */
const OLD_MS = 8000

/**
 * Windows' own session is played by smbclient: a session of the same user from the same host, which is there, idle, when the stand-in has given back letter and
 * IPC$. It is a real one, on a real Samba.
 */
describe("the session that Windows' own client leaves on a server", { skip: missing('lab', 'wine', 'mingw') || offline(), timeout: 900_000 }, () => {
  let lab: Lab
  let windows: WindowsNode
  const held: (() => Promise<unknown>)[] = []
  const at = (name: string): string => windowsPath(windows.path(name))
  const file = (user: User): string => windowsPath(lab.authFile(user))
  const connections = (): string[] => readdirSync(windows.path('connections')).sort()
  const counted = async (server = 'srv'): Promise<string[]> =>
    (await lab.server(server).sessions()).map(({ user, address }) => `${user} ${hostOf(address)}`).sort()
  const hostOf = (address: string): string => lab.state.hosts.find(host => host.address === address)?.name ?? address

  before(async () => {
    // Samba's NetrSessionDel wants more than a member of BUILTIN\Administrators
    lab = await startLab({ servers: { srv: { global: ['admin users = boss'] }, srv2: {} } })
    windows = new WindowsNode(lab.host('client1'))
    await windows.set()
    mkdirSync(windows.path('srv2/files'), { recursive: true })
  })
  afterEach(async () => {
    for (const end of held.splice(0)) await end()
    await lab.server().untilSessions(0)
    await lab.server('srv2').untilSessions(0)
    for (const name of connections()) rmSync(windows.path(`connections/${name}`))
  })
  after(async () => {
    await windows.dispose()
    lab.dispose()
  })

  /** Keeps a session, with a file open in it or none. */
  async function hold(user: User, client: string, { server = 'srv', open = false } = {}): Promise<void> {
    const share = `//${server}/${server === 'srv' ? 'app' : 'files'}`
    const before = (await lab.server(server).sessions()).length
    const program = ['--', 'sh', '-c', 'exec 9>"$NBTRUN_MOUNT/open"; exec sleep 1000']
    const words = open ? ['nbtrun', '--share', share, '--auth-file', lab.authFile(user), ...program] : ['smbclient', share, '-A', lab.authFile(user)]
    const child = lab.spawn(client, words, { stdin: 'pipe', stdout: 'ignore', timeout: 600_000 })
    held.push(async () => {
      child.stdin?.end()
      if (open) child.kill('SIGTERM')
      await child
    })
    await lab.server(server).untilSessions(before + 1)
    if (open) await until('an open file', () => existsSync(join(lab.server(server).diskPath('app'), 'open')))
  }

  interface Run {
    readonly receipt: () => Receipt
    readonly started: Promise<void>
    go(): Promise<Ran & { readonly receipt: Receipt }>
  }
  let runs = 0
  /** A run of alice's, whose program waits. */
  function start(options: readonly string[], share = '//srv/app'): Run {
    const n = ++runs
    const words = [at('srv/app/launcher.exe'), `/write:${at(`started-${n}`)}:x`, `/await:${at(`go-${n}`)}`, '/exit:7']
    const { ran } = windows.start(['--share', share, '--auth-file', file('alice'), '--grace', '0', ...options, '--receipt', at(`receipt-${n}`), '--', ...words])
    const receipt = (): Receipt => JSON.parse(readFileSync(windows.path(`receipt-${n}`), 'utf8')) as Receipt
    return {
      receipt,
      started: Promise.race([
        until('the program', () => existsSync(windows.path(`started-${n}`))),
        ran.then(({ stderr }) => assert.ok(existsSync(windows.path(`started-${n}`)), stderr)),
      ]),
      async go() {
        writeFileSync(windows.path(`go-${n}`), '')
        return { ...(await ran), receipt: receipt() }
      },
    }
  }
  /** A run during which these sessions begin. */
  async function run(options: readonly string[], sessions: () => Promise<void> = () => hold('alice', 'client1'), share?: string): ReturnType<Run['go']> {
    const going = start(options, share)
    await going.started
    await sessions()
    return going.go()
  }
  const asBoss = (): string[] => ['--admin-auth-file', file('boss')]

  test('is found among all others and ended by an administrator, and so the receipt says', async () => {
    const { code, stderr, receipt } = await run(asBoss(), async () => {
      await hold('alice', 'client2')
      await hold('bob', 'client1')
      await hold('alice', 'client1')
    })
    assert.deepEqual([code, stderr], [7, ''])
    assert.deepEqual([receipt.end, receipt.verified, receipt.verification], ['disconnected', true, 'srv still had the session and has ended it'])
    assert.deepEqual(await counted(), ['alice client2', 'bob client1'])
    assert.deepEqual(connections(), [])
  })

  test('is gone already: the administrator says so, and nobody of the administrator is left', async () => {
    const { code, stderr, receipt } = await run([...asBoss(), '--verify=end', '-v'], async () => {})
    assert.deepEqual([code, receipt.verified, receipt.verification], [7, true, 'srv lists no such session'])
    assert.match(stderr, /^nbtrun: srv lists no such session$/m)
    assert.deepEqual(await counted(), [])
  })

  test('is left with --verify alone, and said to be there', async () => {
    const { code, stderr, receipt } = await run([...asBoss(), '--verify'])
    assert.deepEqual([code, receipt.verified, stderr], [7, false, 'nbtrun: srv lists the session still [TEARDOWN_FAILED]\n'])
    assert.deepEqual(await counted(), ['alice client1'])
  })

  test('is not known of without an administrator', async () => {
    const { code, stderr, receipt } = await run(['--verify'])
    assert.deepEqual([code, receipt.end, receipt.verified], [7, 'disconnected', null])
    assert.match(stderr, /^nbtrun: whether srv has the session is not known: it is Windows' own; --admin-auth-file .*\n$/)
    assert.deepEqual(await counted(), ['alice client1'])
    const unasked = await run(['--verify=no', ...asBoss()])
    assert.deepEqual([unasked.stderr, unasked.receipt.verified, unasked.receipt.verification], ['', null, null])
  })

  test('stays where the administrator is none: one line says why, and the exit code is the program’s', async () => {
    writeFileSync(windows.path('wrong.auth'), 'username = boss\npassword = wrong\n')
    const wrong = await run(['--admin-auth-file', at('wrong.auth')])
    assert.deepEqual([wrong.code, wrong.receipt.verified, await counted()], [7, null, ['alice client1']])
    assert.match(wrong.stderr, /^nbtrun: whether srv has the session is not known: srv could not be asked for its sessions: .*boss.*\n$/)
    const nobody = await run(['--admin-auth-file', file('bob')], async () => {})
    assert.deepEqual([nobody.code, nobody.receipt.verified, await counted()], [7, null, ['alice client1']])
    assert.match(nobody.stderr, /^nbtrun: whether srv has the session is not known: srv could not be asked .*ERROR_ACCESS_DENIED.*\n$/)
  })

  test('stays where the administrator may list and not end', async () => {
    const { code, stderr, receipt } = await run(asBoss(), () => hold('alice', 'client1', { server: 'srv2' }), '//srv2/files')
    assert.deepEqual([code, receipt.verified, await counted('srv2')], [7, false, ['alice client1']])
    assert.match(stderr, /^nbtrun: srv2 lists the session still: .*ERROR_ACCESS_DENIED.* \[TEARDOWN_FAILED\]\n$/)
  })

  test('stays while a file is open in it, where several fit, and where it is older than the run', async () => {
    const busy = await run(asBoss(), () => hold('alice', 'client1', { open: true }))
    assert.deepEqual([busy.code, busy.receipt.verified], [7, false])
    assert.equal(busy.stderr, 'nbtrun: srv lists the session still, and it is not ended: a file is open in it [TEARDOWN_FAILED]\n')
    const several = await run(asBoss())
    assert.deepEqual([several.receipt.verified, several.receipt.verification], [null, 'the list of srv does not tell: 2 sessions of alice fit'])
    assert.deepEqual(await counted(), ['alice client1', 'alice client1'])
    await held.shift()?.()
    await lab.server().untilSessions(1)
    await pause(OLD_MS)
    const old = await run(asBoss(), async () => {})
    assert.deepEqual([old.receipt.verified, old.receipt.verification], [null, 'the list of srv does not tell: the session of alice is older than the run'])
    assert.deepEqual(await counted(), ['alice client1'])
  })

  test('stays while another letter uses the server, be it under another name', async () => {
    for (const server of ['srv', lab.server().address]) {
      const letter = windows.path(`connections/Q,${server},data`)
      const { code, stderr, receipt } = await run(asBoss(), async () => {
        await hold('alice', 'client1')
        writeFileSync(letter, Buffer.from('LAB\\alice', 'utf16le'))
      })
      assert.deepEqual([code, stderr, receipt.verified], [7, '', null])
      assert.equal(receipt.verification, `srv is not asked to end the session: Q: \\\\${server}\\data uses it`)
      assert.deepEqual(await counted(), ['alice client1'])
      rmSync(letter)
      await held.shift()?.()
      await lab.server().untilSessions(0)
    }
  })

  test('stays while another run uses the server; the last one has it ended, though it began before that', async () => {
    const one = start(asBoss())
    await one.started
    await hold('alice', 'client1')
    await pause(OLD_MS)
    const two = start(asBoss())
    await two.started
    const first = await one.go()
    assert.deepEqual([first.code, first.stderr, first.receipt.verified], [7, '', null])
    assert.match(first.receipt.verification ?? '', /^srv is not asked to end the session: .*\\\\srv\\.* uses it$/)
    assert.deepEqual(await counted(), ['alice client1'])
    const second = await two.go()
    assert.deepEqual([second.code, second.stderr, second.receipt.verification], [7, '', 'srv still had the session and has ended it'])
    assert.deepEqual(await counted(), [])
  })

  test('is not waited for where the server is gone', async () => {
    const { code, stderr, receipt } = await run([...asBoss(), '--teardown-timeout', '3s'], async () => lab.link('srv', 'down'))
    lab.link('srv', 'up')
    assert.deepEqual([code, receipt.verified], [7, null])
    assert.match(stderr, /^nbtrun: whether srv has the session is not known: srv could not be asked for its sessions: .*\n$/)
  })
})
