import assert from 'node:assert/strict'
import { spawnSync, type SpawnSyncReturns } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { help } from '../../../src/cli/help.ts'
import { columns } from '../../../src/cli/wrap.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const golden = (name: string): string => readFileSync(new URL(`golden/${name}`, import.meta.url), 'utf8')
const folder = mkdtempSync(join(tmpdir(), 'nbtrun-main-'))
after(() => rmSync(folder, { recursive: true }))

/** As bin/nbtrun.js, from the sources. */
function nbtrun(words: readonly string[], env: Record<string, string> = {}): SpawnSyncReturns<string> {
  const starter = join(folder, 'start.mts')
  writeFileSync(starter, `import { start } from ${JSON.stringify(pathToFileURL(join(root, 'src/cli/main.ts')).href)}\nawait start(process.argv.slice(2))\n`)
  return spawnSync(process.execPath, ['--import', 'tsx', starter, ...words], {
    cwd: root,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], XDG_STATE_HOME: folder, ...env },
  })
}

test('--help prints the common options, --help all every one, in 80 columns', () => {
  assert.equal(`${help(false)}\n`, golden('help.txt'))
  assert.equal(`${help(true)}\n`, golden('help-all.txt'))
  for (const line of golden('help-all.txt').split('\n')) assert.ok(line.length <= 80, line)
  for (const words of [['--help'], ['-h'], ['--share', '//h/x', '--help', '--', 'app'], ['--frob', '--help']])
    assert.equal(nbtrun(words).stdout, golden('help.txt'), words.join(' '))
  for (const words of [
    ['--help', 'all'],
    ['--share', '//h/x', '--help', 'all'],
  ])
    assert.equal(nbtrun(words, { LANG: 'de_DE.UTF-8' }).stdout, golden('help-all.txt'), words.join(' '))
})

test('a command has its help', () => {
  for (const command of ['script', 'import', 'config', 'completion', 'names', 'doctor', 'runs', 'reap', 'sessions', 'shares', 'ipc', 'autodisconnect']) {
    const { status, stdout } = nbtrun([command, '--help'], { LANG: 'de_DE.UTF-8' })
    assert.deepEqual([status, stdout], [0, golden(`help-${command}.txt`)])
  }
})

test('help of every command has 80 columns at most, and no colour', () => {
  for (const name of readdirSync(new URL('golden/', import.meta.url)))
    for (const line of golden(name).split('\n')) {
      assert.ok(columns(line) <= 80, `${name}: ${line}`)
      assert.ok(!line.includes('\u001b'), name)
    }
})

test('words that the doctor does not understand are its exit code 2', () => {
  for (const [words, code] of [
    [['\\srv\\app'], 'SHELL_ATE_SHARE'],
    [['//srv', '--frob'], 'USAGE'],
    [['//srv', '--password', 'x'], 'PASSWORD_IN_ARGV'],
  ] as const) {
    const { status, stdout, stderr } = nbtrun(['doctor', ...words])
    assert.deepEqual([status, stdout], [2, ''], words.join(' '))
    assert.ok(stderr.trimEnd().endsWith(`[${code}]`), stderr)
  }
})

test('--version is that of the package', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  const { status, stdout } = nbtrun(['--version'])
  assert.deepEqual([status, stdout], [0, `${version}\n`])
})

