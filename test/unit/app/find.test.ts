import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { findProgram, type FindOptions } from '../../../src/app/find.ts'
import { startFolder } from '../../../src/app/places.ts'
import { shareOf } from './share.ts'

const POINT = '/run/user/1000/nbtrun/7f3a'
let base = ''
let options: FindOptions
const files = shareOf({
  'App.exe': 'MZ',
  both: '#!/bin/sh\n',
  tools: null,
  'tools\\deep': '#!/bin/sh\n',
  folder: null,
  secret: { errno: 'EACCES' },
  broken: { errno: 'EIO' },
})

before(() => {
  base = mkdtempSync(join(tmpdir(), 'find-'))
  for (const name of ['first', 'second', 'first/folder']) mkdirSync(join(base, name))
  for (const name of ['first/plain', 'second/plain', 'second/both', 'second/local', 'second/folder', 'second/secret', 'here', 'odd\\name']) {
    writeFileSync(join(base, name), '#!/bin/sh\n', { mode: 0o755 })
  }
  chmodSync(join(base, 'first/plain'), 0o644)
  options = { places: [{ files, path: POINT }], cwd: base, path: `${base}/first:${base}/second` }
})
after(() => {
  rmSync(base, { recursive: true })
  assert.equal(files.left(), 0, 'every file opened was closed')
})
const where = async (word: string, more: Partial<FindOptions> = {}) => {
  const { path, word: exec, from } = await findProgram(word, { ...options, ...more })
  return [path.replace(base, 'BASE'), exec.replace(base, 'BASE'), from]
}
const fails = (word: string, code: string, message: RegExp, more: Partial<FindOptions> = {}) =>
  assert.rejects(findProgram(word, { ...options, ...more }), (error: Error & { code: string }) => {
    assert.equal(error.code, code)
    assert.match(error.message, message)
    return true
  })

test('a bare name is found along PATH as execvp does, and stays as it is', async () => {
  assert.deepEqual(await where('local'), ['BASE/second/local', 'local', 'path'])
  assert.deepEqual(await where('plain'), ['BASE/second/plain', 'plain', 'path'], 'the first one is not executable')
})

test('a bare name is found on the first share, in the case the server accepts, and executed by its path', async () => {
  assert.deepEqual(await where('app.exe'), [`${POINT}/app.exe`, `${POINT}/app.exe`, 'share'])
})

test('a bare name in both is refused with both paths, until somebody decides', async () => {
  await fails('both', 'PROGRAM_AMBIGUOUS', new RegExp(`^both is on the share \\(${POINT}/both\\) and in PATH \\(${base}/second/both\\)$`))
  assert.deepEqual(await where('both', { from: 'share' }), [`${POINT}/both`, `${POINT}/both`, 'share'])
  assert.deepEqual(await where('both', { from: 'path' }), ['BASE/second/both', 'both', 'path'])
})

test('a file that the server keeps from us is as ambiguous as any', async () => {
  await fails('secret', 'PROGRAM_AMBIGUOUS', /secret is on the share/)
  await fails('secret', 'PROGRAM_NOT_RUNNABLE', /secret cannot be read \(opening secret: refused\)$/, { from: 'share' })
})

test('a folder of the same name is no program', async () => {
  assert.deepEqual(await where('folder'), ['BASE/second/folder', 'folder', 'path'])
  await fails('folder', 'PROGRAM_NOT_RUNNABLE', /folder is a folder$/, { from: 'share' })
  await fails('tools', 'PROGRAM_NOT_RUNNABLE', /tools is a folder$/)
})

test('PATH may lead to the share, which is no second program', async () => {
  assert.deepEqual(await where('both', { path: POINT }), [`${POINT}/both`, `${POINT}/both`, 'share'])
})

test('a path is taken from the folder where the program starts, and looked up on the share where that is below a point', async () => {
  assert.deepEqual(await where('./here'), ['BASE/here', './here', 'path'])
  assert.deepEqual(await where('tools/deep', { cwd: POINT }), [`${POINT}/tools/deep`, 'tools/deep', 'share'])
  assert.deepEqual(await where(`${POINT}/App.exe`), [`${POINT}/App.exe`, `${POINT}/App.exe`, 'share'])
  await fails('./both', 'PROGRAM_NOT_FOUND', /^there is no program \.\/both$/)
})

test('a backslash is part of a name where such a file exists, and a slash elsewhere', async () => {
  assert.deepEqual(await where('odd\\name'), ['BASE/odd\\name', 'BASE/odd\\name', 'path'])
  assert.deepEqual(await where('tools\\deep', { cwd: POINT }), [`${POINT}/tools/deep`, 'tools/deep', 'share'])
})

test('what is nowhere, not executable or lost says so', async () => {
  await fails('', 'PROGRAM_NOT_FOUND', /empty/)
  await fails('nowhere', 'PROGRAM_NOT_FOUND', /^there is no program nowhere on the share or in PATH$/)
  await fails('nowhere', 'PROGRAM_NOT_FOUND', /nowhere on the share$/, { from: 'share' })
  await assert.rejects(findProgram('X:\\bin\\app.exe', options), { hint: 'there are no drives here: the share is at {mount}, write {mount}/bin/app.exe' })
  await fails('plain', 'PROGRAM_NOT_RUNNABLE', /plain is not executable$/, { path: `${base}/first` })
  await fails('broken', 'FILE_ERROR', /refused/)
})

test('the folder to start in may be here or on the share, and must be there', async () => {
  assert.equal(await startFolder(base, options.places, '/'), base)
  assert.equal(await startFolder(`${POINT}/tools/`, options.places, '/'), `${POINT}/tools`)
  await assert.rejects(startFolder(`${POINT}/none`, options.places, '/'), { code: 'USAGE', message: `--chdir ${POINT}/none: no such folder` })
  await assert.rejects(startFolder(`${POINT}/both`, options.places, '/'), { code: 'USAGE', message: /is no folder/ })
})
