import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CODES, NbtrunError, type Code } from '../../../src/base/errors.ts'
import { Backoff, LONGEST_MS } from '../../../src/seat/backoff.ts'
import { lackOf } from '../../../src/seat/lack.ts'
import { busy } from '../../../src/seat/refusal.ts'

test('time mends these failures and no other', () => {
  const mended = (Object.keys(CODES) as Code[]).flatMap(code => {
    const lack = lackOf(new NbtrunError(code, 'x'))
    return lack === undefined ? [] : [`${code} ${lack}`]
  })
  assert.deepEqual(mended.sort(), [
    'CONNECTION_LOST network',
    'CONNECT_FAILED network',
    'HOST_NOT_FOUND network',
    'NAME_HELD name',
    'SHARE_FULL seat',
    'TIMED_OUT network',
  ])
})

test('a session service without room is a full server; one that does not know the name is none', () => {
  const refused = (reason: number): NbtrunError => new NbtrunError('CALLED_NAME_REFUSED', 'x', { facts: { reason } })
  assert.deepEqual(
    [0x80, 0x81, 0x82, 0x83, 0x8f].map(reason => lackOf(refused(reason))),
    [undefined, undefined, undefined, 'seat', undefined],
  )
})

test('the exit code for scripts: always for a full share, for the network only when it was waited for', () => {
  const exit = (code: Code, waitMs: number): unknown => busy(new NbtrunError(code, 'x'), { waitMs, busyExit: 9, share: '//h/x' }).facts['exit']
  assert.deepEqual([exit('SHARE_FULL', 0), exit('SHARE_FULL', 1), exit('NAME_HELD', 0)], [9, 9, 9])
  assert.deepEqual([exit('CONNECT_FAILED', 0), exit('CONNECT_FAILED', 1)], [undefined, 9])
  assert.deepEqual([exit('LOGON_FAILED', 0), exit('LOGON_FAILED', 1)], [undefined, undefined])
})

test('the back-off doubles up to its limit, never twice the same, and begins anew', () => {
  const backoff = new Backoff()
  const waits = Array.from({ length: 10 }, () => backoff.next())
  assert.ok(waits[0]! >= 250 && waits[0]! <= 500, waits.join(' '))
  for (const [i, ms] of waits.entries()) assert.ok(ms >= Math.min(250 * 2 ** i, LONGEST_MS / 2) && ms <= Math.min(500 * 2 ** i, LONGEST_MS), waits.join(' '))
  assert.equal(new Set(waits).size, waits.length)
  backoff.reset()
  assert.ok(backoff.next() <= 500)
})
