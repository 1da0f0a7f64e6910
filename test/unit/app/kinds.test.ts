import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { matches } from '../../../src/app/elf.ts'
import type { Head } from '../../../src/app/places.ts'
import { startable } from '../../../src/app/kinds.ts'
import { shareOf } from './share.ts'

const places = [{ path: '/mnt/app', files: shareOf({ interpreter: '\x7fELF', folder: null }) }]
const kind = (head: Head | string, { path = '/mnt/app/it', PATH = '/bin:/usr/bin' } = {}) =>
  startable({ path, word: 'it', from: 'share', head: typeof head === 'string' ? Buffer.from(head, 'latin1') : head }, { places, cwd: '/mnt/app', path: PATH })
const own = readFileSync('/proc/self/exe').subarray(0, 256)
const edited = (at: number, value: number) => {
  const head = Buffer.from(own)
  head[at] = value
  return head
}

test('an ELF file and a script are started as they are', async () => {
  assert.deepEqual(await kind(own), { words: ['it'], kind: 'native' })
  assert.deepEqual(await kind('#! /bin/sh -e\necho'), { words: ['it'], kind: 'script' })
  assert.deepEqual(await kind('#!/mnt/app/interpreter'), { words: ['it'], kind: 'script' })
})

test('what may be executed but not read is left to the kernel', async () => {
  assert.deepEqual(await kind(undefined), { words: ['it'], kind: 'native' })
})

test('Windows programs and batch files go through Wine with their path', async () => {
  assert.deepEqual(await kind('MZ\x90', { PATH: '/usr/bin' }), { words: ['wine', '/mnt/app/it'], kind: 'windows' })
  assert.deepEqual(await kind('@echo off', { path: '/mnt/app/RUN.BAT' }), { words: ['wine', '/mnt/app/RUN.BAT'], kind: 'windows' })
  assert.deepEqual(await kind('', { path: '/mnt/app/run.cmd' }), { words: ['wine', '/mnt/app/run.cmd'], kind: 'windows' })
})

test('without Wine a Windows program is refused with the cure', async () => {
  await assert.rejects(kind('MZ\x90', { path: '/mnt/app/app.exe', PATH: '/nowhere' }), {
    code: 'PROGRAM_NOT_RUNNABLE',
    line: 'app.exe is a Windows program and wine is not installed; apt install wine',
  })
})

for (const [what, head, code, message] of [
  ['text', 'hello', 'PROGRAM_NOT_RUNNABLE', /is no program: neither ELF/],
  ['an empty file', '', 'PROGRAM_NOT_RUNNABLE', /is empty/],
  ['a script without interpreter', '#!  \n', 'PROGRAM_NOT_RUNNABLE', /names no interpreter/],
  ['a script with a missing interpreter', '#!/no/such\n', 'PROGRAM_NOT_FOUND', /wants the interpreter \/no\/such, which does not exist/],
  ['a script whose interpreter is a folder', '#!/mnt/app/folder\n', 'PROGRAM_NOT_RUNNABLE', /which cannot be executed/],
  ['a script with the line ends of Windows', '#!/bin/sh\r\necho', 'PROGRAM_NOT_RUNNABLE', /has lines that end as on Windows/],
  ['an ELF file of another machine', edited(18, 0xf3), 'PROGRAM_NOT_RUNNABLE', /another kind of machine/],
  ['an ELF file cut short', own.subarray(0, 10), 'PROGRAM_NOT_RUNNABLE', /another kind of machine/],
] as const) {
  test(`${what} is refused`, async () => {
    await assert.rejects(kind(head), { code, message })
  })
}

test('an entry of binfmt_misc takes what has its magic under its mask', () => {
  const entry = 'enabled\ninterpreter /usr/bin/qemu\nflags: F\noffset 1\nmagic 454c46f3\nmask ffffff0f\n'
  assert.equal(matches(entry, Buffer.from('7f454c4613', 'hex')), false)
  assert.equal(matches(entry.replace('f3', '03'), Buffer.from('7f454c4613', 'hex')), true)
  assert.equal(matches(entry.replace('f3', '03').replace('enabled', 'disabled'), Buffer.from('7f454c4613', 'hex')), false)
  assert.equal(matches('enabled\ninterpreter /usr/bin/python\nextension .py\n', Buffer.from('7f45', 'hex')), false)
})
