import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Credits } from '../../../../src/smb/smb2/credits.ts'

test('without multi-credit requests each one costs one credit and moves 64 KiB, whatever was granted', () => {
  const credits = new Credits()
  credits.granted(500)
  assert.deepEqual([credits.charge(0), credits.charge(8 * 1024 * 1024), credits.limitBytes], [1, 1, 65_536])
  credits.largeMtu = true
  assert.deepEqual([credits.charge(0), credits.charge(65_537), credits.limitBytes], [1, 2, 8 * 1024 * 1024])
})

test('after a multi-protocol negotiate the next message is number 1, and one credit is there for it', () => {
  const credits = new Credits(1)
  assert.equal(credits.affords(1, 0), true)
  assert.equal(credits.spend(1, 0).messageId, 1)
  assert.equal(credits.affords(1, 0), false)
})
