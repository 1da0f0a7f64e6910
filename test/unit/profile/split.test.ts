import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refusePasswords, split } from '../../../src/profile/split.ts'
import { optionsAt, parse, spread } from '../../../src/profile/words.ts'

const S = ['--share', '//h/x']

test('options end at the first --, which belongs to nobody', () => {
  assert.deepEqual(split([...S, '--', 'app', '--', '-v'], false), { own: S, program: ['app', '--', '-v'] })
  assert.deepEqual(split(['--', ...S], false), { own: [], program: S })
  assert.deepEqual(split([...S, '--'], false), { own: S, program: [] })
})

test('after a share, options end at the first word that is none', () => {
  const table: [string[], string[]][] = [
    [
      [...S, 'app', '--', '-v'],
      ['app', '--', '-v'],
    ],
    [[...S, '-vv', 'app'], ['app']],
    [
      [...S, '-q', '--grace', '3s', 'app', '--grace'],
      ['app', '--grace'],
    ],
    [[...S, '--grace=3s', 'app'], ['app']],
    [[...S, '-U', 'alice', 'app'], ['app']],
    [[...S, '-Ualice', 'app'], ['app']],
    [[...S, '-A=file', 'app'], ['app']],
    [[...S, '-vUalice', 'app'], ['app']],
    [[...S, '-vU', 'alice', 'app'], ['app']],
    [[...S, '--credentials', 'file', 'app'], ['app']],
    [[...S, '--receipt', '-', 'app'], ['app']],
    [[...S, '-'], ['-']],
    [[...S, ''], ['']],
    [['--share=//h/x', 'app'], ['app']],
    [['-v', ...S, ...S, 'app'], ['app']],
  ]
  for (const [words, program] of table) assert.deepEqual(split(words, false), { own: words.slice(0, words.length - program.length), program }, words.join(' '))
})

test('before a share no word is a program, unless the environment names the share', () => {
  assert.deepEqual(split(['app', '-v'], false), { own: ['app', '-v'], program: undefined })
  assert.deepEqual(split(['app', '-v'], true), { own: [], program: ['app', '-v'] })
  assert.deepEqual(split(['--grace', '3s', 'app'], true), { own: ['--grace', '3s'], program: ['app'] })
})

test('a value is not a program, and a program is not a value', () => {
  assert.deepEqual(split(['--user', '--share', '//h/x', 'app'], false).program, ['app'], '--user lacks its value')
  assert.deepEqual(split(['--mount', '--', 'app'], false), { own: ['--mount'], program: ['app'] })
})

test("the program's words stay byte for byte", () => {
  const program = ['007', '1e3', '0x10', '--', '--share', '', ' a\n', '{mount}', '-p', '--password=x', '\\']
  assert.deepEqual(split([...S, '--', ...program], false).program, program)
  assert.deepEqual(split([...S, ...program], false).program, program)
})

test('letters may stand together, the last with its value', () => {
  assert.deepEqual(spread('-vvq'), ['--verbose', '--verbose', '--quiet'])
  assert.deepEqual(spread('-vUalice'), ['--verbose', '--user=alice'])
  assert.deepEqual(spread('-U=alice'), ['--user=alice'])
  assert.deepEqual(spread('-Uvv'), ['--user=vv'])
  assert.deepEqual(spread('-vA'), ['--verbose', '--auth-file'])
  assert.equal(spread('-vx'), undefined)
})

test('a value that begins with a dash needs an equals sign', () => {
  assert.equal(optionsAt(['--user', '-x'], 0), undefined)
  assert.equal(optionsAt(['--user'], 0), undefined)
  assert.deepEqual(optionsAt(['--user=-x'], 0), { given: [['user', '-x']], next: 1 })
  assert.deepEqual(optionsAt(['--receipt', '-'], 0), { given: [['receipt', '-']], next: 2 })
})

test('only a line of known, complete options parses', () => {
  assert.deepEqual(parse(['--share=//h/x', '--share', '//h/y', '-vv', '--credentials', 'f', '-q']), {
    share: ['//h/x', '//h/y'],
    verbose: ['', ''],
    'auth-file': ['f'],
    quiet: [''],
  })
  for (const own of [
    ['--nope'],
    ['word'],
    ['--user'],
    ['--quiet=1'],
    ['--port', '1', '--port', '2'],
    ['-A', 'f', '--credentials', 'g'],
    ['--no-quiet'],
    ['--sha', '//h/x'],
    ['---user', 'a'],
    ['--=x'],
    ['--authFile', 'x'],
  ])
    assert.equal(parse(own), undefined, own.join(' '))
})

test('a password on the command line is refused by the name of its option alone', () => {
  for (const words of [
    ['--password', 'gehe1m'],
    ['--password=gehe1m'],
    ['-p', 'gehe1m'],
    ['-pgehe1m'],
    ['-Pgehe1m'],
    ['--pass', 'gehe1m'],
    ['--passwd=gehe1m'],
    ['-password', 'gehe1m'],
    ['-v', '--pw', 'gehe1m'],
    ['--PASSWORD=gehe1m'],
  ])
    assert.throws(
      () => refusePasswords(words),
      (error: { code: string; line: string }) =>
        error.code === 'PASSWORD_IN_ARGV' && !error.line.includes('gehe1m') && /--password-file.*--password-fd.*--auth-file/.test(error.line),
      words.join(' '),
    )
})

test('what only resembles a password option passes', () => {
  refusePasswords(['--password-file', 'f', '--password-fd', '3', '--port', '445', '--chdir=--password', '--user', 'p', '-vv', '--program-from', 'path'])
})
