import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, closeSync, fstatSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { parseAuthFile } from '../../../src/profile/authfile.ts'
import { credentials, findCredentials, parseUser } from '../../../src/profile/credentials.ts'
import { firstLine } from '../../../src/profile/secrets.ts'
import { resolve } from '../../../src/profile/settings.ts'
import type { Raw } from '../../../src/profile/words.ts'

const folder = mkdtempSync(join(tmpdir(), 'nbtrun-credentials-'))
after(() => rmSync(folder, { recursive: true }))

function file(name: string, text: string | Buffer, mode = 0o600): string {
  writeFileSync(join(folder, name), text)
  chmodSync(join(folder, name), mode)
  return name
}

const find = (raw: Raw) => findCredentials(resolve({ share: ['//srv/app'], ...raw }, {}, folder), folder)
const auth = (text: string) => {
  const { password, ...rest } = parseAuthFile(Buffer.from(text), 'f')
  return { ...rest, password: password?.toString() }
}

test('a user is written with a domain in front, or as one name', () => {
  assert.deepEqual(parseUser('DOM/alice'), { user: 'alice', domain: 'DOM' })
  assert.deepEqual(parseUser('DOM\\alice'), { user: 'alice', domain: 'DOM' })
  assert.deepEqual(parseUser('alice@dom.example'), { user: 'alice@dom.example', domain: '' })
  assert.deepEqual(parseUser('alice'), { user: 'alice', domain: '' })
  assert.deepEqual(parseUser('/alice'), { user: '/alice', domain: '' })
})

test('without a user the login name is taken, and a password must be asked for', async () => {
  assert.deepEqual(await find({}), { kind: 'user', user: userInfo().username, domain: '', password: undefined, needsPrompt: true })
})

test('anonymous and guest need no password', async () => {
  assert.deepEqual(await find({ anonymous: [''] }), { kind: 'anonymous', user: '', domain: '', password: Buffer.alloc(0), needsPrompt: false })
  assert.deepEqual(await find({ guest: [''] }), { kind: 'guest', user: 'guest', domain: '', password: Buffer.alloc(0), needsPrompt: false })
})

test('an auth file is read as smbclient and mount.cifs write it', () => {
  const table: [string, { user?: string; domain?: string; password?: string }][] = [
    ['username=alice\npassword=secret\ndomain=DOM\n', { user: 'alice', password: 'secret', domain: 'DOM' }],
    ['username = alice\npassword = secret\ndomain = DOM', { user: 'alice', password: 'secret', domain: 'DOM' }],
    ['\ufeffusername=alice\r\npassword=secret\r\n', { user: 'alice', password: 'secret' }],
    ['# a comment = x\n; password=no\n\n  User = alice \n\tPASS=x\n', { user: 'alice', password: 'x' }],
    ['username=alice\npassword=a=b #c;% ü \nrealm=X\nnonsense\n', { user: 'alice', password: 'a=b #c;% ü ' }],
    ['username=alice\npassword=\n', { user: 'alice', password: '' }],
    ['password=first\npassword=second', { password: 'second' }],
    ['username=alice', { user: 'alice' }],
  ]
  for (const [text, { user, domain, password }] of table) assert.deepEqual(auth(text), { user, domain, password }, JSON.stringify(text))
})

test('an auth file without user and password, or in UTF-16, is refused', () => {
  assert.throws(() => auth('alice\nsecret\n'), { code: 'FILE_ERROR', message: 'f names no user and no password' })
  assert.throws(() => parseAuthFile(Buffer.from('\ufeffusername=a', 'utf16le'), 'f'), { code: 'FILE_ERROR', message: 'f is not UTF-8 text' })
})

test('what was read is wiped, and the password lives in a buffer of its own', () => {
  const bytes = Buffer.from('username=alice\npassword=secret\n')
  const { password } = parseAuthFile(bytes, 'f')
  assert.equal(password?.toString(), 'secret')
  assert.ok(bytes.every(b => b === 0))
  const line = Buffer.from('secret\nmore')
  assert.equal(firstLine(line).toString(), 'secret')
  assert.ok(line.every(b => b === 0))
})

test('the first line is the password, without its newline and with its blanks', () => {
  for (const [text, expected] of [
    ['secret\n', 'secret'],
    ['secret\r\n', 'secret'],
    ['secret', 'secret'],
    [' a b \n\n', ' a b '],
    ['\nsecret', ''],
    ['', ''],
    ['x\r', 'x\r'],
  ] as const)
    assert.equal(firstLine(Buffer.from(text)).toString(), expected, JSON.stringify(text))
})

