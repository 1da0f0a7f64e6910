import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assignment, choice, duration, netbiosName, passwordFd, port, scope, shown, sink, sinkOrPeople, timeout, yes } from '../../../src/profile/values.ts'

test('a duration is seconds, or has a unit', () => {
  const table: [string, number][] = [
    ['0', 0],
    ['3', 3000],
    ['2.5', 2500],
    ['.5', 500],
    ['2.', 2000],
    ['250ms', 250],
    ['3s', 3000],
    ['1.5m', 90_000],
    ['1h', 3_600_000],
    ['24h', 86_400_000],
  ]
  for (const [text, ms] of table) assert.equal(duration(text), ms, text)
})

test('what is no duration is refused with examples', () => {
  for (const text of ['', ' ', '-1', '+1', '1e3', '0x10', '3 s', '3S', '3d', '.', 'ms', 'Infinity', 'NaN', '1:30', '3s\n'])
    assert.throws(() => duration(text), { code: 'USAGE', message: /^must be a duration such as 3, 2\.5s, 250ms, 10m or 1h, not / }, JSON.stringify(text))
})

test('a duration that no timer can hold is refused', () => {
  assert.equal(duration('576h'), 24 * 86_400_000)
  assert.throws(() => duration('577h'), { message: 'must be at most 24 days, not 577h' })
  assert.throws(() => duration('9'.repeat(400)), { message: /^must be at most 24 days/ })
})

test('a timeout is longer than nothing', () => {
  assert.equal(timeout('1ms'), 1)
  assert.throws(() => timeout('0s'), { message: 'must be longer than 0, not 0s' })
})

test('a port is 1 to 65535', () => {
  assert.equal(port('1'), 1)
  assert.equal(port('65535'), 65_535)
  for (const text of ['0', '65536', '-1', '445x', '0x1bd', '4.5', '', '99999999999'])
    assert.throws(() => port(text), { code: 'USAGE', message: `must be 1 to 65535, not ${text === '' ? '""' : text}` })
})

test('a choice is one of its words, spelled exactly', () => {
  const parse = choice('tree', 'app')
  assert.equal(parse('app'), 'app')
  for (const text of ['App', 'ap', 'tree ', '']) assert.throws(() => parse(text), { message: /^must be tree or app, not / })
})

test('a variable splits at its first equals sign', () => {
  assert.deepEqual(assignment('A=b=c'), { name: 'A', value: 'b=c' })
  assert.deepEqual(assignment('A='), { name: 'A', value: '' })
  for (const text of ['A', '=b', '']) assert.throws(() => assignment(text), { message: /^must be NAME=VALUE, not / })
})

test('a NetBIOS name has 1 to 15 characters and capitals', () => {
  assert.equal(netbiosName('fileserver-12'), 'FILESERVER-12')
  assert.equal(netbiosName('*SMBSERVER'), '*SMBSERVER')
  assert.equal(netbiosName('bücher'), 'BüCHER')
  for (const text of ['', ' ', 'sixteencharacter', 'a\u0000b', 'кафе']) assert.throws(() => netbiosName(text), { code: 'USAGE' }, text)
})

test('a scope has labels of up to 63 characters', () => {
  assert.equal(scope('floor1.example'), 'FLOOR1.EXAMPLE')
  for (const text of ['', '.', 'a..b', 'a b', 'x'.repeat(64), Array(80).fill('abc').join('.')]) assert.throws(() => scope(text), { code: 'USAGE' }, text)
})

test('a sink is a file or a descriptor; a receipt may also go to people', () => {
  assert.deepEqual(sink('r.json'), { file: 'r.json' })
  assert.deepEqual(sink('fd:7'), { fd: 7 })
  assert.equal(sinkOrPeople('-'), 'people')
  assert.deepEqual(sinkOrPeople('fd:2'), { fd: 2 })
  for (const text of ['', '-', 'fd:', 'fd:x', 'fd:-1', 'fd:0', 'fd:1.5']) assert.throws(() => sink(text), { code: 'USAGE' }, text)
})

test('a password comes from stdin or from above stderr', () => {
  assert.equal(passwordFd('0'), 0)
  assert.equal(passwordFd('3'), 3)
  for (const text of ['1', '2', '-1', 'x', '']) assert.throws(() => passwordFd(text), { message: /^must be 0 or a descriptor above 2, not / })
})

test('a flag in the environment is a yes or a no', () => {
  for (const text of ['1', 'true', 'YES', 'on']) assert.equal(yes(text), true)
  for (const text of ['0', 'False', 'no', 'off']) assert.equal(yes(text), false)
  assert.throws(() => yes('maybe'), { message: 'must be 1 or 0, not maybe' })
})

test('what a user wrote is shown without control characters and not at full length', () => {
  assert.equal(shown('a\u001b[31mb\n\u009b'), 'a\\x1b[31mb\\x0a\\x9b')
  assert.equal(shown(''), '""')
  assert.equal(shown('x'.repeat(500)).length, 121)
})
