import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NbtrunError } from '../../../../src/base/errors.ts'
import { attributesOf, fileTime, unixTime } from '../../../../src/mapping/fuse/attributes.ts'
import { errnoName, errnoNumber } from '../../../../src/mapping/fuse/errno.ts'
import type { FileInfo } from '../../../../src/smb/files.ts'

const info: FileInfo = { id: 0n, size: 1000, allocation: 4096, attributes: 0x20, directory: false, created: 0n, accessed: 0n, written: 0n, changed: 0n }
const owner = { uid: 1000, gid: 100, readOnly: false, forAll: false }

test('times go to the kernel and back to 100 ns, before 1970 too', () => {
  assert.deepEqual(unixTime(116_444_736_000_000_000n + 15_000_001n), { seconds: 1n, nanoseconds: 500_000_100 })
  assert.deepEqual(unixTime(116_444_736_000_000_000n - 1n), { seconds: BigInt.asUintN(64, -1n), nanoseconds: 999_999_900 })
  assert.deepEqual(unixTime(0n), { seconds: 0n, nanoseconds: 0 })
  for (const time of [1n, 116_444_735_999_999_999n, 133_000_000_000_000_007n]) assert.equal(fileTime(unixTime(time)), time)
})

test('READONLY takes the write permission of files, not of directories; a read-only mapping that of both', () => {
  const mode = (change: Partial<FileInfo>, readOnly = false): string => attributesOf({ ...info, ...change }, 5, true, { ...owner, readOnly }).mode.toString(8)
  assert.equal(mode({}), '100755')
  assert.equal(mode({ attributes: 0x21 }), '100555')
  assert.equal(mode({ directory: true, attributes: 0x11 }), '40755')
  assert.equal(mode({ directory: true }, true), '40555')
  assert.equal(mode({}, true), '100555')
  assert.equal(attributesOf(info, 5, true, { ...owner, forAll: true }).mode.toString(8), '100777')
})

test('a server that names no file ids leaves the node number', () => {
  assert.equal(attributesOf(info, 5, true, owner).ino, 5n)
  assert.equal(attributesOf({ ...info, id: 77n }, 5, true, owner).ino, 77n)
})

test('an error is the errno it names, else what its code means, else EIO', () => {
  assert.equal(errnoName(new NbtrunError('FILE_ERROR', 'x', { facts: { errno: 'ENOTEMPTY' } })), 'ENOTEMPTY')
  assert.equal(errnoName(new NbtrunError('FILE_ERROR', 'x', { facts: { errno: 'ENOSUCHTHING' } })), 'EIO')
  assert.equal(errnoName(new NbtrunError('CONNECTION_LOST', 'x')), 'EIO')
  assert.equal(errnoName(new NbtrunError('TIMED_OUT', 'x')), 'ETIMEDOUT')
  assert.equal(errnoName(new TypeError('x')), 'EIO')
  assert.equal(errnoNumber('ENOENT'), 2)
})
