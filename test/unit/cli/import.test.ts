import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'nbtrun-import-'))
after(() => rmSync(folder, { recursive: true }))
const starter = join(folder, 'start.mts')
writeFileSync(starter, `import { start } from ${JSON.stringify(pathToFileURL(join(root, 'src/cli/main.ts')).href)}\nawait start(process.argv.slice(2))\n`)

function nbtrun(...words: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ['--import', 'tsx', starter, ...words], { cwd: root, encoding: 'utf8', env: { PATH: process.env['PATH'], HOME: folder } })
}

function batch(name: string, ...lines: string[]): string {
  const file = join(folder, name)
  writeFileSync(file, lines.map(line => `${line}\r\n`).join(''))
  return file
}

const PAYROLL = batch('payroll.bat', 'net use P: \\\\srv\\pay gehe1m /user:ACME\\pay', "P:\\it's.exe /m:10", 'ping -n 6 x', 'net use P: /d')
const AUTH = join(folder, '.config/nbtrun/srv.auth')

test('a batch file becomes a line, a profile and a script; its password an auth file that only its owner reads', () => {
  const { status, stdout, stderr } = nbtrun('import', PAYROLL)
  assert.equal(status, 0, stderr)
  assert.match(stdout, /^ {3}1 \+ net use P: \\\\srv\\pay \*\*\* \/user:ACME\\pay\n {9}--share \/\/srv\/pay; /m)
  assert.ok(stdout.includes(`    nbtrun --share //srv/pay --auth-file ${AUTH} --grace 5s -- '{mount}/it'\\''s.exe' /m:10\n`), stdout)
  assert.match(stdout, /^ {4}program = \["{mount}\/it's\.exe", "\/m:10"\]$/m)
  assert.match(stdout, /^ {4}exec nbtrun --share /m)
  assert.equal(readFileSync(AUTH, 'utf8'), 'username = ACME/pay\npassword = gehe1m\n')
  assert.equal(statSync(AUTH).mode & 0o777, 0o600)
  assert.match(stderr, /^nbtrun: the password is in .*srv\.auth; it still stands in .*payroll\.bat: take it out there, and change it\n$/)
  assert.ok(!(stdout + stderr).includes('gehe1m'))
})

test('an auth file that is there stays, unless --force says otherwise', () => {
  writeFileSync(AUTH, 'mine', { mode: 0o644 })
  const { status, stderr } = nbtrun('import', PAYROLL)
  assert.deepEqual([status, stderr], [125, `nbtrun: ${AUTH} exists; choose another name or add --force [FILE_ERROR]\n`])
  assert.equal(readFileSync(AUTH, 'utf8'), 'mine')
  assert.equal(nbtrun('import', PAYROLL, '--force').status, 0)
  assert.match(readFileSync(AUTH, 'utf8'), /gehe1m/)
  assert.equal(statSync(AUTH).mode & 0o777, 0o600)
})

test('--print gives one of them alone, for a file or a pipe', () => {
  const other = ['--auth-file', join(folder, 'other.auth'), '--force']
  assert.match(nbtrun('import', PAYROLL, '--print', 'line', ...other).stdout, /^nbtrun --share [^\n]*\n$/)
  assert.match(nbtrun('import', PAYROLL, '--print', 'profile', ...other).stdout, /^share = \["\/\/srv\/pay"\]\nauth-file = "[^\n]*\n/)
  const script = nbtrun('import', PAYROLL, '--print', 'script', ...other).stdout
  assert.match(script, /^#!\/bin\/sh\n/)
  assert.equal(spawnSync('sh', ['-n'], { input: script }).status, 0)
})

test('what is not taken over is said, and ends with 1; what is no run with 125, without an auth file', () => {
  const some = nbtrun('import', batch('some.bat', 'net use P: \\\\srv\\pay', 'P:\\a.exe', 'copy P:\\x C:\\'))
  assert.equal(some.status, 1)
  assert.equal(some.stderr, 'nbtrun: one line is not taken over\n')
  const loop = nbtrun('import', batch('loop.bat', ':a', 'net use P: \\\\loop\\pay gehe1m', 'if errorlevel 1 goto a', 'P:\\a.exe'))
  assert.equal(loop.status, 125)
  assert.match(loop.stderr, /^nbtrun: .*loop\.bat is no run: line 3 goes back to :a: a loop is no run/)
  assert.ok(!existsSync(join(folder, '.config/nbtrun/loop.auth')))
  assert.ok(!(loop.stdout + loop.stderr).includes('gehe1m'))
})

test('a variable that the file leaves open is defined on the line, and its value is no password to be repeated', () => {
  const file = batch('open.bat', 'net use P: \\\\%SRV%\\pay %PW%', 'P:\\a.exe %1')
  assert.match(nbtrun('import', file).stderr, /open\.bat is no run/)
  const { stdout, stderr } = nbtrun('import', file, '--define', 'SRV=s9', '--define', 'PW=gehe1m', '--define', '1=x')
  assert.match(stdout, /nbtrun --share \/\/s9\/pay --auth-file \S*\/s9\.auth -- {mount}\/a\.exe x\n/)
  assert.ok(!(stdout + stderr).includes('gehe1m'))
})

test('what cannot be read or is not named is one line', () => {
  for (const [words, line] of [
    [['import'], /a word is missing behind the command/],
    [['import', join(folder, 'nothing.bat')], /nothing\.bat cannot be read \(ENOENT\)/],
    [['import', PAYROLL, '--print', 'poem'], /print/],
    [['import', PAYROLL, '--define', 'gehe1m'], /--define must be NAME=VALUE/],
  ] as const) {
    const { status, stdout, stderr } = nbtrun(...words)
    assert.deepEqual([status, stdout], [125, ''])
    assert.match(stderr, line)
    assert.match(stderr, /^nbtrun: .*\n$/)
    assert.ok(!stderr.includes('gehe1m'))
  }
})
