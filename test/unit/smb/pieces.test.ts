import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inPieces } from '../../../src/smb/pieces.ts'

const MIB = 2 ** 20

/** Notes what was asked for, and lets each piece end when told. */
function mover(): {
  asked: [number, number][]
  readonly move: (at: number, left: number) => Promise<number>
  readonly end: (i: number, moved?: number) => Promise<void>
  readonly fail: (i: number) => void
} {
  const asked: [number, number][] = []
  const settle: { readonly resolve: (moved: number) => void; readonly reject: (error: unknown) => void }[] = []
  return {
    asked,
    move: (at, left) => {
      asked.push([at, left])
      return new Promise((resolve, reject) => settle.push({ resolve, reject }))
    },
    async end(i, moved = asked[i]![1]) {
      settle[i]!.resolve(moved)
      await new Promise(setImmediate)
    },
    fail: i => settle[i]!.reject(new Error(`piece ${i}`)),
  }
}

test('4 MiB by 1 MiB are four requests at once, in whatever order they end', async () => {
  const { asked, move, end } = mover()
  const all = inPieces(4 * MIB, MIB, move)
  assert.deepEqual(
    asked,
    [0, 1, 2, 3].map(i => [i * MIB, MIB]),
  )
  for (const i of [3, 1, 0, 2]) await end(i)
  assert.equal(await all, 4 * MIB)
  assert.equal(asked.length, 4)
})

test('no more than 4 MiB are under way, and the next piece begins as one ends', async () => {
  const { asked, move, end } = mover()
  const all = inPieces(10 * MIB + 5, MIB, move)
  assert.equal(asked.length, 4)
  for (let i = 0; i < 11; i++) {
    await end(i)
    assert.equal(asked.length, Math.min(11, 5 + i))
  }
  assert.deepEqual(asked.at(-1), [10 * MIB, 5])
  assert.equal(await all, 10 * MIB + 5)
})

test('a piece larger than that goes alone, and nothing needs no request', async () => {
  const { asked, move, end } = mover()
  const all = inPieces(16 * MIB, 8 * MIB, move)
  assert.equal(asked.length, 1)
  await end(0)
  await end(1)
  assert.equal(await all, 16 * MIB)
  assert.equal(await inPieces(0, MIB, move), 0)
  assert.equal(asked.length, 2)
})

test('what was moved in part is asked for again; nothing moved is the end', async () => {
  const { asked, move, end } = mover()
  const all = inPieces(10, 10, move)
  await end(0, 4)
  await end(1, 3)
  await end(2, 0)
  assert.deepEqual(asked, [
    [0, 10],
    [4, 6],
    [7, 3],
  ])
  assert.equal(await all, 7)
})

test('the end is before the first gap, whatever lies behind it, and nothing is begun behind it', async () => {
  const { asked, move, end } = mover()
  const all = inPieces(8 * MIB, MIB, move)
  await end(2, 5)
  await end(4, 0)
  assert.equal(asked.length, 5, 'piece 2, the rest of piece 2')
  await end(3)
  await end(0)
  await end(1)
  assert.equal(asked.length, 5)
  assert.equal(await all, 2 * MIB + 5)
})

test('a failure is told once nothing is under way any more, and nothing is begun after it', async () => {
  const { asked, move, end, fail } = mover()
  let told = false
  const all = inPieces(8 * MIB, MIB, move)
  all.catch(() => (told = true))
  fail(1)
  await end(0)
  await end(2)
  assert.equal(told, false)
  await end(3)
  await assert.rejects(all, { message: 'piece 1' })
  assert.equal(asked.length, 4)
})

test('a server that moves one byte at a time is not humoured for ever', async () => {
  let asked = 0
  await assert.rejects(
    inPieces(1000, 1000, async () => {
      asked++
      return 1
    }),
    { code: 'WIRE' },
  )
  assert.ok(asked < 20)
})
