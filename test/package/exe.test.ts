// What `npm run build:exe` made: each program starts, and does a whole run.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Receipt } from '../../src/run/receipt.ts'
import { type Lab, missing, setUpWine, useLab, type User } from '../lab/index.ts'
import { here, noMapping, nothingLeft } from '../lab/nbtrun.ts'
import { UIDS } from '../lab/users.ts'
import { offline, type Process, until, WindowsNode, windowsPath } from '../lab/windows-node.ts'

const root = join(import.meta.dirname, '..', '..')
const exe = join(root, 'out', 'exe')
const golden = readFileSync(join(root, 'test/unit/cli/golden/help.txt'), 'utf8')
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
const sum = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')

before(() => assert.ok(existsSync(join(exe, 'SHA256SUMS')), 'nothing was built: npm run build:exe'))

test('SHA256SUMS has every file with its sum; a second build gives the same bytes', { timeout: 800_000 }, () => {
  const sums = readFileSync(join(exe, 'SHA256SUMS'), 'utf8')
  for (const name of ['THIRD-PARTY.txt', 'nbtrun', 'nbtrun.exe', 'nbtrunw.exe']) assert.ok(sums.includes(`${sum(join(exe, name))}  ${name}\n`), name)
  const again = mkdtempSync(join(tmpdir(), 'nbtrun-exe-'))
  try {
    const { status, stderr } = spawnSync(process.execPath, ['--import', 'tsx', join(root, 'scripts/package/exe.ts'), again], { encoding: 'utf8' })
    assert.equal(status, 0, stderr)
    assert.equal(readFileSync(join(again, 'SHA256SUMS'), 'utf8'), sums)
  } finally {
    rmSync(again, { recursive: true })
  }
})

describe('nbtrun for Linux in one file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nbtrun-exe-'))
  after(() => rmSync(folder, { recursive: true }))
  /** Nothing but the file: no Node, no PATH, no network where that can be. */
  const nbtrun = (...words: string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(join(exe, 'nbtrun'), words, { cwd: folder, env: { HOME: folder, TMPDIR: folder }, encoding: 'utf8' })

  test('says its version and its help, renders templates, reads a batch file, and refuses in one line', () => {
    for (const [word, expected] of [
      ['--version', `${version}\n`],
      ['--help', golden],
    ] as const) {
      const { status, stdout, stderr } = nbtrun(word)
      assert.deepEqual([status, stdout, stderr], [0, expected, ''])
    }
    assert.match(nbtrun('script', 'login', '--share', '//srv/app', '--program', 'app').stdout, /^exec nbtrun --share '\/\/srv\/app' -- 'app'$/m)
    writeFileSync(join(folder, 'old.bat'), 'net use P: \\\\srv\\payroll\r\nP:\\payroll.exe /m:10\r\nnet use P: /delete\r\n')
    assert.match(nbtrun('import', 'old.bat').stdout, /^ {4}nbtrun --share \/\/srv\/payroll /m)
    const refused = nbtrun('--sahre', '//srv/app', '--', 'app')
    assert.deepEqual([refused.status, refused.stdout], [125, ''])
    assert.match(refused.stderr, /^nbtrun: .*did you mean --share\? \[USAGE\]\n$/)
    assert.deepEqual(readdirSync(folder), ['old.bat'])
  })
})

