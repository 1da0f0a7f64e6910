import assert from 'node:assert/strict'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pause } from '../../src/base/time.ts'
import { KEYS, type Lab, type Outcome, startLab, type User } from './index.ts'
import { noMapping } from './nbtrun.ts'

interface Listed {
  readonly level: number
  readonly share?: { readonly name: string; readonly full: boolean }
  readonly sessions: readonly { readonly client: string; readonly user: string; readonly opens: number; readonly idle: number | null; readonly ours: boolean }[]
  readonly connections: readonly unknown[] | null
  readonly files: readonly { readonly path: string; readonly user: string }[] | null
}

describe('nbtrun sessions, on a server with two users', { skip: noMapping, timeout: 800_000 }, () => {
  let lab: Lab
  const programs: { readonly kill: (signal: NodeJS.Signals) => unknown; readonly done: Promise<unknown> }[] = []
  const client2 = (): string => lab.host('client2').address

  before(async () => {
    // Samba's NetrSessionDel wants more than a member of BUILTIN\Administrators
    lab = await startLab({ servers: { srv: { global: ['admin users = boss'] } } })
    await hold('alice', '//srv/app', 'one')
    await hold('alice', '//srv/app', 'two')
    await hold('bob', '//srv/cad', 'three')
  })
  after(async () => {
    for (const { kill } of programs) kill('SIGTERM')
    await Promise.all(programs.map(({ done }) => done))
    lab.dispose()
  })

  /** A run on client2 that holds a file open. */
  async function hold(user: User, share: string, file: string): Promise<void> {
    const words = ['nbtrun', '--share', share, '--auth-file', lab.authFile(user), '--', 'sh', '-c', `exec 9>"$NBTRUN_MOUNT/${file}"; exec sleep 1000`]
    const run = lab.spawn('client2', words, { timeout: 600_000 })
    programs.push({ kill: signal => run.kill(signal), done: run })
    const path = join(lab.server().diskPath(share.replace('//srv/', '')), file)
    while (!existsSync(path)) await Promise.race([pause(20), run.then(({ stderr }) => assert.fail(String(stderr)))])
  }
  const sessions = (target: string, ...options: string[]): Promise<Outcome> => lab.run('client1', ['nbtrun', 'sessions', target, ...asBoss(), ...options])
  const asBoss = (): string[] => ['--auth-file', lab.authFile('boss')]
  const listed = async (target: string): Promise<Listed> => JSON.parse((await sessions(target, '--json')).stdout) as Listed
  const users = async (): Promise<string[]> => (await lab.server().sessions()).map(({ user }) => user).sort()

  test('shows what smbstatus shows, and who holds which file', async () => {
    const known = (await lab.server().sessions()).map(({ user, address }) => `${address} ${user}`).sort()
    assert.equal(known.length, 3)
    const { level, sessions: rows, files } = await listed('//srv')
    assert.equal(level, 1)
    assert.deepEqual(
      rows
        .filter(({ ours }) => !ours)
        .map(({ client, user }) => `${client} ${user}`)
        .sort(),
      known,
    )
    assert.deepEqual(
      rows.filter(({ ours }) => ours).map(({ client, user }) => `${client} ${user}`),
      [`${lab.host('client1').address} boss`],
    )
    assert.deepEqual(files?.map(({ path, user }) => `${user} ${path.split('\\').at(-1)}`).sort(), ['alice one', 'alice two', 'bob three'])
    const { stdout } = await sessions('//srv')
    assert.match(stdout, new RegExp(`^${client2()} +bob +1 +(\\d+ s|\\?) +\\?$`, 'm')) // Samba knows nobody's idle time
    assert.match(stdout, / boss .* asks$/m)
    await lab.server().untilSessions(3)
  })

  test('says whether a share is full, and what is open there', async () => {
    const cad = await listed('//srv/cad')
    assert.deepEqual([cad.share?.name, cad.share?.full, cad.connections?.length], ['cad', true, 1])
    assert.deepEqual(
      cad.files?.map(({ user }) => user),
      ['bob'],
    )
    assert.match((await sessions('//srv/cad')).stdout, /^\/\/srv\/cad is full: 1 of 1 in use\n/)
    assert.match((await sessions('//srv/app')).stdout, /^\/\/srv\/app is free: 2 in use\n/)
    const { code, stderr } = await sessions('//srv/none')
    assert.equal(code, 125)
    assert.match(stderr, /the server has no share none.* \[SHARE_NOT_FOUND\]/)
  })

  test('is for administrators', async () => {
    const { code, stdout, stderr } = await lab.run('client1', ['nbtrun', 'sessions', '//srv', '--auth-file', lab.authFile('alice')])
    assert.deepEqual([code, stdout], [125, ''])
    assert.match(stderr, /ERROR_ACCESS_DENIED; log in as a member of the server's Administrators \[ACCESS_DENIED\]/)
  })

  test('but everybody learns whether a share is full or free', async () => {
    const asked = (share: string, ...options: string[]): Promise<Outcome> =>
      lab.run('client1', ['nbtrun', 'sessions', share, '--auth-file', lab.authFile('alice'), ...options])
    const [full, free, json, none] = [await asked('//srv/cad'), await asked('//srv/app'), await asked('//srv/cad', '--json'), await asked('//srv/none')]
    const rest = '; who holds it, the server tells its administrators alone\n'
    assert.deepEqual([full.code, full.stdout], [0, `//srv/cad is full${rest}`])
    assert.deepEqual([free.code, free.stdout], [0, `//srv/app is free${rest}`])
    assert.deepEqual((JSON.parse(json.stdout) as Listed).share, { name: 'cad', full: true })
    assert.match(none.stderr, / \[SHARE_NOT_FOUND\]/)
    await lab.server().untilSessions(3)
  })

  test('--close wants to know whose, a terminal or --yes, and never ends who asks', async () => {
    const table: [string[], RegExp][] = [
      [['--close'], /--close needs --client, --user or both/],
      [['--close', '--client', '\\\\'], /--close needs --client, --user or both/],
      [['--close', '--client', '', '--user', ''], /--close needs --client, --user or both/],
      [['--close', '--user', 'bob'], /there is no terminal to ask on; add --yes/],
      [['--close', '--user', 'boss', '--yes'], /the session that asks is one of those of boss/],
      [['--close', '--client', lab.host('client1').address, '--yes'], /the session that asks is one of those of on /],
      [['--close', '--user', 'nobodyhere', '--yes'], /srv has no session of nobodyhere.* \[NO_SUCH_SESSION\]/],
      [['--close', '--unused'], /--unused needs --idle/],
      [['--close', '--unused', '--idle', 'soon'], /--idle must be a duration/],
      [['--idle', '3'], /--idle is for --close/],
      [['--yes'], /--yes is for --close/],
    ]
    for (const [words, line] of table) {
      const { code, stderr } = await sessions('//srv', ...words)
      assert.equal(code, 125, words.join(' '))
      assert.match(stderr, line)
    }
    assert.deepEqual(await users(), ['alice', 'alice', 'bob'])
  })

  test('--close --unused ends nothing on a server that knows nobody’s idle time', async () => {
    const { code, stdout } = await sessions('//srv', '--close', '--unused', '--idle', '0')
    assert.equal(code, 0)
    assert.match(stdout, / alice .* kept: a file is open$/m)
    assert.match(stdout, / boss .* kept: ours$/m)
    assert.deepEqual(await users(), ['alice', 'alice', 'bob'])
  })

  test('--close asks on a terminal, and takes only a yes for one', async () => {
    const words = ['nbtrun', 'sessions', '//srv', ...asBoss(), '--close', '--client', `\\\\${client2()}`, '--user', 'alice']
    const terminal = await lab.terminal('client1', words)
    await terminal.see('End these 2 sessions on srv? [y/N]')
    terminal.line('n')
    const { code } = await terminal.end()
    assert.equal(code, 125)
    assert.match(terminal.shown, /nothing was ended \[CANCELLED\]/)
    const interrupted = await lab.terminal('client1', words)
    await interrupted.see('[y/N]')
    interrupted.type(KEYS.interrupt)
    assert.equal((await interrupted.end()).code, 128 + 2)
    assert.deepEqual(await users(), ['alice', 'alice', 'bob'])
  })

  test('--close ends the sessions of a pair, and no other', async () => {
    const { code, stdout, stderr } = await sessions('//srv', '--close', '--client', `\\\\${client2()}`, '--user', 'alice', '--yes')
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, new RegExp(`^CLIENT .*\n(${client2()} +alice .*\n){2}ended 2 sessions\n$`))
    const left = (await lab.server().sessions()).map(({ user }) => user)
    assert.ok(left.includes('bob'), left.join())
    assert.deepEqual(readdirSync(lab.server().diskPath('cad')), ['three'])
    rmSync(join(lab.server().diskPath('cad'), 'three'))
  })
})
