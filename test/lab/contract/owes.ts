import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PROMISES } from './promises.ts'
import type { MappingName } from './subject.ts'

/** One test for each promise. `outcomes` runs all of them, in a process of their own, and resolves to what `keep` found, as JSON; it is called once. */
export function owes(mapping: MappingName, outcomes: () => Promise<string>): void {
  let found: Promise<Readonly<Record<string, string>>> | undefined
  for (const { name, except } of PROMISES) {
    const why = except?.[mapping]
    test(why === undefined ? name : `not promised, because ${why}: ${name}`, async () => {
      const all = await (found ??= outcomes().then(text => JSON.parse(text) as Readonly<Record<string, string>>))
      assert.equal(all[name], why === undefined ? 'kept' : undefined)
    })
  }
}
