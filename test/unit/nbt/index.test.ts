import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import * as nbt from '../../../src/nbt/index.ts'

test('the NBT client loads node: modules and its own base only', () => {
  const folder = new URL('../../../src/nbt/', import.meta.url)
  for (const file of readdirSync(folder)) {
    for (const [, from = ''] of readFileSync(new URL(file, folder), 'utf8').matchAll(/(?:from |import\()'([^']+)'/g)) {
      assert.match(from, /^(?:node:|\.\/|\.\.\/base\/)/, `${file} imports ${from}`)
    }
  }
})

test('what the library promises is there', () => {
  for (const name of ['callSession', 'netbiosName', 'sessionPacket', 'parseName', 'spellName', 'Framer'] as const) assert.ok(name in nbt, name)
})
