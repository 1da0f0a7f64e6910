import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CODES } from '../../../src/base/errors.ts'
import { ERRORS } from '../../../scripts/errors.ts'
import { DOCS, isCurrent } from '../../../scripts/docs.ts'

test('docs/errors.md says of every code what it is', () => {
  assert.deepEqual(Object.keys(ERRORS), Object.keys(CODES))
  for (const [code, [what]] of Object.entries(ERRORS)) assert.ok(what.length > 10, code)
})

test('docs/options.md, docs/errors.md, the manual page and the schema say what the tables say', () => {
  assert.deepEqual(Object.keys(DOCS), ['options.md', 'errors.md', 'nbtrun.1', 'profile.schema.json'])
  for (const name of Object.keys(DOCS)) assert.ok(isCurrent(name), `docs/${name} is old: node --import tsx scripts/docs.ts`)
})
