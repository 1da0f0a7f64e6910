import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Closed, Resource } from '../../../src/base/resource.ts'
import { noTimers } from './timers.ts'

/** One resource, and what its peer makes of its goodbye. */
export interface Held {
  readonly resource: Resource
  /** Something that only an open resource does; rejects otherwise. */
  use(): Promise<unknown>
  /** How often it said goodbye and how often it dropped what is local. */
  readonly goodbyes: number
  readonly drops: number
}

export type Peer = 'agrees' | 'is silent' | 'fails'

/** What every Resource owes its owner. */
export function closeContract(name: string, make: (peer: Peer) => Held): void {
  describe(`${name} keeps the close contract`, () => {
    test('two closes, and a third when all is over, give one goodbye, one drop and one ending', async () => {
      const held = make('agrees')
      const endings = await Promise.all([held.resource.close('first'), held.resource.close('second')])
      endings.push(await held.resource.close('third'), await held.resource.closed)
      assert.deepEqual(new Set(endings).size, 1)
      assert.deepEqual(endings[0], { how: 'clean', why: 'first' } satisfies Closed)
      assert.deepEqual([held.goodbyes, held.drops, held.resource.isOpen], [1, 1, false])
      assert.equal(held.resource.ending, endings[0])
      noTimers()
    })

    test('a silent peer is forced in time', async () => {
      const held = make('is silent')
      const began = performance.now()
      const { how, error } = await held.resource.close('enough', 30)
      assert.ok(performance.now() - began < 1900) // not the 2 s of who asks for no limit
      assert.equal(how, 'forced')
      assert.ok(error instanceof Error && 'code' in error && error.code === 'TIMED_OUT')
      assert.equal(held.drops, 1)
      noTimers()
    })

    test('a goodbye that fails still drops', async () => {
      const held = make('fails')
      const { how, error } = await held.resource.close()
      assert.equal(how, 'forced')
      assert.ok(error instanceof Error)
      assert.deepEqual([held.goodbyes, held.drops], [1, 1])
      noTimers()
    })

    test('an abort during close ends it at once', async () => {
      const held = make('is silent')
      const closing = held.resource.close('enough', 60_000)
      const error = new Error('cable pulled')
      held.resource.abort(error)
      assert.equal(held.drops, 1, 'the drop is synchronous')
      assert.deepEqual(await closing, { how: 'lost', why: 'connection lost', error })
      await new Promise(setImmediate)
      noTimers()
    })

    test('an abort ends it without a goodbye, and only the first counts', async () => {
      const held = make('agrees')
      const error = new Error('cable pulled')
      held.resource.abort(error, 'no cable')
      held.resource.abort(new Error('later'))
      assert.deepEqual(await held.resource.close(), { how: 'lost', why: 'no cable', error })
      assert.deepEqual([held.goodbyes, held.drops], [0, 1])
    })

    test('use after close, and while it closes, is CLOSED', async () => {
      const held = make('is silent')
      await held.use()
      const closing = held.resource.close('enough', 10)
      await assert.rejects(held.use(), { code: 'CLOSED' })
      await closing
      await assert.rejects(held.use(), { code: 'CLOSED' })
    })

    test('await using closes', async () => {
      const held = make('agrees')
      {
        await using _ = held.resource
      }
      assert.deepEqual([held.resource.ending?.how, held.goodbyes, held.drops], ['clean', 1, 1])
    })
  })
}