test('a complaint is one line on stderr, and the code 125', () => {
  const S = ['--share', '//h/x']
  const table: [string[], string][] = [
    [[], 'there is nothing to run; nbtrun --share //server/share -- program; see nbtrun --help'],
    [S, 'no program is named; nbtrun --share //server/share -- program; see nbtrun --help'],
    [[...S, '--'], 'no program is named; nbtrun --share //server/share -- program; see nbtrun --help'],
    [['--', 'true'], 'no share is given; nbtrun --share //server/share -- program'],
    [['app'], 'app stands before any share; nbtrun --share //server/share -- app'],
    [[...S, '--frob', '--', 'true'], 'no such option or word: frob; see nbtrun --help'],
    [[...S, '--grce', '3', 'true'], 'no such option or word: grce; did you mean --grace?'],
    [['//srv/app', 'app'], '//srv/app stands before any share; write --share //srv/app -- program'],
    [['old.bat'], 'old.bat stands before any share; nbtrun import old.bat makes a run of a batch file; nbtrun --share //server/share -- old.bat runs it'],
    [
      ['use', 'X:', '//srv/app'],
      'use stands before any share; nbtrun has no net use: nbtrun --share //server/share -- program; nbtrun import makes it of a batch file',
    ],
    [['names', '--wnis', '10.0.0.2'], 'no such option or word: wnis; did you mean --wins?'],
    [['sessions', '//srv', '--josn'], 'no such option or word: josn; did you mean --json?'],
    [['reap', '--frget', 'x'], 'no such option or word: frget; did you mean --forget?'],
    [['autodisconnect', '//srv', '--wat'], 'no such option or word: wat; see nbtrun --help'], // --wait is none of its options
    [['shares'], 'a word is missing behind the command shares; see nbtrun shares --help'],
    [['shares', 'srv'], 'the server must be //server or //server/share, not srv; write //srv'],
    [['sesions', '//srv'], 'sesions stands before any share; did you mean nbtrun sessions?'],
    [[...S, '--grace', '--', 'true'], 'no value follows --grace; see nbtrun --help'],
    [[...S, '--port', '1', '--port', '2', 'true'], '--port is given 2 times; see nbtrun --help'],
    [[...S, '--quiet=no', 'true'], '--quiet takes no value; see nbtrun --help'],
    [[...S, '--$0=x', 'true'], 'the command line is not understood; see nbtrun --help'],
    [[...S, '--port', '-5', 'true'], '--port must be 1 to 65535, not -5; see nbtrun --help'],
    [[...S, '--grace', 'a\nb\u001b[31m', 'true'], '--grace must be a duration such as 3, 2.5s, 250ms, 10m or 1h, not a\\x0ab\\x1b[31m; see nbtrun --help'],
    [['--share', '\\srv\\app', '--', 'true'], '--share lost a backslash to the shell: \\srv\\app; put it into single quotes, or write //srv/app'],
  ]
  for (const [words, line] of table) {
    const { status, stdout, stderr } = nbtrun(words)
    const code = line.includes('shell') ? 'SHELL_ATE_SHARE' : 'USAGE'
    assert.deepEqual([status, stdout, stderr], [125, '', `nbtrun: ${line} [${code}]\n`], words.join(' '))
  }
})

test('no complaint repeats a password', () => {
  for (const words of [
    ['--share', '//h/x', '--password', 'gehe1m', 'true'],
    ['--password=gehe1m'],
    ['-pgehe1m', 'x'],
    ['--share', '//h/x', '-Ualice%gehe1m', 'true'],
    ['--share', '//alice:gehe1m@h/x', 'true'],
    ['-vv', '--share', '//h/x', '-U', 'alice%gehe1m', 'true'],
    ['--frob', '--share', '//h/x', '--passwd', 'gehe1m'],
  ]) {
    const { status, stdout, stderr } = nbtrun(words)
    assert.deepEqual([status, stdout], [125, ''], words.join(' '))
    assert.match(stderr, /^nbtrun: .*--password-file, --password-fd or --auth-file/, words.join(' '))
    assert.ok(!stderr.includes('gehe1m'), stderr)
  }
})

test('with -v causes follow, with -vv stacks', () => {
  const words = ['--share', '//h/x', '--password-file', join(folder, 'missing'), 'true']
  const quiet = nbtrun(words).stderr
  assert.match(quiet, /^nbtrun: .*missing cannot be read \(ENOENT\) \[FILE_ERROR\]\n$/)
  const causes = nbtrun(['-v', ...words]).stderr
  assert.match(causes, /^nbtrun: .*\nnbtrun: {3}because: Error: ENOENT.*\n$/)
  assert.match(nbtrun(['-vv', ...words]).stderr, /because: .*\n(nbtrun: {5}at .*\n)+$/)
})

test('a reader of stderr that is gone or slow does no harm', () => {
  const starter = `"${process.execPath}" --import tsx "${join(folder, 'start.mts')}"`
  const { stdout } = spawnSync(
    'bash',
    [
      '-c',
      `{ ${starter} --frob; echo $? >&3; } 2>&1 3>&1 >/dev/null | true; ${starter} --help all | true; echo "\${PIPESTATUS[0]}"; ${starter} --frob 2>&-; echo $?`,
    ],
    { cwd: root, encoding: 'utf8' },
  )
  assert.match(stdout, /0\n125\n$/)
})

test('unbuilt, the executable says how to build it', () => {
  mkdirSync(join(folder, 'bin'))
  copyFileSync(join(root, 'bin/nbtrun.js'), join(folder, 'bin/nbtrun.mjs'))
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, 'bin/nbtrun.mjs'), '--help'], { encoding: 'utf8' })
  assert.deepEqual([status, stdout, stderr], [125, '', 'nbtrun: not built; npm run build\n'])
})

test('nothing nbtrun writes has a colour or moves a cursor, with NO_COLOR or without', () => {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'))
  for (const name of sources) assert.doesNotMatch(readFileSync(join(root, 'src', name), 'utf8'), /\\(?:x1b|u001b|033|e)\[|styleText|hasColors/, name)
})
