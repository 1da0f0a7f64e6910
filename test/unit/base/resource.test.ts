import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { NbtrunError } from '../../../src/base/errors.ts'
import { Resource } from '../../../src/base/resource.ts'
import { deferred } from '../../../src/base/time.ts'
import { closeContract, type Peer } from './close-contract.ts'
import { noTimers } from './timers.ts'

/** A resource that notes in `log` what happens to it. */
class Thing extends Resource {
  goodbyes = 0
  drops = 0
  dropped: unknown
  readonly #peer: Peer | (() => Promise<void>)
  readonly #log: string[]

  constructor(name: string, peer: Peer | (() => Promise<void>) = 'agrees', parent?: Resource, log: string[] = []) {
    super(name, parent)
    this.#peer = peer
    this.#log = log
  }

  async use(): Promise<void> {
    this.requireOpen()
  }

  protected override async goodbye(): Promise<void> {
    this.goodbyes++
    this.#log.push(`goodbye ${this.label}`)
    if (typeof this.#peer === 'function') return this.#peer()
    if (this.#peer === 'is silent') return new Promise(() => {})
    if (this.#peer === 'fails') throw new Error('refused')
  }

  protected override drop(error: unknown): void {
    this.drops++
    this.dropped = error
    this.#log.push(`drop ${this.label}`)
  }
}

closeContract('Resource', peer => {
  const thing = new Thing('thing', peer)
  return {
    resource: thing,
    use: () => thing.use(),
    get goodbyes() {
      return thing.goodbyes
    },
    get drops() {
      return thing.drops
    },
  }
})

describe('a resource with children', () => {
  function family(peers: { readonly b?: Peer } = {}): { log: string[]; parent: Thing; a: Thing; b: Thing; grandchild: Thing } {
    const log: string[] = []
    const parent = new Thing('parent', 'agrees', undefined, log)
    const a = new Thing('a', 'agrees', parent, log)
    const b = new Thing('b', peers.b, parent, log)
    const grandchild = new Thing('grandchild', 'agrees', b, log)
    return { log, parent, a, b, grandchild }
  }

  test('closes them first, newest first, one after the other', async () => {
    const { log, parent } = family()
    assert.equal((await parent.close()).how, 'clean')
    assert.deepEqual(
      log,
      ['grandchild', 'b', 'a', 'parent'].flatMap(name => [`goodbye ${name}`, `drop ${name}`]),
    )
  })

  test('says its own goodbye although a child’s failed', async () => {
    const { parent, a, b } = family({ b: 'fails' })
    const end = await parent.close()
    assert.deepEqual([end.how, end.error], ['forced', b.ending?.error])
    assert.deepEqual([b.ending?.how, a.ending?.how, parent.goodbyes], ['forced', 'clean', 1])
  })

  test('is forced in time when a child hangs, and takes all its children along', async () => {
    const { parent, a, b, grandchild } = family({ b: 'is silent' })
    const patient = b.close('no haste', 60_000)
    const began = performance.now()
    assert.equal((await parent.close('enough', 30)).how, 'forced')
    assert.ok(performance.now() - began < 1900) // not the 2 s of who asks for no limit
    assert.deepEqual(
      [grandchild, b, a].map(({ ending, drops }) => [ending?.how, drops]),
      [
        ['clean', 1],
        ['forced', 1],
        ['clean', 1],
      ],
    )
    assert.deepEqual([a.goodbyes, parent.goodbyes], [1, 1], 'they say goodbye all the same')
    assert.equal((await patient).how, 'forced')
    await new Promise(setImmediate)
    noTimers()
  })

  test('loses all of them with itself, each without a goodbye, children before parents', () => {
    const { log, parent, a, grandchild } = family()
    const error = new Error('cable pulled')
    parent.abort(error)
    assert.deepEqual(log, ['drop grandchild', 'drop b', 'drop a', 'drop parent'])
    assert.deepEqual([a.dropped, a.ending, grandchild.ending], [error, parent.ending, parent.ending])
  })

  test('forgets a child that was closed', async () => {
    const { log, parent, a, b } = family()
    await Promise.all([a.close(), b.close()])
    log.length = 0
    await parent.close()
    assert.deepEqual(log, ['goodbye parent', 'drop parent'])
  })

  test('takes no new child once it closes', async () => {
    const { promise, resolve } = deferred<void>()
    const parent = new Thing('parent', () => promise)
    const closing = parent.close()
    assert.throws(() => new Thing('late', 'agrees', parent), { code: 'CLOSED' })
    resolve()
    await closing
    assert.throws(() => new Thing('late', 'agrees', parent), { code: 'CLOSED', message: 'parent is closed: owner is done' })
  })
})

test('what was pending learns why: the error of the ending, or CLOSED', async () => {
  const polite = new Thing('polite')
  await polite.close('enough')
  assert.ok(polite.dropped instanceof NbtrunError)
  assert.deepEqual([polite.dropped.code, polite.dropped.message], ['CLOSED', 'polite is closed: enough'])
  const rude = new Thing('rude', 'fails')
  const { error } = await rude.close()
  assert.equal(rude.dropped, error)
})

test('a goodbye that fails after its time is nobody’s unhandled rejection', async () => {
  const { promise, reject } = deferred<void>()
  const thing = new Thing('thing', () => promise)
  assert.equal((await thing.close('enough', 10)).how, 'forced')
  reject(new Error('too late'))
  await new Promise(setImmediate) // an unhandled rejection would fail this test
})
