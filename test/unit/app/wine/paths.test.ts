import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromWindows, toWindows } from '../../../../src/app/wine/paths.ts'

const drives = [
  { drive: 'P:', unc: '\\\\srv\\app', point: '/run/a' },
  { drive: undefined, unc: '\\\\srv\\data\\sub', point: '/run/b' },
]

test('a path of Windows on one of our drives is a file here', () => {
  for (const [word, path] of [
    ['P:\\data\\x.dbf', '/run/a/data/x.dbf'],
    ['p:/app.exe', '/run/a/app.exe'],
    ['p:', '/run/a'],
    ['\\\\SRV\\APP\\app.exe', '/run/a/app.exe'],
    ['//srv/app/app.exe', '/run/a/app.exe'],
    ['\\\\srv\\data\\sub\\x', '/run/b/x'],
    ['P:app.exe', undefined],
    ['Q:\\x', undefined],
    ['\\\\srv\\application\\x', undefined],
    ['app.exe', undefined],
    ['/run/a/x', undefined],
  ] as const)
    assert.equal(fromWindows(word, drives), path, word)
})

test('a file below a point has a path on its drive', () => {
  assert.equal(toWindows('/run/a/data/app.exe', drives), 'P:\\data\\app.exe')
  assert.equal(toWindows('/run/b/x', drives), undefined)
  assert.equal(toWindows('/run/ab/x', drives), undefined)
})
