import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'nbtrun-script-'))
after(() => rmSync(folder, { recursive: true }))

const starter = join(folder, 'start.mts')
writeFileSync(starter, `import { start } from ${JSON.stringify(pathToFileURL(join(root, 'src/cli/main.ts')).href)}\nawait start(process.argv.slice(2))\n`)

function nbtrun(...words: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ['--import', 'tsx', starter, ...words], { cwd: root, encoding: 'utf8' })
}

/** A folder for PATH whose `nbtrun` records its words, each behind a 0 byte, and ends with a code. */
function stub(exit: number): string {
  const bin = join(folder, `bin-${exit}`)
  mkdirSync(bin, { recursive: true })
  writeFileSync(join(bin, 'nbtrun'), `#!/bin/sh\nprintf '%s\\0' "$@" >"$RECORD"\nexit ${exit}\n`)
  chmodSync(join(bin, 'nbtrun'), 0o755)
  return bin
}

const HOSTILE = [
  '',
  ' ',
  'a b',
  "it's",
  "''",
  '"q"',
  '%PATH%',
  '&',
  '; touch pwned',
  '$HOME',
  '$(touch pwned)',
  '`touch pwned`',
  '\\',
  '\\\\',
  '*',
  '~',
  '-x',
  '--',
  '!',
  '#',
  '(',
  'ü',
  '--share',
  '{mount}',
  '|',
  '>x',
  '007',
]

for (const shell of ['sh', 'dash', 'bash']) {
  const path = spawnSync('sh', ['-c', `command -v ${shell}`], { encoding: 'utf8' }).stdout.trim()

  for (const template of ['login', 'metered-launcher']) {
    test(`${template}.sh hands every word to nbtrun, read by ${shell}`, t => {
      if (path === '') return t.skip(`there is no ${shell}`)
      const { status, stdout, stderr } = nbtrun('script', template, '--share', "//srv/it's $HOME", '--auth-file', 'a b', '--', ...HOSTILE)
      assert.equal(status, 0, stderr)
      const script = join(folder, `${template}.sh`)
      writeFileSync(script, stdout)
      const record = join(folder, 'record')
      const given = template === 'login' ? [] : ['of the launcher', '$x']
      const done = spawnSync(path, [script, ...given], { cwd: folder, encoding: 'utf8', env: { PATH: `${stub(3)}:/usr/bin:/bin`, RECORD: record } })
      assert.deepEqual([done.status, done.stderr], [3, ''])
      const words = readFileSync(record, 'utf8').split('\0').slice(0, -1)
      assert.deepEqual(words, ['--share', "//srv/it's $HOME", '--auth-file', 'a b', '--', ...HOSTILE, ...given])
      assert.ok(!existsSync(join(folder, 'pwned')))
    })
  }

  test(`the metered launcher says when the seat is taken, read by ${shell}`, t => {
    if (path === '') return t.skip(`there is no ${shell}`)
    const env = { PATH: `${stub(75)}:/usr/bin:/bin`, RECORD: join(folder, 'record') }
    const { status, stderr } = spawnSync(path, [join(root, 'templates/metered-launcher.sh')], { encoding: 'utf8', env })
    assert.deepEqual([status, stderr], [75, 'All seats are taken. Please try again when a colleague has closed the program.\n'])
  })

  test(`without nbtrun a script says so, read by ${shell}`, t => {
    if (path === '') return t.skip(`there is no ${shell}`)
    for (const name of ['login.sh', 'metered-launcher.sh']) {
      const { status, stderr } = spawnSync(path, [join(root, 'templates', name)], { encoding: 'utf8', env: { PATH: join(folder, 'nothing') } })
      assert.deepEqual([status, stderr], [127, 'nbtrun is not installed or not in PATH\n'])
    }
  })
}

test('--list names each template', () => {
  const { stdout, status } = nbtrun('script', '--list')
  assert.equal(status, 0)
  assert.deepEqual(
    stdout.split('\n').map(line => line.split(' ', 1)[0]),
    ['login', 'metered-launcher', 'desktop', 'systemd', 'ansible', 'logon', 'logon-powershell', 'metered-launcher-cmd', ''],
  )
})

test('--program takes the words after it; words behind -- follow', () => {
  assert.match(
    nbtrun('script', 'login', '--program', 'app.exe', '/month:10', '--share', '//s/a', '--', '-x').stdout,
    /^exec nbtrun --share '\/\/s\/a' -- 'app\.exe' '\/month:10' '-x'$/m,
  )
})

test('without words of its own a script is its template, byte for byte', () => {
  assert.equal(nbtrun('script', 'logon').stdout, readFileSync(join(root, 'templates/logon.cmd'), 'utf8'))
})

test('--out writes a new file, executable for sh, and replaces one with --force alone', () => {
  const path = join(folder, 'out.sh')
  const { status: first, stdout, stderr: nothing } = nbtrun('script', 'login', '--out', path)
  assert.deepEqual([first, stdout, nothing], [0, '', ''])
  assert.equal(statSync(path).mode & 0o700, 0o700)
  writeFileSync(path, 'mine')
  const { status, stderr } = nbtrun('script', 'login', '--out', path)
  assert.deepEqual([status, stderr], [125, `nbtrun: ${path} exists; choose another name or add --force [FILE_ERROR]\n`])
  assert.equal(readFileSync(path, 'utf8'), 'mine')
  assert.equal(nbtrun('script', 'login', '--out', path, '--force').status, 0)
  assert.match(readFileSync(path, 'utf8'), /^exec nbtrun/m)
  assert.equal(nbtrun('script', 'logon', '--out', join(folder, 'out.cmd')).status, 0)
  assert.equal(statSync(join(folder, 'out.cmd')).mode & 0o111, 0)
})

test('what a run would refuse does not get into a script', () => {
  const table: [string[], RegExp][] = [
    [['login', '--share', '\\srv\\app'], /lost a backslash/],
    [['login', '--grace', 'soon'], /--grace must be a duration/],
    [['login', '--user', 'alice%gehe1m'], /--password-file/],
    [['login', '--password', 'gehe1m'], /--password-file/],
    [['login', '--', 'a\nb'], /control character/],
    [['nope'], /there is no template nope; nbtrun script --list/],
    [['lgoin'], /there is no template lgoin; did you mean login\? nbtrun script --list/],
    [[], /no template is named/],
    [['login', 'logon'], /no such option or word: logon/],
    [['login', '--frob'], /no such option or word: frob/],
    [['login', '--print', '--out', 'x'], /exclude each other/],
  ]
  for (const [words, line] of table) {
    const { status, stdout, stderr } = nbtrun('script', ...words)
    assert.deepEqual([status, stdout], [125, ''], words.join(' '))
    assert.match(stderr, line)
    assert.match(stderr, /^nbtrun: .*\n$/)
    assert.ok(!stderr.includes('gehe1m'))
  }
})
