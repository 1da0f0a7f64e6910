import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { NbtrunError } from '../../../src/base/errors.ts'
import { type Acquire, Scope, type Step } from '../../../src/base/scope.ts'
import { deferred } from '../../../src/base/time.ts'
import { noTimers } from './timers.ts'

const never = new AbortController().signal
const hang = (): Promise<never> => new Promise(() => {})

/** Takes a name, and gives it back as `undo` says. */
function taking(name: string, undo: Acquire<string>['undo'] = async () => {}, undoMs = 1000): Acquire<string> {
  return { open: async () => name, undo, undoMs }
}

const brief = ({ phase, name, ok, code, status }: Step): unknown[] => [
  phase,
  name,
  ok,
  ...(code === undefined ? [] : [code]),
  ...(status === undefined ? [] : [status]),
]

async function timed(work: Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work
  return performance.now() - began
}

describe('the unwind', () => {
  test('undoes all, newest first, though one failed and one hung', async () => {
    const scope = new Scope(never)
    const undone: string[] = []
    const giveBack = async (value: string): Promise<void> => void undone.push(value)
    await scope.acquire('connect', 'a', taking('a', giveBack))
    await scope.acquire('connect', 'b', taking('b', hang, 20))
    await scope.acquire('connect', 'c', taking('c', giveBack))
    await scope.acquire(
      'connect',
      'd',
      taking('d', () => Promise.reject(new NbtrunError('SERVER_REFUSED', 'no'))),
    )
    await scope.acquire('map', 'e', taking('e', giveBack))
    const steps = await scope.unwind()
    assert.deepEqual(undone, ['e', 'c', 'a'])
    assert.deepEqual(steps.slice(5).map(brief), [
      ['teardown', 'e', true],
      ['teardown', 'd', false, 'SERVER_REFUSED'],
      ['teardown', 'c', true],
      ['teardown', 'b', false, 'TIMED_OUT'],
      ['teardown', 'a', true],
    ])
    noTimers()
  })

  test('waits for each undo before the next', async () => {
    const scope = new Scope(never)
    const { promise, resolve } = deferred<void>()
    let first = false
    await scope.acquire(
      'connect',
      'a',
      taking('a', async () => void (first = true)),
    )
    await scope.acquire(
      'connect',
      'b',
      taking('b', () => promise),
    )
    const unwinding = scope.unwind()
    await new Promise(setImmediate)
    assert.equal(first, false)
    resolve()
    await unwinding
    assert.equal(first, true)
  })

  test('happens once, whoever asks', async () => {
    const scope = new Scope(never)
    let undos = 0
    await scope.acquire(
      'connect',
      'a',
      taking('a', async () => void undos++),
    )
    const [one, two] = await Promise.all([scope.unwind(), scope.unwind()])
    assert.equal(one, two)
    assert.equal(await scope.unwind(), one)
    assert.equal(undos, 1)
  })

  test('never rejects, whatever an undo throws', async () => {
    const scope = new Scope(never)
    const atOnce = (): never => {
      throw new Error('x')
    }
    const undos = [atOnce, () => Promise.reject(new Error('x')), () => Promise.reject('words' as unknown as Error)]
    for (const undo of undos) await scope.acquire('connect', 'a', taking('a', undo))
    assert.deepEqual(
      (await scope.unwind()).slice(3).map(({ ok, code }) => [ok, code]),
      Array(3).fill([false, 'INTERNAL']),
    )
  })

  test('tells an undo by its signal that its time is over', async () => {
    const scope = new Scope(never)
    const { promise, resolve } = deferred<unknown>()
    await scope.acquire(
      'connect',
      'a',
      taking(
        'a',
        (_, signal) => {
          signal.addEventListener('abort', () => resolve(signal.reason))
          return hang()
        },
        10,
      ),
    )
    await scope.unwind()
    assert.equal(((await promise) as NbtrunError).code, 'TIMED_OUT')
  })

  test('keeps the budget: what is left of it when the time is up is tried for a moment', async () => {
    const scope = new Scope(never, undefined, 100)
    for (const name of ['a', 'b', 'c']) await scope.acquire('connect', name, taking(name, hang, 10_000))
    assert.ok((await timed(scope.unwind())) < 5000)
    assert.deepEqual(
      scope.steps.slice(3).map(brief),
      ['c', 'b', 'a'].map(name => ['teardown', name, false, 'TIMED_OUT']),
    )
    noTimers()
  })
})

describe('hurry', () => {
  test('cuts each undo that is still to come', async () => {
    const scope = new Scope(never)
    for (const name of ['a', 'b']) await scope.acquire('connect', name, taking(name, hang, 10_000))
    scope.hurry(60)
    assert.ok((await timed(scope.unwind())) < 5000)
  })

  test('cuts the undo that hangs when the user has enough', { timeout: 280_000 }, async () => {
    const scope = new Scope(never, undefined, 10_000)
    const { promise: hanging, resolve } = deferred<void>()
    const hangs = (): Promise<never> => {
      resolve()
      return hang()
    }
    await scope.acquire('connect', 'a', taking('a', hangs, 10_000))
    const unwinding = timed(scope.unwind())
    await hanging
    scope.hurry(60)
    const ms = await unwinding
    assert.ok(ms < 5000, `it took ${Math.round(ms)} ms`)
  })
})

