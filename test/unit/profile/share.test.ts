import assert from 'node:assert/strict'
import { test } from 'node:test'
import { share } from '../../../src/profile/share.ts'

const plain = { host: 'srv', share: 'app', folder: '', point: undefined, drive: undefined, label: '//srv/app' }

test('a share is written in three ways', () => {
  for (const text of ['//srv/app', '\\\\srv\\app', 'smb://srv/app', 'SMB://srv/app', '//srv/app/', '\\\\srv\\app\\', '//srv\\app'])
    assert.deepEqual(share(text), plain, text)
})

test('a folder below the share is kept, in the spelling of the wire', () => {
  const expected = { ...plain, folder: 'a b\\c', label: '//srv/app/a b/c' }
  for (const text of ['//srv/app/a b/c', '\\\\srv\\app\\a b\\c\\', 'smb://srv/app/a%20b/c', '//srv/app//a b//c/']) assert.deepEqual(share(text), expected, text)
})

test('percent signs mean something in smb:// only', () => {
  assert.equal(share('//srv/100%25').share, '100%25')
  assert.equal(share('smb://srv/100%25').share, '100%')
  assert.throws(() => share('smb://srv/100%'), { code: 'USAGE' })
  assert.throws(() => share('smb://srv/a%2fb'), { code: 'USAGE' })
})

test('the point stands after the last equals sign before an absolute path or a drive letter', () => {
  const table: [string, string | undefined, string, string, string?][] = [
    ['//srv/app=/mnt/app', '/mnt/app', 'app', ''],
    ['\\\\srv\\app=/mnt/a=b', '/mnt/a=b', 'app', ''],
    ['//srv/app/x=y=/mnt', '/mnt', 'app', 'x=y'],
    ['//srv/app=p:', undefined, 'app', '', 'P:'],
    ['//srv/app/dir=P:', undefined, 'app', 'dir', 'P:'],
    ['//srv/app=C:\\mnt', 'C:\\mnt', 'app', ''],
    ['//srv/app/x=y', undefined, 'app', 'x=y'],
  ]
  for (const [text, point, name, folder, drive] of table) {
    const got = share(text)
    assert.deepEqual([got.point, got.share, got.folder, got.drive], [point, name, folder, drive], text)
  }
  assert.throws(() => share('//srv/app=/a=/b'), { code: 'USAGE' }, 'no share has an equals sign in its name')
  assert.throws(() => share('//srv/app=mnt'), { code: 'USAGE', message: 'must be //server/share, or //server/share=/absolute/folder, not //srv/app=mnt' })
})

test('IPv6 addresses stand in brackets', () => {
  assert.deepEqual(share('//[fe80::1%eth0]/app=/mnt'), { ...plain, host: 'fe80::1%eth0', point: '/mnt', label: '//[fe80::1%eth0]/app' })
  assert.equal(share('//[::1]/app').host, '::1')
  assert.equal(share('//10.0.0.5/app').host, '10.0.0.5')
  assert.throws(() => share('//fe80::1/app'), { message: 'has an IPv6 address without brackets', hint: 'write //[fe80::1]/share' })
  assert.throws(() => share('//[fe80::zz]/app'), { code: 'USAGE' })
  assert.throws(() => share('//srv:445/app'), { message: 'has a colon in the server', hint: 'a port goes into --port' })
})

test('what names no share is refused', () => {
  for (const text of [
    '',
    'app',
    'srv/app',
    '//',
    '//srv',
    '//srv/',
    '///app',
    '//srv//',
    'http://srv/app',
    '//srv/a:b',
    '//srv/a*',
    '//sr v/app',
    '//srv/app/../x',
    '//srv/app/./x',
    '//srv/a\nb',
    '//srv/app/b?',
    '//srv/app=/mnt\n',
  ])
    assert.throws(() => share(text), { code: 'USAGE' }, JSON.stringify(text))
})

test('IPC$ holds no files to map', () => {
  for (const text of ['//srv/IPC$', '\\\\srv\\ipc$', '//srv/IPC$=/mnt'])
    assert.throws(() => share(text), { code: 'USAGE', message: /holds no files to map/ }, text)
})

test('each trap of a shell has its own message', () => {
  const table: [string, RegExp, string][] = [
    ['\\srvapp', /^lost its backslashes to the shell: \\srvapp$/, 'put it into single quotes, or write //server/share'],
    ['\\srv\\app', /^lost a backslash to the shell/, 'put it into single quotes, or write //srv/app'],
    ['\\srv\\app=/mnt', /^lost a backslash to the shell/, 'put it into single quotes, or write //srv/app'],
    ['/srv/app', /^begins with one slash: \/srv\/app$/, 'write it with two: //srv/app'],
    ['C:/Program Files/Git/srv/app', /^is a local folder/, 'write //server/share; Git Bash makes such a folder of /server/share'],
    ['\\\\srv\\app"', /^has a quote in it/, 'drop the backslash before the closing quote'],
    ['\\\\srv\\app" -- app.exe', /^has a quote in it/, 'drop the backslash before the closing quote'],
  ]
  for (const [text, message, hint] of table) assert.throws(() => share(text), { code: 'SHELL_ATE_SHARE', message, hint }, text)
})

test('a password in a share is refused and not repeated', () => {
  const secret = 'gehe1m'
  for (const text of [
    `//alice:${secret}@srv/app`,
    `smb://alice:${secret}@srv/app`,
    `smb://DOM;alice:${secret}@srv/app`,
    `\\\\alice:${secret}@srv\\app`,
    `//dom/alice:${secret}@srv/app`,
    `//alice:a/${secret}@srv/app`,
    `alice:${secret}@srv/app`,
    `//alice:${secret}@srv:445/app=/mnt`,
  ])
    assert.throws(
      () => share(text),
      (error: { code: string; line: string; stack: string }) =>
        error.code === 'PASSWORD_IN_ARGV' &&
        !error.line.includes(secret) &&
        !error.stack.includes(secret) &&
        /--password-file.*--password-fd.*--auth-file/.test(error.line),
      text,
    )
})

test('a user in a share belongs into --user; an @ elsewhere is a name like any other', () => {
  assert.throws(() => share('smb://alice@srv/app'), { code: 'USAGE', hint: 'write //server/share and give the user with --user' })
  assert.equal(share('//srv/a@b').share, 'a@b')
  assert.equal(share('//srv/app/x@y=/mnt/z@w').folder, 'x@y')
  assert.equal(share('//[::1]/a@b').share, 'a@b')
  assert.equal(share('//srv/app=C:\\a@b').point, 'C:\\a@b')
})
