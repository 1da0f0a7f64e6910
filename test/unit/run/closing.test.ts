import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { judgeUnused, pairsOf, rowsOf } from '../../../src/run/closing.ts'
import { findSession } from '../../../src/run/listed.ts'
import { mayBeOurs, sameClient, sameUser } from '../../../src/run/ours.ts'
import { heldSessions, type HeldSession } from '../../../src/smb/rpc/srvsvc/accounts.ts'

const row = (client: string, user: string | null, more: Partial<HeldSession> = {}): HeldSession => {
  return { client, user, opens: 0, seconds: 100, idle: 1000, clientType: null, transport: null, ...more }
}

test('users and clients are the same however they are written', () => {
  for (const who of ['alice', 'ALICE', 'DOM/alice', 'DOM\\alice', 'alice@dom.example']) assert.ok(sameUser('Alice', who), who)
  assert.ok(!sameUser('alice', 'bob'))
  assert.ok(!sameUser(null, 'alice'))
  assert.ok(sameClient('\\\\10.0.0.9', '10.0.0.9'))
  assert.ok(sameClient('CLIENT1', '\\\\client1'))
  assert.ok(!sameClient('10.0.0.9', '10.0.0.90'))
})

test('ours are those of the user from here, or all of the user where none is from here', () => {
  const [here, there, other] = [row('127.0.0.1', 'alice'), row('10.9.9.9', 'alice'), row('127.0.0.1', 'bob')]
  assert.deepEqual(mayBeOurs([here, there, other], 'alice'), [here])
  assert.deepEqual(mayBeOurs([there, other], 'LAB/alice'), [there])
  assert.deepEqual(mayBeOurs([other], 'alice'), [])
})

test('where everybody idles for 0 s, nobody’s idle time is known; all ones are never a time', () => {
  const raw = (idle: number, seconds = 5): Parameters<typeof heldSessions<1>>[0][number] => ({ client: '\\\\c', user: 'u', opens: 0, seconds, idle, flags: 0 })
  assert.deepEqual(
    heldSessions<1>([raw(0), raw(0)]).map(({ idle }) => idle),
    [null, null],
  )
  assert.deepEqual(
    heldSessions<1>([raw(0), raw(7), raw(0xffff_ffff)]).map(({ idle }) => idle),
    [0, 7, null],
  )
  assert.deepEqual(
    heldSessions<1>([raw(0, 0xffff_ffff)]).map(({ seconds, client }) => [seconds, client]),
    [[null, 'c']],
  )
})

describe('unused sessions', () => {
  const kept = (rows: readonly HeldSession[]): (string | null)[] => judgeUnused(rows, 'boss', 600_000).map(judged => judged.kept)
  test('are those without a file that idle long enough', () => {
    assert.deepEqual(kept([row('c', 'u'), row('c2', 'u', { idle: 600 }), row('c3', 'u', { idle: 599 }), row('c4', 'u', { opens: 1 })]), [
      null,
      null,
      'idle for 599 s only',
      'a file is open',
    ])
  })
  test('are never what is not known, nor ours', () => {
    assert.deepEqual(kept([row('c', 'u', { idle: null }), row('c', 'v', { opens: null }), row('c', null), row('c', ''), row('c', 'boss')]), [
      'its idle time is not known',
      'its open files are not known',
      'its user is not known',
      'its user is not known',
      'ours',
    ])
  })
  test('are kept with another one of their pair, whose end they would share', () => {
    const rows = [row('c', 'u'), row('\\\\C', 'U', { opens: 2 }), row('c', 'v')]
    assert.deepEqual(kept(rows), ['another session of this client and user is kept', '2 files are open', null])
  })
})

test('a pair is named by a client, a user or both', () => {
  const rows = [row('c', 'u'), row('c', 'v'), row('d', 'u'), row('c', 'u')]
  assert.deepEqual(rowsOf(rows, '\\\\C', 'dom/U'), [rows[0], rows[3]])
  assert.deepEqual(rowsOf(rows, 'c', null), [rows[0], rows[1], rows[3]])
  assert.deepEqual(rowsOf(rows, null, 'u'), [rows[0], rows[2], rows[3]])
  assert.deepEqual(pairsOf(rows), rows.slice(0, 3))
})

describe('the session of a run in a server’s list', () => {
  const asking = row('127.0.0.1', 'boss', { seconds: 0 })
  const find = (rows: readonly HeldSession[], ageS = 100, asker = 'boss', nameless = false): unknown =>
    findSession(rows, { who: 'LAB/alice', nameless, beganAt: performance.now() - ageS * 1000 }, asker)

  test('is gone when it is not there', () => {
    assert.deepEqual(find([asking]), { fits: [] })
    assert.deepEqual(find([asking, row('10.9.9.9', 'alice'), row('127.0.0.1', 'bob')]), { fits: [] })
  })
  test('is the row of that user from here, as old as it is', () => {
    const fit = row('127.0.0.1', 'alice')
    assert.deepEqual(find([asking, fit, row('127.0.0.1', 'alice', { seconds: 50 })]), { fits: [fit] })
    assert.deepEqual(find([asking, row('127.0.0.1', 'alice')], 5000), { fits: [] })
  })
  test('may be any row whose age is not told', () => {
    const fits = [row('127.0.0.1', 'alice'), row('127.0.0.1', 'alice', { seconds: null })]
    assert.deepEqual(find([asking, ...fits]), { fits })
  })
  test('is looked for under the name that the server has for this machine', () => {
    const fit = row('NATTED', 'alice')
    assert.deepEqual(find([row('NATTED', 'boss', { seconds: 0 }), fit]), { fits: [fit] })
  })
  test('is never the one that asks, be it of the same user', () => {
    const self = row('127.0.0.1', 'alice', { seconds: 0 })
    assert.deepEqual(find([self], 3, 'alice'), { fits: [] })
    const fit = row('127.0.0.1', 'alice', { seconds: 3 })
    assert.deepEqual(find([fit, self], 3, 'alice'), { fits: [fit] })
  })
  test('is not known where the list has not even who asks, or names nobody', () => {
    assert.deepEqual(find([row('127.0.0.1', 'alice')]), { why: 'the session that asks is not on it' })
    assert.deepEqual(find([row('127.0.0.1', null)]), { why: 'the session that asks is not on it' })
    assert.deepEqual(find([asking], 100, 'boss', true), { why: 'the session had no user' })
  })
})
