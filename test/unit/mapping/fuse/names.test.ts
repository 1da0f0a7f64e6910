import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toLocal, toServer } from '../../../../src/mapping/fuse/names.ts'

const server = (name: string): string => toServer(Buffer.from(name))
const local = (name: string): string | undefined => toLocal(name)?.toString()

test('characters that SMB refuses become those of Linux cifs (mapposix), and come back', () => {
  assert.equal(server('a:b*c?d"e<f>g|h\\i'), 'a\uf022b\uf021c\uf025d\uf020e\uf023f\uf024g\uf027h\uf026i')
  assert.equal(server('\x01\n\x1f'), '\uf001\uf00a\uf01f')
  for (const name of ['a:b*c?d"e<f>g|h\\i', 'tab\there', 'end. ', 'end .', '...', ' ', 'ä€😀', 'plain.txt'])
    assert.equal(local(server(name)), name, JSON.stringify(name))
})

test('only the last dot or space of a name is replaced', () => {
  assert.equal(server('a. .'), 'a. \uf029')
  assert.equal(server('a.. '), 'a..\uf028')
  assert.equal(server('.hidden'), '.hidden')
})

test('a name of 255 UTF-16 units is good, one more is ENAMETOOLONG', () => {
  assert.equal(server('€'.repeat(255)).length, 255)
  assert.throws(() => server('a'.repeat(256)), { facts: { errno: 'ENAMETOOLONG' } })
  assert.throws(() => server('😀'.repeat(128)), { facts: { errno: 'ENAMETOOLONG' } })
})

test('a name that is not UTF-8 is EILSEQ', () => {
  assert.throws(() => toServer(Buffer.from([0x61, 0xff])), { facts: { errno: 'EILSEQ' } })
})

test('what a hostile server lists as names never reaches the kernel', () => {
  for (const name of ['', '.', '..', '../etc', 'a/b', 'a\0b', '\uf029', '\uf029\uf029']) assert.equal(toLocal(name), undefined, JSON.stringify(name))
})
