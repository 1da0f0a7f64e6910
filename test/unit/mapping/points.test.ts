import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { makePoints } from '../../../src/mapping/points.ts'

let base = ''
beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'points-')))
})
afterEach(() => rmSync(base, { recursive: true }))
const unusable = (message: RegExp) => ({ code: 'POINT_UNUSABLE', message })

test('without a wish the folder is private and below the runtime folder, and everything made is removed', () => {
  const { paths, remove } = makePoints({ runId: '7f3a', wanted: [undefined, undefined], runtimeDir: base })
  assert.deepEqual(paths, [join(base, 'nbtrun/7f3a'), join(base, 'nbtrun/7f3a-2')])
  for (const path of [...paths, join(base, 'nbtrun')]) assert.equal(statSync(path).mode & 0o777, 0o700)
  remove()
  remove()
  assert.ok(!existsSync(join(base, 'nbtrun')))
  assert.ok(existsSync(base))
})

test('runs share the folder above theirs, and the last one removes it', () => {
  const one = makePoints({ runId: 'one', wanted: [undefined], runtimeDir: base })
  const two = makePoints({ runId: 'two', wanted: [undefined], runtimeDir: base })
  one.remove()
  assert.ok(existsSync(join(base, 'nbtrun/two')))
  two.remove()
  assert.ok(!existsSync(join(base, 'nbtrun')))
})

for (const [why, spoil] of [
  ['is missing', () => join(base, 'none')],
  ['is writable for others', () => (chmodSync(base, 0o777), base)],
  ['holds a link in place of our folder', () => (symlinkSync('/tmp', join(base, 'nbtrun')), base)],
  ['is relative', () => 'run'],
] as const) {
  test(`a runtime folder that ${why} is not used`, () => {
    const { paths, remove } = makePoints({ runId: 'x', wanted: [undefined], runtimeDir: spoil() })
    assert.match(paths[0] ?? '', /\/nbtrun-\w+\/x$/)
    assert.ok(!paths[0]?.startsWith(base))
    assert.equal(statSync(join(paths[0] ?? '', '..')).mode & 0o777, 0o700)
    remove()
    assert.ok(!existsSync(join(paths[0] ?? '', '..')))
  })
}

test('a given folder is used with its links resolved, and stays', () => {
  mkdirSync(join(base, 'here'))
  symlinkSync('here', join(base, 'link'))
  const { paths, remove } = makePoints({ runId: 'x', wanted: [join(base, 'link')] })
  assert.deepEqual(paths, [join(base, 'here')])
  remove()
  assert.ok(existsSync(join(base, 'here')))
})

test('a given folder that is missing is made where the one above is ours, and removed unless something is in it', () => {
  const wanted = [join(base, 'new'), join(base, 'other')]
  const { paths, remove } = makePoints({ runId: 'x', wanted })
  assert.deepEqual(paths, wanted)
  writeFileSync(join(base, 'other/file'), '')
  remove()
  assert.ok(!existsSync(join(base, 'new')))
  assert.ok(existsSync(join(base, 'other/file')))
})

test('unusable folders are refused by name, and nothing made stays', () => {
  writeFileSync(join(base, 'file'), '')
  const points =
    (...wanted: (string | undefined)[]) =>
    () =>
      makePoints({ runId: 'x', wanted: [undefined, ...wanted], runtimeDir: base })
  assert.throws(points('some/folder'), unusable(/^the folder some\/folder is no absolute path$/))
  assert.throws(points('/'), unusable(/is the root of everything/))
  assert.throws(points(join(base, 'file')), unusable(/file is no folder/))
  assert.throws(points(join(base, 'no/such')), unusable(/does not exist and cannot be made/))
  assert.throws(points(join(base, 'a'), join(base, 'a')), unusable(/asked for twice/))
  assert.throws(points(join(base, 'a'), join(base, 'a/b')), unusable(/one in the other/))
  assert.deepEqual([existsSync(join(base, 'a')), existsSync(join(base, 'nbtrun'))], [false, false])
})

test('a run that finds its folder taken is refused', () => {
  const first = makePoints({ runId: 'x', wanted: [undefined], runtimeDir: base })
  assert.throws(() => makePoints({ runId: 'x', wanted: [undefined], runtimeDir: base }), unusable(/is there already/))
  assert.ok(existsSync(first.paths[0] ?? ''), "somebody else's folder is left alone")
  first.remove()
})
