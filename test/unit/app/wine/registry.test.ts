import assert from 'node:assert/strict'
import { test } from 'node:test'
import { driveType, withDriveType } from '../../../../src/app/wine/registry.ts'

const HEAD =
  'WINE REGISTRY Version 2\n;; All keys relative to REGISTRY\\\\Machine\n\n#arch=win64\n\n[Software\\\\Wine] 1795657040\n#time=1dd7d46ad67da68\n"x"="1"\n'
const DRIVES = '[Software\\\\Wine\\\\Drives] 1795657040\n#time=1dd7d46ad67da68\n"d:"="cdrom"\n"P:"="hd"\n'
const TAIL = '[System\\\\Select] 1795657040\n"Current"=dword:00000001\n'

test('the type of a drive is found in its key, whatever the case', () => {
  const text = `${HEAD}\n${DRIVES}\n${TAIL}`
  assert.deepEqual([driveType(text, 'd:'), driveType(text, 'p:'), driveType(text, 'q:')], ['cdrom', 'hd', null])
  assert.equal(driveType(`${HEAD}\n${TAIL}`, 'd:'), null)
  assert.equal(driveType(`${HEAD}\n"p:"="hd"\n`, 'p:'), null, 'a value of another key')
})

test('a type that is set and taken back leaves the text as it was', () => {
  const text = `${HEAD}\n${DRIVES}\n${TAIL}`
  const set = withDriveType(text, 'q:', 'network')
  assert.equal(driveType(set, 'q:'), 'network')
  assert.deepEqual([driveType(set, 'd:'), driveType(set, 'p:')], ['cdrom', 'hd'])
  assert.equal(withDriveType(set, 'q:', null), text)
})

test('the key is made where there is none, and goes with its last value', () => {
  const text = `${HEAD}\n${TAIL}`
  const set = withDriveType(text, 'p:', 'network')
  assert.match(set, /\n\n\[Software\\\\Wine\\\\Drives\] \d+\n"p:"="network"\n$/)
  assert.equal(withDriveType(set, 'p:', null).trimEnd(), text.trimEnd())
  const between = withDriveType(`${HEAD}\n${DRIVES.replace(/"P:".*\n/, '')}\n${TAIL}`, 'd:', null)
  assert.equal(between, text)
  assert.equal(withDriveType(text, 'p:', null), text)
})

test('a type is put in place of another', () => {
  const set = withDriveType(`${HEAD}\n${DRIVES}\n${TAIL}`, 'p:', 'network')
  assert.equal(set.match(/"p:"/gi)?.length, 1)
  assert.equal(driveType(withDriveType(set, 'p:', 'hd'), 'p:'), 'hd')
})
