import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FileHandle } from '../../../../src/mapping/fuse/handles.ts'
import { Nodes } from '../../../../src/mapping/fuse/nodes.ts'
import type { FileInfo, OpenFile } from '../../../../src/smb/files.ts'

const info = (directory: boolean, id = 0n): FileInfo => ({
  id,
  size: 0,
  allocation: 0,
  attributes: directory ? 0x10 : 0x20,
  directory,
  created: 0n,
  accessed: 0n,
  written: 0n,
  changed: 0n,
})
const opened = (id: bigint): OpenFile => ({ info: info(false, id) }) as OpenFile

test('a renamed directory takes all below along', () => {
  const nodes = new Nodes()
  const a = nodes.enter(nodes.root, 'a', info(true))
  const b = nodes.enter(a, 'b', info(true))
  const file = nodes.enter(b, 'file', info(false))
  nodes.move(a, nodes.root, 'z')
  assert.equal(nodes.path(file), 'z\\b\\file')
  nodes.move(b, nodes.root, 'b')
  assert.equal(nodes.path(file), 'b\\file')
})

test('a node leaves when it was forgotten as often as it was looked up, and nothing hangs below it', () => {
  const nodes = new Nodes()
  const a = nodes.enter(nodes.root, 'a', info(true))
  const file = nodes.enter(a, 'file', info(false))
  assert.equal(nodes.enter(a, 'file', info(false)), file)
  nodes.forgetId(a.id, 1)
  assert.equal(nodes.get(a.id), a, 'held by the file below')
  nodes.forgetId(file.id, 1)
  assert.equal(nodes.get(file.id), file, 'looked up twice')
  nodes.forgetId(file.id, 1)
  assert.equal(nodes.size, 1, 'the root alone')
  assert.throws(() => nodes.get(a.id), { facts: { errno: 'ESTALE' } })
})

test('what took the place of an open file is another node', () => {
  const nodes = new Nodes()
  const before = nodes.enter(nodes.root, 'file', info(false, 7n))
  before.handles.add(new FileHandle(1, before, opened(7n), true, false))
  assert.equal(nodes.enter(nodes.root, 'file', info(false, 7n)), before)
  assert.equal(nodes.enter(nodes.root, 'file', info(false, 0n)), before, 'no number, no difference')
  const after = nodes.enter(nodes.root, 'file', info(false, 8n))
  assert.notEqual(after, before)
  assert.equal(nodes.path(after), 'file')
  assert.throws(() => nodes.path(before), { facts: { errno: 'ESTALE' } })
})

test('a directory in the place of a file is another node', () => {
  const nodes = new Nodes()
  const file = nodes.enter(nodes.root, 'x', info(false))
  assert.notEqual(nodes.enter(nodes.root, 'x', info(true)), file)
})
