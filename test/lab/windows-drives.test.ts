import assert from 'node:assert/strict'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { NUMBERS } from '../../src/mapping/windows/errors.ts'
import type { Published } from '../../src/run/published.ts'
import type { Receipt } from '../../src/run/receipt.ts'
import { missing } from './missing.ts'
import { faultsOfReceipt, typesOf } from './schemas.ts'
import { offline, type Process, type Ran, until, WindowsNode, windowsPath } from './windows-node.ts'

const GRACE = ['--grace', '0']

describe("nbtrun on Windows' Node under Wine, over a stand-in for its network", { skip: missing('wine', 'mingw') || offline(), timeout: 900_000 }, () => {
  const windows = new WindowsNode()
  const at = (name: string): string => windowsPath(windows.path(name))
  const connections = (): string[] => readdirSync(windows.path('connections')).sort()
  const nothingHeld = (): void => assert.deepEqual([connections(), existsSync(windows.device('P')), existsSync(windows.device('Y'))], [[], false, false])
  /** A receipt, which is as its schema says. */
  const receiptOf = (name: string): Receipt => {
    const receipt = JSON.parse(readFileSync(windows.path(name), 'utf8')) as Receipt
    assert.deepEqual(faultsOfReceipt(receipt), [])
    return receipt
  }
  /** What the provider was given last for a server: user, password, flags. */
  const login = (server: string): string[] =>
    readFileSync(windows.path(`login-${server}`), 'utf16le')
      .trim()
      .split('\n')

  const guardians = (): Process[] => windows.processes().filter(({ words }) => words.some(word => word.includes('NBTRUN_GUARD')))
  /** Guardian, its console, and what it starts. */
  const noGuardian = (): Promise<void> =>
    until('the end of the guardian', () => !windows.processes().some(({ words }) => words.some(word => /cmd\.exe$|conhost\.exe$|afterwards\.js$/i.test(word))))

  before(() => windows.set())
  after(() => windows.dispose())

  test('the first free letter is mapped, a launcher that starts itself anew is waited for, and IPC$ is the last run to give back', async () => {
    const words = ['/relaunch', `/await:${at('go')}`, `/write:${at('done')}:there`]
    const { ran } = windows.start(['--share', '//srv/app', ...GRACE, '--receipt', at('receipt'), '--', 'launcher.exe', ...words])
    await until('the letter', () => connections().includes('Y,srv,app') && existsSync(join(windows.device('Y'), 'launcher.exe')))
    assert.deepEqual(connections(), ['-,srv,IPC$', 'Y,srv,app'], 'Z: is taken, by Wine')
    assert.deepEqual(login('srv'), ['(null)', '(null)', '4'], 'whoever is logged in to Windows; CONNECT_TEMPORARY')

    const other = await windows.nbtrun(['--share', '//srv/app', '--mapping', 'unc', ...GRACE, '--', at('srv/app/launcher.exe')])
    assert.deepEqual([other.code, other.stderr], [0, ''])
    assert.deepEqual(connections(), ['-,srv,IPC$', 'Y,srv,app'], 'another run uses IPC$')

    writeFileSync(windows.path('go'), '')
    const { code, stderr } = await ran
    assert.deepEqual([code, stderr], [0, ''])
    assert.equal(readFileSync(windows.path('done'), 'utf8'), 'there', 'the second one was waited for')
    nothingHeld()
    const { shares, end, steps } = receiptOf('receipt')
    assert.deepEqual([end, shares[0]?.mapping, shares[0]?.way, shares[0]?.point], ['disconnected', 'drive', 'wnet', 'Y:'])
    const undone = steps.filter(({ phase }) => phase === 'teardown').map(({ name, ok, status }) => [name, ok, status])
    assert.deepEqual(undone, [
      ['mapping', true, 'Y: cancelled'],
      ['IPC$ srv', true, 'cancelled'],
      ['guardian', true, undefined],
    ])
    assert.deepEqual(guardians(), [])
    await noGuardian()
  })

  test('who uses the letter on is named: where it is waited for, and where the letter is taken from it', async () => {
    const words = (name: string): string[] => ['launcher.exe', '/relaunch', `/write:${at(`up-${name}`)}:x`, `/await:${at(`go-${name}`)}`]
    const run = (name: string, ...options: string[]) =>
      windows.start(['--share', '//srv/app=P:', ...GRACE, '--events', at(`${name}.events`), ...options, '--', ...words(name)])
    const eventsOf = (name: string): Published[] =>
      (readFileSync(windows.path(`${name}.events`), 'utf8').match(/.+(?=\n)/g) ?? []).map(line => JSON.parse(line) as Published)
    const usersOf = (name: string): readonly (readonly [string, string, number])[] =>
      eventsOf(name).flatMap(event => (event.type === 'lingering' ? event.users.map(user => [event.cause, user.name, user.files.length] as const) : []))

    const waits = run('waits')
    await until('word of who uses the letter', () => existsSync(windows.path('waits.events')) && usersOf('waits').length > 0)
    writeFileSync(windows.path('go-waits'), '')
    assert.deepEqual([(await waits.ran).code, usersOf('waits')], [0, [['users', 'launcher.exe', 0]]])

    const { code, stderr } = await run('taken', '--wait-for', 'app', '--receipt', at('taken')).ran
    assert.equal(code, 0)
    assert.match(stderr, /^nbtrun: launcher\.exe is gone; the share is taken from launcher\.exe \(\d+\)\n$/)
    const [survivor, ...others] = receiptOf('taken').survivors
    assert.deepEqual([survivor?.name, survivor?.files, others], ['launcher.exe', [], []])
    assert.deepEqual(usersOf('taken'), [['taken', 'launcher.exe', 0]])
    writeFileSync(windows.path('go-taken'), '')
    for (const name of ['waits', 'taken'])
      assert.deepEqual(typesOf(readFileSync(windows.path(`${name}.events`), 'utf8')), [
        'requested',
        'obtained',
        'mapped',
        'launched',
        'quit',
        'lingering',
        'returned',
      ])
    nothingHeld()
  })

  test('{mount}, {drive} and NBTRUN_MOUNT are the letter, or the share where there is none', async () => {
    writeFileSync(
      windows.path('tell.mjs'),
      `import { writeFileSync } from 'node:fs'
const { NBTRUN_MOUNT, WHERE } = process.env
writeFileSync(process.argv[2], JSON.stringify([process.argv.slice(3), NBTRUN_MOUNT, WHERE, process.cwd()]))`,
    )
    const node = windowsPath(join(windows.folder, 'app', 'node.exe'))
    const told = async (words: readonly string[], ...say: string[]): Promise<unknown> => {
      const { code, stderr } = await windows.nbtrun([...words, ...GRACE, '--env', 'WHERE={mount}', '--', node, at('tell.mjs'), at('told'), ...say])
      assert.deepEqual([code, stderr], [0, ''])
      return JSON.parse(readFileSync(windows.path('told'), 'utf8'))
    }
    mkdirSync(windows.path('srv/app/data'))
    const all = ['{mount}', '{drive}\\data', '{share}', '/at:{mount}']
    const withLetter = await told(['--share', '//srv/app=P:', '--chdir', '{mount}\\data'], ...all)
    assert.deepEqual(withLetter, [['P:', 'P:\\data', '//srv/app', '/at:P:'], 'P:', 'P:', 'P:\\data'])
    const unc = ['--share', '//srv/app', '--mapping', 'unc']
    const without = await told(unc, '{mount}\\data', '{share}')
    assert.deepEqual(without, [['\\\\srv\\app\\data', '//srv/app'], '\\\\srv\\app', '\\\\srv\\app', windowsPath(windows.folder)])
    const noLetter = await windows.nbtrun([...unc, ...GRACE, '--', node, '{drive}'])
    assert.match(noLetter.stderr, /^nbtrun: \{drive\} in \{drive\} has no value with this mapping; .*\[USAGE\]\n$/)
    nothingHeld()
  })

  test('a bare name is found on the letter and in PATH, its ending may be left away; it is never found in the current folder', async () => {
    mkdirSync(windows.path('in-path'))
    const launcher = windows.path('srv/app/launcher.exe')
    copyFileSync(launcher, windows.path('in-path/other.exe'))
    copyFileSync(launcher, join(windows.folder, 'here.exe'))
    const run = (env: Readonly<Record<string, string>>, ...words: string[]): Promise<Ran> =>
      windows.nbtrun(['--share', '//srv/app=P:', ...GRACE, ...words], env)
    const inPath = { WINEPATH: at('in-path') } // the first in PATH
    const found = async (name: string, ...options: string[]): Promise<unknown> => {
      const { code, stderr } = await run(inPath, ...options, '--receipt', at('found'), '--', name, '/exit:7')
      assert.deepEqual([code, stderr], [7, ''])
      const { program } = receiptOf('found')
      return [program?.path, program?.from]
    }
    assert.deepEqual(await found('launcher'), ['P:\\launcher.exe', 'share'])
    assert.deepEqual(await found('other'), [`${at('in-path')}\\other.exe`, 'path'])
    const refused = await run({ WINEPATH: `.;${windowsPath(windows.folder)}\\..` }, '--', 'here')
    assert.match(refused.stderr, /^nbtrun: there is no program here on the share or in PATH; .*\[PROGRAM_NOT_FOUND\]\n$/)
    assert.equal(refused.code, 127)

    copyFileSync(launcher, windows.path('in-path/launcher.exe'))
    const both = await run(inPath, '--', 'launcher')
    assert.match(
      both.stderr,
      /^nbtrun: launcher is on the share \(P:\\launcher\.exe\) and in PATH \(Z:.*\\in-path\\launcher\.exe\); .*\[PROGRAM_AMBIGUOUS\]\n$/,
    )
    assert.deepEqual(await found('launcher', '--program-from', 'path'), [`${at('in-path')}\\launcher.exe`, 'path'])
    nothingHeld()
  })

  test('exit codes have all 32 bits; a batch file on the letter gets its words; user and password reach the network and nobody else', async () => {
    writeFileSync(windows.path('srv/app/go.bat'), '@echo off\r\n"%~dp0launcher.exe" "/write:%~1:%NBTRUN_SHARE%" /exit:0xC0000005\r\n')
    writeFileSync(windows.path('password'), 'pässword "1\n')
    const run = ['--share', '//srv/app=P:', '--user', 'DOM/bob', '--password-file', at('password'), ...GRACE, '--', 'go.bat', at('batch')]
    const script = `import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
const { status } = spawnSync(process.execPath, process.argv.slice(3), { stdio: 'inherit' })
writeFileSync(process.argv[2], String(status))`
    const { stderr } = await windows.node(script, [at('status'), windowsPath(join(windows.folder, 'app', 'bin', 'nbtrun.js')), ...run])
    assert.deepEqual([readFileSync(windows.path('status'), 'utf8'), stderr], ['3221225477', ''])
    assert.equal(readFileSync(windows.path('batch'), 'utf8'), '//srv/app')
    assert.deepEqual(login('srv'), ['DOM\\bob', 'pässword "1', '4'])
    nothingHeld()
  })

  test('every number of Windows is one of our errors, through koffi and mpr.dll, and nothing is held after any', async () => {
    const script = `const { main } = await import(${JSON.stringify(`file:///${windowsPath(join(windows.folder, 'app', 'dist', 'cli.js')).replaceAll('\\', '/')}`)})
for (const number of process.argv.slice(2)) {
  const { exit } = await main(['--share', '//err-' + number + '-x/app=P:', '--', 'launcher.exe'])
  console.log(number + ' ' + exit)
}
process.exit(0)`
    const numbers = [...NUMBERS.filter(number => number !== 1219), 4711]
    const { stdout, stderr } = await windows.node(script, numbers.map(String))
    const full = [69, 71, 1238, 1395]
    assert.deepEqual(
      stdout.trim().split('\n'),
      numbers.map(number => `${number} ${full.includes(number) ? 75 : 125}`),
    )
    const lines = stderr.trim().split('\n')
    assert.equal(lines.length, numbers.length)
    for (const [i, number] of numbers.entries()) assert.match(lines[i] ?? '', new RegExp(`^nbtrun: .*\\(${number}\\)(; .*)? \\[[A-Z_0-9]+\\]$`))
    nothingHeld()
  })

  test('a letter that Windows remembers for another share is passed over; a full share is waited for', async () => {
    for (const server of ['srv-1202', 'srv-71']) {
      mkdirSync(windows.path(`${server}/app`), { recursive: true })
      writeFileSync(windows.path(`once-${server}`), '')
    }
    const passed = await windows.nbtrun(['--share', '//srv-1202/app', ...GRACE, '-v', '--', at('srv/app/launcher.exe')])
    assert.match(passed.stderr, /is at X:/)
    const waited = await windows.nbtrun(['--share', '//srv-71/app', '--wait', '2m', ...GRACE, '--receipt', at('waited'), '--', at('srv/app/launcher.exe')])
    assert.deepEqual([waited.code, receiptOf('waited').attempts], [0, 2])
    nothingHeld()
  })

  test('another user has the server: who it is, the way round, and nothing of theirs is touched', async () => {
    writeFileSync(windows.path('connections/Q,srv,data'), Buffer.from('alice', 'utf16le'))
    const { code, stderr } = await windows.nbtrun(['--share', '//srv/app', ...GRACE, '--', 'launcher.exe'])
    assert.equal(code, 125)
    const who = userInfo().username // so says Wine of every connection
    assert.match(
      stderr,
      new RegExp(`^nbtrun: srv is connected as ${who} already, by Q: \\\\\\\\srv\\\\data \\(1219\\); .* a session of its own; .*\\[OTHER_LOGIN\\]\n$`),
    )
    assert.deepEqual(connections(), ['Q,srv,data'])
    mkdirSync(windows.path('srv.lab/app'), { recursive: true })
    const round = await windows.nbtrun(['--share', '//srv.lab/app', ...GRACE, '--', at('srv/app/launcher.exe'), '/exit:7'])
    assert.deepEqual([round.code, round.stderr, connections()], [7, '', ['Q,srv,data']], 'the way round leads there')
    rmSync(windows.path('connections/Q,srv,data'))
  })

  test('a letter with open files is not taken away: it is named, written down, and given back by reap once they are closed', async () => {
    writeFileSync(windows.path('srv/app/in-use'), '')
    const { code, stderr } = await windows.nbtrun(['--share', '//srv/app=P:', ...GRACE, '--', 'launcher.exe', '/exit:7'])
    assert.equal(code, 7, "the program's own")
    assert.match(stderr, /^nbtrun: mapping failed: P: is in use: end the program .* net use P: \/delete.*\[TEARDOWN_FAILED\]\n$/)
    assert.deepEqual(connections(), ['P,srv,app'])
    const busy = await windows.nbtrun(['reap'])
    assert.match(busy.stdout, /P: is in use: end the program/)
    assert.deepEqual(connections(), ['P,srv,app'])
    rmSync(windows.path('srv/app/in-use'))
    const reaped = await windows.nbtrun(['reap'])
    assert.match(reaped.stdout, /gave back P: \\\\srv\\app/)
    nothingHeld()
  })

  /** Starts a run whose program waits for ever; returns it, and whether that program lives. */
  const endless = async (name: string, ...options: string[]): Promise<{ run: ReturnType<WindowsNode['start']>; program: () => boolean }> => {
    const word = `/await:${at(`never-${name}`)}`
    const run = windows.start([...options, '--', 'launcher.exe', '/relaunch', `/write:${at(name)}:x`, word])
    await until('the program', () => existsSync(windows.path(name)))
    const program = (): boolean => windows.processes().some(({ words }) => words.includes(word) && !words.some(each => each.includes('nbtrun.js')))
    assert.equal(program(), true)
    return { run, program }
  }

  test('nbtrun is killed: the job ends the program, and the guardian gives back what no other run has, and goes', async () => {
    const other = windows.start(['--share', '//srv/app', ...GRACE, '--', 'launcher.exe', `/await:${at('other')}`])
    await until('the other run', () => connections().includes('Y,srv,app'))
    const { run, program } = await endless('killed', '--share', '//srv/app=P:')
    assert.equal(guardians().length, 2)
    run.child.kill('SIGKILL')
    await run.ran
    await until('the end of the job', () => !program())
    await until('the letter is given back', () => !connections().includes('P,srv,app'))
    assert.deepEqual([connections(), existsSync(windows.device('P'))], [['-,srv,IPC$', 'Y,srv,app'], false], "the other run's are left")
    writeFileSync(windows.path('other'), '')
    assert.deepEqual((await other.ran).code, 0)
    nothingHeld()
    await noGuardian()
    assert.match((await windows.nbtrun(['reap'])).stdout, /^there is nothing to give back\n$/)
  })

  test('a letter that is in use when nbtrun is killed is given back once it is not', async () => {
    const { run, program } = await endless('busy', '--share', '//srv/app=P:')
    writeFileSync(windows.path('srv/app/in-use'), '')
    run.child.kill('SIGKILL')
    await run.ran
    await until('the end of the job', () => !program())
    await until('a connection is given back', () => connections().length === 1)
    assert.deepEqual(connections(), ['P,srv,app'])
    rmSync(windows.path('srv/app/in-use'))
    await until('the letter is given back', () => connections().length === 0)
    await noGuardian()
    nothingHeld()
  })

  test('nbtrun and its guardian are killed: reap gives letter and IPC$ back', async () => {
    const { run, program } = await endless('both', '--share', '//srv/app=P:')
    for (const { pid } of guardians()) process.kill(pid, 'SIGKILL')
    await until('the end of the guardian', () => guardians().length === 0)
    run.child.kill('SIGKILL')
    await run.ran
    await until('the end of the job', () => !program())
    assert.deepEqual(connections(), ['-,srv,IPC$', 'P,srv,app'])
    const reaped = await windows.nbtrun(['reap'])
    assert.match(reaped.stdout, /is dead; gave back \\\\srv\\IPC\$, P: \\\\srv\\app/)
    nothingHeld()
  })

  test('a run that begins while another one ends IPC$ has it, and is the last to give it back', async () => {
    const going = (name: string, ...shares: string[]): Promise<Ran> =>
      windows.nbtrun([
        ...shares.flatMap(share => ['--share', share]),
        ...GRACE,
        '--',
        at('srv/app/launcher.exe'),
        `/write:${at(name)}:x`,
        `/await:${at(`go-${name}`)}`,
      ])
    const started = (name: string): Promise<void> => until(name, () => existsSync(windows.path(name)))
    mkdirSync(windows.path('wait-srv/app'), { recursive: true })
    const ending = going('ending', '//srv/app')
    await started('ending')
    // the other one's first server lets it wait, until the end has begun
    const beginning = going('beginning', '//srv/app', '//wait-srv/app')
    await started('asked-wait-srv')
    writeFileSync(windows.path('slow-cancel'), '')
    writeFileSync(windows.path('go-ending'), '')
    await started('cancelling')
    writeFileSync(windows.path('go-wait-srv'), '')
    const ended = await ending
    rmSync(windows.path('slow-cancel'))
    await started('beginning')
    assert.deepEqual([ended.code, ended.stderr], [0, ''])
    assert.ok(connections().includes('-,srv,IPC$'), connections().join(' '))
    writeFileSync(windows.path('go-beginning'), '')
    const { code, stderr } = await beginning
    assert.deepEqual([code, stderr], [0, ''])
    nothingHeld()
  })

  test('three runs end at once, while what a killed one left is reaped: nothing is left, and nothing written down', async () => {
    const run = (n: number): ReturnType<typeof windows.start> =>
      windows.start([
        '--share',
        '//srv/app',
        '--mapping',
        'unc',
        ...GRACE,
        '--',
        at('srv/app/launcher.exe'),
        `/write:${at(`up-${n}`)}:x`,
        `/await:${at('all')}`,
      ])
    const up = (n: number): Promise<void> => until(`run ${n}`, () => existsSync(windows.path(`up-${n}`)))
    for (let round = 0; round < 3; round++) {
      const killed = run(0)
      await up(0)
      const three = [1, 2, 3].map(run)
      await Promise.all([1, 2, 3].map(up))
      killed.child.kill('SIGKILL')
      await killed.ran
      const reaping = windows.nbtrun(['reap'])
      writeFileSync(windows.path('all'), '')
      const ended = await Promise.all([...three.map(({ ran }) => ran), reaping])
      assert.deepEqual(
        ended.map(({ code, stderr }) => [code, stderr]),
        ended.map(() => [0, '']),
      )
      nothingHeld()
      // the guardian of the killed one may have been first, and not be done yet
      const known = async (): Promise<boolean> => (await windows.nbtrun(['runs'])).stdout.includes('//srv/app')
      for (let looks = 0; await known(); looks++) assert.ok(looks < 30, 'it is written down for ever')
      for (const name of ['all', 'up-0', 'up-1', 'up-2', 'up-3']) rmSync(windows.path(name))
    }
  })

  test('without koffi net use does it: by its errors, too, and the password is in no words', async () => {
    const env = { NBTRUN_TEST_NETWORK: 'net-use' }
    const words = ['--user', 'bob', '--password-file', at('password'), ...GRACE, '--receipt', at('receipt'), '--', 'launcher.exe', '/exit:9']
    const { code, stderr } = await windows.nbtrun(['--share', '//srv/app=P:', ...words], env)
    assert.deepEqual([code, stderr], [9, ''])
    const { shares, steps } = receiptOf('receipt')
    assert.deepEqual([shares[0]?.way, steps.every(({ ok }) => ok)], ['net-use', true])
    assert.deepEqual(login('srv').slice(0, 2), ['bob', 'pässword "1'])
    const said = readFileSync(windows.path('net-words'), 'utf8')
    assert.match(said, /use P: \\\\srv\\app \* \/user:bob \/persistent:no/)
    assert.doesNotMatch(said, /ssword/)
    nothingHeld()
    const full = await windows.nbtrun(['--share', '//err-71-x/app', ...words], env)
    assert.deepEqual([full.code, /\(71\).*\[SHARE_FULL\]/.test(full.stderr)], [75, true])
  })
})
