import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { asError, CODES, type Code, errnoOf, NbtrunError } from '../../../src/base/errors.ts'
import { WireError } from '../../../src/base/wire.ts'

const codes = Object.keys(CODES) as Code[]

describe('the table of codes', () => {
  test('gives each failure one of the documented exit codes', () => {
    for (const code of codes) assert.ok([75, 125, 126, 127].includes(new NbtrunError(code, 'x').exit), code)
    const exits = Object.fromEntries(codes.filter(code => CODES[code].exit !== 125).map(code => [code, CODES[code].exit]))
    assert.deepEqual(exits, { NAME_HELD: 75, SHARE_FULL: 75, PROGRAM_NOT_RUNNABLE: 126, PROGRAM_NOT_FOUND: 127 })
  })

  test('is spelled in capitals, so that a code can be grepped', () => {
    for (const code of codes) assert.match(code, /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/)
  })
})

describe('NbtrunError', () => {
  test('carries code, message, cause, hint and facts, and nothing by default', () => {
    const cause = new Error('below')
    const full = new NbtrunError('FILE_ERROR', 'opening x', { cause, hint: 'do y', facts: { errno: 'EIO' } })
    assert.deepEqual([full.code, full.message, full.cause, full.hint, full.facts], ['FILE_ERROR', 'opening x', cause, 'do y', { errno: 'EIO' }])
    const bare = new NbtrunError('FILE_ERROR', 'opening x')
    assert.deepEqual([bare.hint, bare.facts, 'cause' in bare], [undefined, {}, false])
  })

  test('prints as one line: what, then what to do', () => {
    assert.equal(new NbtrunError('CLOSED', 'x is closed').line, 'x is closed')
    assert.equal(new NbtrunError('CLOSED', 'x is closed', { hint: 'open it' }).line, 'x is closed; open it')
    assert.equal(new NbtrunError('USAGE', 'no share').line, 'no share; see nbtrun --help')
    assert.equal(new NbtrunError('USAGE', 'no share', { hint: 'name one' }).line, 'no share; name one')
  })

  test('keeps its name on the prototype, subclasses too', () => {
    for (const error of [new NbtrunError('CLOSED', 'x'), new WireError('x', 3)]) {
      assert.equal(error.name, 'NbtrunError')
      assert.equal(Object.hasOwn(error, 'name'), false)
      assert.ok(error instanceof NbtrunError && error instanceof Error)
    }
  })
})

describe('asError', () => {
  test('finds too many open files behind whatever it was called, and says whose limit it is', () => {
    const emfile = Object.assign(new Error('EMFILE: too many open files, open /x'), { code: 'EMFILE' })
    const named = new NbtrunError('MAPPING_FAILED', 'the package koffi does not load', {
      hint: 'npm install koffi',
      cause: new Error('in between', { cause: emfile }),
    })
    for (const thrown of [emfile, named, new AggregateError([new Error('refused'), emfile])]) {
      const { code, line, cause } = asError(thrown)
      assert.deepEqual([code, cause], ['OUT_OF_DESCRIPTORS', emfile])
      assert.match(line, /^too many files are open \(EMFILE\); .*ulimit -n/)
    }
    assert.match(asError(Object.assign(new Error('x'), { code: 'ENFILE' })).line, /^too many files are open on this machine \(ENFILE\); .*fs\.file-max/)
    // the server's own shortage is not ours
    assert.equal(asError(new NbtrunError('FILE_ERROR', 'x', { facts: { errno: 'EMFILE' } })).code, 'FILE_ERROR')
  })

  test('leaves our own errors as they are', () => {
    const own = new WireError('x', 3)
    assert.equal(asError(own), own)
  })

  test('makes a stranger INTERNAL: its first line, itself as the cause', () => {
    const stranger = new TypeError('first\nsecond')
    const error = asError(stranger)
    assert.deepEqual([error.code, error.message, error.cause], ['INTERNAL', 'first', stranger])
  })

  test('takes whatever was thrown', () => {
    const strangers: [unknown, string][] = [
      [undefined, 'undefined'],
      [null, 'null'],
      [7, '7'],
      ['words', 'words'],
      [Symbol('s'), 'Symbol(s)'],
      [{}, '[object Object]'],
    ]
    for (const [thrown, message] of strangers) assert.deepEqual([asError(thrown).code, asError(thrown).message], ['INTERNAL', message])
  })
})

test('errnoOf reads the code of a system error, and only a string', () => {
  assert.equal(errnoOf(Object.assign(new Error('x'), { code: 'ENOENT' })), 'ENOENT')
  assert.equal(errnoOf(Object.assign(new Error('x'), { code: 2 })), undefined)
  assert.equal(errnoOf(new Error('x')), undefined)
  assert.equal(errnoOf({ code: 'ENOENT' }), undefined)
})
