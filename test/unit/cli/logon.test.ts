import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { render, TEMPLATES, type TemplateName } from '../../../src/profile/templates.ts'

const has = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
const missing = ['wine', 'x86_64-w64-mingw32-gcc'].filter(program => !has(program))

const skip = missing.length > 0 && `there is no ${missing.join(', no ')}`
const folder = mkdtempSync(join(tmpdir(), 'nbtrun-logon-'))
const exe = join(folder, 'exe'),
  shim = join(folder, 'shim'),
  record = join(folder, 'record')
const env = {
  PATH: process.env['PATH'],
  HOME: folder,
  WINEPREFIX: join(folder, 'prefix'),
  WINEDEBUG: '-all',
  WINEDLLOVERRIDES: 'mscoree,mshtml,winemenubuilder.exe=',
  RECORD: `Z:${record}`,
}

/** Writes its words, each behind a 0 byte, into %RECORD%; ends with %CODE%. */
const RECORDER = `
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>
int wmain(int argc, wchar_t **argv) {
  FILE *out = _wfopen(_wgetenv(L"RECORD"), L"wb");
  for (int i = 1; i < argc; i++) {
    char word[4096];
    WideCharToMultiByte(CP_UTF8, 0, argv[i], -1, word, sizeof word, 0, 0);
    fwrite(word, 1, strlen(word) + 1, out);
  }
  fclose(out);
  return _wtoi(_wgetenv(L"CODE"));
}`

/** As npm writes it, in what matters: one more cmd between the script and the program. */
const SHIM = '@ECHO off\r\nSETLOCAL\r\n"%~dp0\\..\\exe\\nbtrun.exe" %*\r\n'

before(() => {
  if (skip !== false) return
  mkdirSync(exe)
  mkdirSync(shim)
  writeFileSync(join(folder, 'recorder.c'), RECORDER)
  const { status, stderr } = spawnSync('x86_64-w64-mingw32-gcc', ['-municode', '-o', join(exe, 'nbtrun.exe'), join(folder, 'recorder.c')], { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  writeFileSync(join(shim, 'nbtrun.cmd'), SHIM)
})

after(() => {
  if (skip === false) spawnSync('wineserver', ['-k', '-w'], { env, stdio: 'ignore' })
  rmSync(folder, { recursive: true })
})

function cmd(script: string, path: string, code = 3, given: readonly string[] = []): { status: number | null; stderr: string } {
  const file = join(folder, 'logon.cmd')
  writeFileSync(file, script)
  rmSync(record, { force: true })
  const { status, stderr, error } = spawnSync('wine', ['cmd', '/d', '/c', `Z:${file}`, ...given], {
    env: { ...env, WINEPATH: `Z:${path}`, CODE: String(code) },
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 120_000,
  })
  assert.equal(error, undefined)
  return { status, stderr }
}

const recorded = (): string[] => readFileSync(record, 'utf8').split('\0').slice(0, -1)
const text = (name: TemplateName): string => readFileSync(new URL(`../../../templates/${TEMPLATES[name].file}`, import.meta.url), 'utf8')
const template = text('logon')

const WORDS = [
  'app.exe',
  '/month:10',
  'a b',
  "it's",
  '&',
  'a & b',
  '^',
  'a^b c',
  '!',
  '!PATH!',
  '(',
  ')',
  '|',
  '<x',
  '>x',
  '$HOME',
  '\\',
  'C:\\dir\\',
  'a "b" c',
  '"',
  'x" & y',
  '',
  '*',
  ';',
  ',',
  '=',
  '007',
]

test('logon.cmd hands every word to nbtrun, and ends with its code', { skip }, () => {
  const words = [...WORDS, '%PATH%', '%', '100% & 5%']
  const { status, stderr } = cmd(render('logon', template, ['--share', '//srv/a b'], words), exe)
  assert.deepEqual(recorded(), ['--share', '//srv/a b', '--', ...words])
  assert.equal(status, 3, stderr)
})

test("so it does through npm's nbtrun.cmd", { skip }, () => {
  // without percent signs: Wine's cmd expands them anew in what %* stood for, that of Windows does not
  const { status, stderr } = cmd(render('logon', template, ['--share', '//srv/a b'], WORDS), shim)
  assert.deepEqual(recorded(), ['--share', '//srv/a b', '--', ...WORDS])
  assert.equal(status, 3, stderr)
})

test('logon.cmd says when nbtrun is not there', { skip }, () => {
  const { status, stderr } = cmd(template, folder)
  assert.equal(status, 127)
  assert.match(stderr, /nbtrun is not installed or not in PATH/)
})

test('metered-launcher.cmd hands every word to nbtrun, then those it was given, and ends with its code', { skip }, () => {
  // without percent signs: Wine's cmd looks again at what a variable stood for, that of Windows does not
  const script = render('metered-launcher-cmd', text('metered-launcher-cmd'), ['--share', '//srv/a b'], WORDS)
  const { status, stderr } = cmd(script, exe, 3, ['/month:10', 'a b'])
  assert.deepEqual(recorded(), ['--share', '//srv/a b', '--', ...WORDS, '/month:10', 'a b'])
  assert.deepEqual([status, stderr], [3, ''])
})

test('metered-launcher.cmd goes on after a batch file, and says when all seats are taken', { skip }, () => {
  const { status, stderr } = cmd(text('metered-launcher-cmd'), shim, 75)
  assert.deepEqual(recorded(), ['--share', '//server/cad', '--wait', '2m', '--', 'cad.exe'])
  assert.deepEqual([status, stderr], [75, 'All seats are taken. Please try again when a colleague has closed the program.\r\n'])
})

test('metered-launcher.cmd says when nbtrun is not there', { skip }, () => {
  const { status, stderr } = cmd(text('metered-launcher-cmd'), folder)
  assert.equal(status, 127)
  assert.match(stderr, /nbtrun is not installed or not in PATH/)
})