describe('runs on a real server', { skip: noMapping, timeout: 250_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })
  const inLab = (name: string): string => join(lab.host('client1').folder, 'repository', 'out', 'exe', name)

  // b2 takes descriptors with koffi, b1 starts the program again as its relay
  for (const { way, user } of [{ way: 'root' }, { way: 'b2', user: 'alice' }, { way: 'b1', user: 'alice' }] as { way: string; user?: User }[])
    test(`for Linux, way ${way}: the program has its share, the receipt its end, the server no session`, async () => {
      const receipt = here(lab, `exe-${way}.json`, user === undefined ? {} : { user })
      const words = ['--share', '//srv/app', '--auth-file', lab.authFile(user), '--receipt', receipt, '--']
      const program = ['/bin/sh', '-c', 'echo hello >"$NBTRUN_MOUNT/from-exe" && cat "$NBTRUN_MOUNT/from-exe"; exit 42']
      const options = { env: { NBTRUN_TEST_WAY: way }, ...(user === undefined ? {} : { user }) }
      const { code, stdout, stderr } = await lab.run('client1', [inLab('nbtrun'), ...words, ...program], options)
      assert.deepEqual([code, stdout, stderr], [42, 'hello\n', ''])
      const { shares, end } = JSON.parse(readFileSync(receipt, 'utf8')) as Receipt
      assert.deepEqual([shares[0]?.way, shares[0]?.mapping, end], [way, 'private', 'acknowledged'])
      await nothingLeft(lab)
    })

  describe('for Windows, under Wine', { skip: missing('wine') }, () => {
    let env: Record<string, string>
    before(async () => {
      env = await setUpWine(join(lab.host('client1').folder, 'home', 'alice', '.wine'), UIDS.alice)
      for (const argv of [
        ['wine', 'winecfg', '-v', 'win10'],
        ['wineserver', '--wait'],
      ])
        await lab.run('client1', argv, { env, user: 'alice', stdio: ['ignore', 'ignore', 'ignore'] })
    })
    after(() => lab?.run('client1', ['wineserver', '--kill'], { env, user: 'alice' }))

    /** Node under Wine cannot write to a pipe of Unix: files instead. */
    async function wine(name: string, ...words: string[]): Promise<{ code: number | undefined; stdout: string; stderr: string }> {
      const [stdout, stderr] = [here(lab, 'stdout', { user: 'alice' }), here(lab, 'stderr', { user: 'alice' })]
      const files = [openSync(stdout, 'w'), openSync(stderr, 'w')]
      try {
        const { code } = await lab.run('client1', ['wine', inLab(name), ...words], { env, user: 'alice', stdio: ['ignore', ...files] })
        return { code, stdout: readFileSync(stdout, 'utf8'), stderr: readFileSync(stderr, 'utf8') }
      } finally {
        for (const file of files) closeSync(file)
      }
    }

    test('says its version and its help', async () => {
      assert.deepEqual(await wine('nbtrun.exe', '--version'), { code: 0, stdout: `${version}\n`, stderr: '' })
      assert.deepEqual(await wine('nbtrun.exe', '--help'), { code: 0, stdout: golden, stderr: '' })
    })

    test('asks a server for its names', async () => {
      const { code, stdout, stderr } = await wine('nbtrun.exe', 'names', 'status', lab.server().address)
      assert.deepEqual([code, stderr], [0, ''])
      assert.match(stdout, /^SRV<20> +unique {2}active$/m)
    })

    test('looks at every step from here to the share', async () => {
      const { code, stdout, stderr } = await wine('nbtrun.exe', 'doctor', '//srv/app', '--auth-file', lab.authFile('alice'))
      assert.deepEqual([code, stderr], [0, ''], stdout)
      assert.match(stdout, /nothing is wrong/)
      assert.match(stdout, /^.*\bkoffi +.*\bloads\b/m, 'what is carried inside')
      await lab.server().untilSessions(0, 3000)
    })

    test('holds a session while a program runs', async () => {
      const words = ['--share', '//srv/app', '--auth-file', lab.authFile('alice'), '--mapping', 'none', '--grace', '0', '-v', '--']
      const { code, stdout, stderr } = await wine('nbtrun.exe', ...words, 'cmd.exe', '/c', 'exit 42')
      assert.deepEqual([code, stdout], [42, ''], stderr)
      assert.match(stderr, /^nbtrun: given back in .*: mapping, app, IPC\$, session, connection \(acknowledged\)$/m)
      assert.doesNotMatch(stderr, /koffi/)
      await lab.server().untilSessions(0, 3000)
    })

    test('without a console it says what is wrong in a box, and ends with its code', { skip: missing('mingw') }, async () => {
      const [pressOk, said] = [here(lab, 'press-ok.exe', { user: 'alice' }), here(lab, 'said', { user: 'alice' })]
      const source = join(root, 'test/lab/fixtures/press-ok.c')
      const { status, stderr } = spawnSync('x86_64-w64-mingw32-gcc', ['-Os', '-s', '-municode', '-o', pressOk, source], { encoding: 'utf8' })
      assert.equal(status, 0, stderr)
      const asAlice = { env, user: 'alice', stdio: ['ignore', 'ignore', 'ignore'] } as const
      // windows that nobody sees
      await lab.run('client1', ['wine', 'reg', 'add', 'HKCU\\Software\\Wine\\Drivers', '/v', 'Graphics', '/d', 'null', '/f'], asAlice)
      await lab.run('client1', ['wineserver', '--wait'], asAlice)
      const [run, pressed] = await Promise.all([
        lab.run('client1', ['wine', inLab('nbtrunw.exe'), '--sahre', '//srv/app', '--', 'app'], { ...asAlice, timeout: 120_000 }),
        lab.run('client1', ['wine', pressOk, 'nbtrun', said], { ...asAlice, timeout: 120_000 }),
      ])
      assert.deepEqual([pressed.code, run.code], [0, 125])
      assert.match(readFileSync(said, 'utf8'), /^nbtrun: .*did you mean --share\? \[USAGE\]$/)
    })
  })
})

describe('nbtrun.exe, over a stand-in for a network of Windows', { skip: missing('wine', 'mingw') || offline(), timeout: 600_000 }, () => {
  const windows = new WindowsNode()
  const at = (name: string): string => windowsPath(windows.path(name))
  const connections = (): string[] => readdirSync(windows.path('connections')).sort()
  const having = (pattern: RegExp): Process[] => windows.processes().filter(({ words }) => words.some(word => pattern.test(word)))
  before(() => windows.set())
  after(() => windows.dispose())

  test('is killed: the job ends the program, and its guardian, which is nbtrun.exe itself, gives back letter and IPC$, and goes', async () => {
    const program = ['launcher.exe', '/relaunch', `/write:${at('up')}:x`, `/await:${at('never')}`]
    const { child, ran } = windows.program(join(exe, 'nbtrun.exe'), ['--share', '//srv/app=P:', '--grace', '0', '-v', '--', ...program])
    await until('the program', () => existsSync(windows.path('up')))
    assert.deepEqual(connections(), ['-,srv,IPC$', 'P,srv,app'])
    assert.equal(having(/NBTRUN_GUARD/).length, 1)
    child.kill('SIGKILL')
    assert.doesNotMatch((await ran).stderr, /koffi/)
    await until('nbtrun.exe gives back what the killed one had', () => having(/^--give-back-after$/).length > 0)
    await until('the end of the job', () => having(/never/).length === 0)
    await until('letter and IPC$ are given back', () => connections().length === 0)
    assert.equal(existsSync(windows.device('P')), false)
    await until('the end of the guardian', () => having(/cmd\.exe$|conhost\.exe$|nbtrun\.exe$/i).length === 0)
  })
})