describe('the ledger', () => {
  test('has a step for everything taken, noted, failed and given back, and tells each as it is added', async () => {
    const told: Step[] = []
    const scope = new Scope(never, step => told.push(step))
    await scope.acquire('connect', 'session', { ...taking('s', async () => 'STATUS_SUCCESS'), undoName: 'LOGOFF' })
    scope.note('launch', 'app', '4711')
    await assert.rejects(scope.acquire('map', 'mapping', { ...taking('m'), open: () => Promise.reject(new NbtrunError('MAPPING_FAILED', 'no fuse')) }))
    await scope.unwind()
    assert.deepEqual(scope.steps.map(brief), [
      ['connect', 'session', true],
      ['launch', 'app', true, '4711'],
      ['map', 'mapping', false, 'MAPPING_FAILED'],
      ['teardown', 'LOGOFF', true, 'STATUS_SUCCESS'],
    ])
    assert.equal(scope.steps[2]?.error, 'no fuse')
    assert.deepEqual(told, scope.steps)
    const times = scope.steps.map(({ atMs }) => atMs)
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
    )
  })

  test('registers no undo for what was not taken, and passes the error on', async () => {
    const scope = new Scope(never)
    const error = new NbtrunError('LOGON_FAILED', 'no')
    let undone = false
    const undo = async (): Promise<void> => void (undone = true)
    await assert.rejects(scope.acquire('connect', 'a', { open: () => Promise.reject(error), undo, undoMs: 10 }), error)
    await scope.unwind()
    assert.equal(undone, false)
  })
})

describe('a signal', () => {
  const reason = new NbtrunError('CANCELLED', 'Ctrl-C')

  test('before an acquire keeps it from beginning', async () => {
    const scope = new Scope(AbortSignal.abort(reason))
    let opened = false
    await assert.rejects(scope.acquire('connect', 'a', { ...taking('a'), open: async () => String((opened = true)) }), reason)
    assert.equal(opened, false)
    assert.deepEqual(await scope.unwind(), [])
  })

  test('during an acquire that lands all the same: the caller gets the reason, the unwind gives it back', async () => {
    const stop = new AbortController()
    const scope = new Scope(stop.signal)
    const { promise, resolve } = deferred<string>()
    let undone = ''
    const acquiring = scope.acquire('connect', 'a', { open: () => promise, undo: async value => void (undone = value), undoMs: 100 })
    stop.abort(reason)
    resolve('landed')
    await assert.rejects(acquiring, reason)
    assert.equal(undone, '')
    await scope.unwind()
    assert.equal(undone, 'landed')
  })

  test('with a reason of another kind is not called a defect of ours', async () => {
    const stop = new AbortController()
    const scope = new Scope(stop.signal)
    const heeding = (signal: AbortSignal): Promise<never> =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }))
    const acquiring = scope.acquire('connect', 'a', { open: heeding, undo: async () => {}, undoMs: 100 })
    stop.abort() // a DOMException, as from AbortSignal.timeout
    await assert.rejects(acquiring, (thrown: unknown) => thrown === stop.signal.reason || (thrown instanceof NbtrunError && thrown.code === 'CANCELLED'))
  })
})

describe('an acquire that is late', () => {
  test('lands after the unwind: it is given back here and now, within its own time', { timeout: 280_000 }, async () => {
    const stop = new AbortController()
    const scope = new Scope(stop.signal, undefined, 20)
    const { promise, resolve } = deferred<string>()
    let undone = ''
    const acquiring = scope.acquire('connect', 'a', { open: () => promise, undo: async value => void (undone = value), undoMs: 100 })
    const reason = new NbtrunError('CANCELLED', 'Ctrl-C')
    stop.abort(reason)
    const outcome = assert.rejects(acquiring, reason)
    await scope.unwind()
    assert.equal(undone, '')
    resolve('landed')
    await new Promise(setImmediate)
    assert.equal(undone, 'landed')
    await outcome
    noTimers()
  })

  test('lands while the unwind runs: it is given back by it', async () => {
    const scope = new Scope(never)
    const { promise, resolve } = deferred<string>()
    let undone = ''
    const acquiring = scope.acquire('connect', 'a', { open: () => promise, undo: async value => void (undone = value), undoMs: 100 })
    const unwinding = scope.unwind()
    resolve('landed')
    await unwinding
    assert.equal(undone, 'landed')
    await acquiring.catch(() => {})
  })

  test('begins after the unwind: nothing is taken any more', async () => {
    const scope = new Scope(never)
    await scope.unwind()
    let opened = false
    const acquiring = scope.acquire('connect', 'a', { ...taking('a'), open: async () => String((opened = true)) })
    await assert.rejects(acquiring, { code: 'CLOSED' })
    assert.equal(opened, false)
  })
})

test('a retreat gives back what was acquired since the mark, newest first, and strikes it from the ledger', async () => {
  const undone: string[] = []
  const scope = new Scope(new AbortController().signal)
  const take = (name: string, fails = false): Promise<string> =>
    scope.acquire('connect', name, {
      open: async () => name,
      undo: async () => {
        undone.push(name)
        if (fails) throw new Error('stuck')
      },
      undoMs: 1000,
    })
  await take('first')
  const mark = scope.mark()
  await take('second')
  await take('third', true)
  const failed = await scope.retreat(mark)
  assert.deepEqual(undone, ['third', 'second'])
  assert.deepEqual(
    failed.map(({ name }) => name),
    ['third'],
  )
  assert.deepEqual(
    scope.steps.map(({ name }) => name),
    ['first'],
  )
  await take('again')
  await scope.unwind()
  assert.deepEqual(undone, ['third', 'second', 'again', 'first'])
})
