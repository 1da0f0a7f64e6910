import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { importBatch, type Imported } from '../../../../src/profile/batch/batch.ts'
import { pieces } from '../../../../src/profile/batch/syntax.ts'
import { readBatch } from '../../../../src/profile/batch/text.ts'
import { randomWords } from '../../cli/hostile.ts'

const fixtures = new URL('fixtures/', import.meta.url)
const golden = new URL('golden/', import.meta.url)
/** The passwords in the fixtures. */
const SECRETS = ['s3cr&t', 's3cr^&t', 'Summer2024!', 'Gehe1m!x', 'pw-one', 'pw-two', '0ld-one']

/** What became of each line, and the run, as one text. */
function told(name: string): string {
  const { lines, encoding } = readBatch(readFileSync(new URL(name, fixtures)))
  const { rows, password, ...run } = importBatch(lines)
  const table = rows.map(({ line, kind, text, became }) => `${line} ${kind}: ${text}\n    ${became}`)
  return `${encoding}\n${table.join('\n')}\n${JSON.stringify({ ...run, password: password === undefined ? 'none' : 'found' }, undefined, 2)}\n`
}

for (const name of readdirSync(fixtures))
  test(`${name} becomes what stands in its golden file, and shows no password`, () => {
    const text = told(name)
    assert.equal(text, readFileSync(new URL(`${name}.txt`, golden), 'utf8'))
    for (const secret of SECRETS) assert.ok(!text.includes(secret), secret)
  })

const read = (...lines: string[]): Imported => importBatch(lines)
const lost = ({ rows }: Imported): number[] => rows.filter(({ kind }) => kind === 'lost').map(({ line }) => line)

test('the batch file of Q231795 is one run', () => {
  const { shares, program, rows, ...run } = read('net use X: \\\\server\\app', 'X:\\app.exe', 'net use X: /delete')
  assert.deepEqual([shares, program, rows.length, lost({ shares, program, rows, ...run })], [['//server/app'], ['{mount}/app.exe'], 3, []])
})

test('passwords are found wherever they stand', () => {
  const found = read(
    'rem net use A: \\\\s\\a 0ld-one',
    'net use A: \\\\s\\a pw^-one /user:x',
    'A:\\a.exe',
    'goto :eof',
    ':never',
    'net use A: \\\\s\\a "pw two"',
    'app /password:pw-3 x',
    'set P=pw-4',
    'net use A: \\\\s\\a %P%',
  )
  assert.equal(found.password, 'pw-one')
  const text = JSON.stringify({ ...found, password: '' })
  for (const secret of ['0ld-one', 'pw-one', 'pw^-one', 'pw two', 'pw-3', 'pw-4']) assert.ok(!text.includes(secret), secret)
})

test('a password among the words of the program, or in its environment, is not handed on', () => {
  const found = read('set TOKEN=pw-one', 'net use A: \\\\s\\a pw-one', 'A:\\a.exe /pw=pw-one')
  assert.deepEqual([found.env, found.program, lost(found)], [[], undefined, [1, 3]])
})

test('a password that is a common word does not stand in the way of the program', () => {
  const found = read('net use A: \\\\s\\app app /user:app', 'A:\\app.exe /app:1 xapp')
  assert.deepEqual([found.password, found.shares, found.program], ['app', ['//s/app'], undefined])
  assert.deepEqual(read('net use A: \\\\s\\app app', 'A:\\app.exe xapp').program, ['{mount}/app.exe', 'xapp'])
})

test('waits: before the mapping for the network, in between for nothing, behind the program its grace', () => {
  for (const [wait, seconds] of [
    ['ping -n 6 127.0.0.1 >nul', 5],
    ['timeout /t 7 /nobreak', 7],
    ['timeout 7', 7],
    ['choice /c yn /t 3 /d y >nul', 3],
    ['choice /c:yn /t:y,4', 4],
    ['C:\\tools\\sleep.exe 2', 2],
  ] as const) {
    const { waitSeconds, graceSeconds } = read(wait, 'net use A: \\\\s\\a', wait, 'A:\\a.exe', wait, 'net use A: /d')
    assert.deepEqual([waitSeconds, graceSeconds], [seconds, seconds], wait)
  }
})

test('folders: drives keep theirs, subst and pushd lead on, what is no share is said', () => {
  const chdir = (...lines: string[]): string | undefined => read('net use A: \\\\s\\a', ...lines, 'A:\\a.exe').chdir
  assert.equal(chdir(), undefined)
  assert.equal(chdir('A:'), '{mount}')
  assert.equal(chdir('cd /d A:\\x\\y', 'cd ..'), '{mount}/x')
  assert.equal(chdir('cd A:\\x', 'A:'), '{mount}/x')
  assert.equal(chdir('subst B: A:\\x', 'B:', 'cd y'), '{mount}/x/y')
  assert.equal(chdir('pushd \\\\s\\a\\z'), '{mount}/z')
  assert.deepEqual(lost(read('net use A: \\\\s\\a', 'cd /d C:\\x', 'A:\\a.exe')), [2])
})

test('a loop is refused, whatever it waits for', () => {
  for (const lines of [
    [':a', 'net use A: \\\\s\\a', 'if errorlevel 1 goto a', 'A:\\a.exe'],
    [':a', 'net use A: \\\\s\\a', 'A:\\a.exe', 'goto :A'],
  ])
    assert.match(read(...lines).refused ?? '', /^line \d goes back to :a: a loop is no run/)
})

test('a line is taken apart as cmd does', () => {
  const words = (line: string): unknown => pieces(line).map(piece => (typeof piece === 'string' ? piece : [piece.after, ...piece.words, ...piece.redirections]))
  assert.deepEqual(words('a "b & c" ^& d&e && f || g | h'), [
    ['', 'a', 'b & c', '&', 'd'],
    ['&', 'e'],
    ['&&', 'f'],
    ['||', 'g'],
    ['|', 'h'],
  ])
  assert.deepEqual(words('if x (a b) else (c)'), [['', 'if', 'x'], '(', ['', 'a', 'b'], ')', ['', 'else'], '(', ['', 'c'], ')'])
  assert.deepEqual(words('app > out.txt 2>&1 <"in file"'), [['', 'app', '>out.txt', '2>&1', '<"in file"']])
  assert.deepEqual(words('app (x)'), [['', 'app', '(x)']])
  assert.deepEqual(words('@echo off'), [['', 'echo', 'off']])
})

test('no text is too odd to be read, and no password gets through', () => {
  const seed = 153_070
  const odd = randomWords(seed, 4000)
  for (let at = 0; at < odd.length; at += 8) {
    const lines = [`net use A: \\\\s\\a hunter2${at} /user:x`, ...odd.slice(at, at + 8), `echo hunter2${at}`, 'A:\\a.exe']
    const found = importBatch(lines)
    assert.ok(!JSON.stringify({ ...found, password: '' }).includes(`hunter2${at}`), `seed ${seed}, lines ${at}: ${JSON.stringify(lines)}`)
  }
})
