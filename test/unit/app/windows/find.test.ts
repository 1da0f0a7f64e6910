// Over folders of this system: of a path only the slashes are Windows' own. The same with a letter and under Wine: test/lab/windows-drives.test.ts.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { findProgram, type FindOptions } from '../../../../src/app/windows/find.ts'

let base = ''
let options: FindOptions

before(() => {
  base = mkdtempSync(join(tmpdir(), 'find-windows-'))
  for (const name of ['share', 'first', 'second', 'here', 'share/tools', 'share/folder.exe', 'here/near']) mkdirSync(join(base, name))
  const programs = ['share/app.exe', 'share/app.bat', 'share/both.exe', 'share/odd.v2.exe', 'share/tools/deep.exe', 'second/both.exe', 'second/app.com']
  for (const name of [...programs, 'first/twice.exe', 'second/twice.exe', 'second/folder.exe', 'here/local.exe', 'here/near/local.exe', 'share/bare'])
    writeFileSync(join(base, name), 'MZ')
  for (const name of ['share/run.cmd', 'share/letter.doc', 'share/fake.exe']) writeFileSync(join(base, name), 'text')
  writeFileSync(join(base, 'share/empty.exe'), '')
  options = { share: `${base}/share/`, cwd: `${base}/here`, path: `${base}/first;${base}/second`, extensions: '.COM;.EXE;.BAT;.CMD' }
})
after(() => rmSync(base, { recursive: true }))

function where(word: string, more: Partial<FindOptions> = {}): readonly string[] {
  const { path, from } = findProgram(word, { ...options, ...more })
  return [path.replace(base, 'BASE'), from]
}

function fails(word: string, code: string, message: string, more: Partial<FindOptions> = {}): void {
  assert.throws(
    () => findProgram(word, { ...options, ...more }),
    (error: Error & { code: string }) => {
      assert.deepEqual([error.code, error.message.replaceAll(base, 'BASE')], [code, message])
      return true
    },
  )
}

test('a bare name is found on the share, and along PATH, in the order of its folders', () => {
  assert.deepEqual(where('odd.v2.exe'), ['BASE/share/odd.v2.exe', 'share'])
  assert.deepEqual(where('twice.exe'), ['BASE/first/twice.exe', 'path'])
  assert.deepEqual(where('twice', { path: `${base}/nowhere;"${base}/second";${base}/first` }), ['BASE/second/twice.exe', 'path'], 'a folder may have quotes')
  assert.deepEqual(where('twice', { share: undefined }), ['BASE/first/twice.exe', 'path'], 'without a mapping, too')
})

test('an ending may be left away, and the first one of PATHEXT counts', () => {
  assert.deepEqual(where('app', { from: 'share' }), ['BASE/share/app.exe', 'share'])
  assert.deepEqual(where('app', { from: 'share', extensions: '.BAT;.EXE' }), ['BASE/share/app.bat', 'share'])
  assert.deepEqual(where('app', { from: 'path' }), ['BASE/second/app.com', 'path'])
  assert.deepEqual(where('odd.v2'), ['BASE/share/odd.v2.exe', 'share'], 'behind a dot that is no ending')
  fails('both', 'PROGRAM_NOT_FOUND', 'there is no program both on the share', { from: 'share', extensions: '.COM' })
  fails('bare', 'PROGRAM_NOT_FOUND', 'there is no program bare on the share or in PATH') // CreateProcess would not find it either
  for (const extensions of ['', ';', ' ;*;exe']) fails('bare', 'PROGRAM_NOT_FOUND', 'there is no program bare on the share', { from: 'share', extensions })
})

test('the current folder is never looked at, whatever PATH says', () => {
  for (const path of ['', '.', ';', '.;near', `${base}/first;;.`])
    fails('local.exe', 'PROGRAM_NOT_FOUND', 'there is no program local.exe on the share or in PATH', { path })
  fails('local', 'PROGRAM_NOT_FOUND', 'there is no program local in PATH', { path: 'near;.', from: 'path' })
})

test('a name on the share and in PATH is refused with both paths, until somebody decides', () => {
  fails('both', 'PROGRAM_AMBIGUOUS', 'both is on the share (BASE/share/both.exe) and in PATH (BASE/second/both.exe)')
  fails('app', 'PROGRAM_AMBIGUOUS', 'app is on the share (BASE/share/app.exe) and in PATH (BASE/second/app.com)')
  assert.deepEqual(where('both', { from: 'share' }), ['BASE/share/both.exe', 'share'])
  assert.deepEqual(where('both', { from: 'path' }), ['BASE/second/both.exe', 'path'])
  assert.deepEqual(where('both', { path: `${base}/share` }), ['BASE/share/both.exe', 'share'], 'PATH may lead to the share, which is no second program')
})

test('a path is taken from the folder where the program starts, and is on the share where that is', () => {
  assert.deepEqual(where('./local'), ['BASE/here/local.exe', 'path'])
  assert.deepEqual(where('near/local.exe'), ['BASE/here/near/local.exe', 'path'])
  assert.deepEqual(where(`${base}/share/tools/deep`), ['BASE/share/tools/deep.exe', 'share'])
  assert.deepEqual(where('tools/deep', { cwd: `${base}/share` }), ['BASE/share/tools/deep.exe', 'share'])
  fails('./both', 'PROGRAM_NOT_FOUND', 'there is no program ./both')
})

test('a folder is no program, a document neither, and a batch file is one by its name', () => {
  assert.deepEqual(where('folder'), ['BASE/second/folder.exe', 'path'])
  assert.deepEqual(where('run'), ['BASE/share/run.cmd', 'share'])
  fails('letter.doc', 'PROGRAM_NOT_RUNNABLE', 'BASE/share/letter.doc is no program of Windows')
  fails('fake', 'PROGRAM_NOT_RUNNABLE', 'BASE/share/fake.exe is no program of Windows')
  fails('empty', 'PROGRAM_NOT_RUNNABLE', 'BASE/share/empty.exe is no program of Windows')
  fails('', 'PROGRAM_NOT_FOUND', 'the name of the program is empty')
})