test('--auth-file gives user, domain and password; --user goes before its user', async () => {
  const path = file('auth', 'username=DOM/alice\npassword=secret\n')
  assert.deepEqual(await find({ 'auth-file': [path] }), { kind: 'user', user: 'alice', domain: 'DOM', password: Buffer.from('secret'), needsPrompt: false })
  assert.deepEqual((await find({ 'auth-file': [path], user: ['bob'] })).user, 'bob')
  const other = file('auth2', 'username=alice\ndomain=DOM\n')
  assert.deepEqual(await find({ 'auth-file': [other] }), { kind: 'user', user: 'alice', domain: 'DOM', password: undefined, needsPrompt: true })
})

test('--password-file is relative to the current folder', async () => {
  const found = await find({ user: ['alice'], 'password-file': [file('pw', 'secret\n')] })
  assert.deepEqual([found.password?.toString(), found.needsPrompt], ['secret', false])
})

test('a file that others can read is refused', async () => {
  for (const mode of [0o644, 0o640, 0o604, 0o660])
    for (const option of ['auth-file', 'password-file'] as const)
      await assert.rejects(find({ [option]: [file('open', 'username=a\npassword=b\n', mode)] }), {
        code: 'FILE_ERROR',
        message: new RegExp(`can be read by others \\(mode 0${mode.toString(8)}\\)`),
        hint: /^chmod 600 /,
      })
})

test('a file that cannot be read, or never ends, is refused', async () => {
  await assert.rejects(find({ 'password-file': ['missing'] }), { code: 'FILE_ERROR', message: /missing cannot be read \(ENOENT\)/ })
  const tilde = { code: 'FILE_ERROR', hint: 'the shell left ~ as it was: a blank before it, not =, or $HOME instead' }
  await assert.rejects(find({ 'password-file': ['~/missing'] }), tilde)
  await assert.rejects(find({ 'password-file': ['.'] }), { code: 'FILE_ERROR', message: /cannot be read \(EISDIR\)/ })
  await assert.rejects(find({ 'password-file': ['/dev/zero'] }), { code: 'FILE_ERROR', message: '/dev/zero is longer than 65536 bytes' })
})

test('--password-fd reads a file to its end and closes it', async () => {
  const fd = openSync(join(folder, file('pw3', 'secret\n')), 'r')
  assert.equal((await find({ 'password-fd': [String(fd)] })).password?.toString(), 'secret')
  assert.throws(() => fstatSync(fd), { code: 'EBADF' })
  await assert.rejects(find({ 'password-fd': [String(fd)] }), { code: 'FILE_ERROR', message: `descriptor ${fd} cannot be read (EBADF)` })
})

test('--password-fd reads a pipe whose writer takes its time, and closes it', () => {
  const code = `
    import { fstatSync } from 'node:fs'
    import { readSecretFd, firstLine } from './src/profile/secrets.ts'
    const line = firstLine(await readSecretFd(3))
    let closed = false
    try { fstatSync(3) } catch { closed = true }
    console.log(JSON.stringify([line.toString(), closed]))`
  const out = execFileSync('sh', [
    '-c',
    '{ printf sec; sleep 0.05; echo ret; } | { exec 3<&0 0</dev/null; exec "$@"; }',
    'sh',
    process.execPath,
    '--import',
    'tsx',
    '--input-type=module',
    '-e',
    code,
  ])
  assert.deepEqual(JSON.parse(out.toString()), ['secret', true])
})

test('a file descriptor can be a password source more than once per process', async () => {
  for (const secret of ['one', 'two']) {
    const fd = openSync(join(folder, file(secret, secret)), 'r')
    assert.equal((await find({ 'password-fd': [String(fd)] })).password?.toString(), secret)
    assert.throws(() => closeSync(fd), { code: 'EBADF' })
  }
})

test('without a terminal nobody is asked: the three ways are named', () => {
  const code = `
    import { credentials } from './src/profile/credentials.ts'
    await credentials({ kind: 'user', user: 'alice', domain: 'DOM', password: undefined, needsPrompt: true }, 'srv').catch(e => console.log(JSON.stringify([e.code, e.line])))`
  const { stdout } = spawnSync('setsid', ['--wait', process.execPath, '--import', 'tsx', '--input-type=module', '-e', code], { encoding: 'utf8' })
  assert.deepEqual(JSON.parse(stdout), [
    'NO_PASSWORD',
    'no password for DOM/alice on srv, and no terminal to ask on; use --password-file, --password-fd or --auth-file, or leave it out to be asked',
  ])
})

test('a password that is known is not asked for', async () => {
  const password = Buffer.from('secret')
  assert.deepEqual(await credentials({ kind: 'user', user: 'alice', domain: '', password, needsPrompt: false }, 'srv'), {
    kind: 'user',
    user: 'alice',
    domain: '',
    password,
  })
})
