import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { render, TEMPLATES } from '../../../src/profile/templates.ts'

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

/** Writes its words, each behind a 0 byte, into %RECORD%; ends with 3. */
const RECORDER = `
#include <stdio.h>
#include <windows.h>
int wmain(int argc, wchar_t **argv) {
  FILE *out = _wfopen(_wgetenv(L"RECORD"), L"wb");
  for (int i = 1; i < argc; i++) {
    char word[4096];
    WideCharToMultiByte(CP_UTF8, 0, argv[i], -1, word, sizeof word, 0, 0);
    fwrite(word, 1, strlen(word) + 1, out);
  }
  fclose(out);
  return 3;
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

function cmd(script: string, path: string): { status: number | null; stderr: string } {
  const file = join(folder, 'logon.cmd')
  writeFileSync(file, script)
  rmSync(record, { force: true })
  const { status, stderr, error } = spawnSync('wine', ['cmd', '/d', '/c', `Z:${file}`], {
    env: { ...env, WINEPATH: `Z:${path}` },
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 120_000,
  })
  assert.equal(error, undefined)
  return { status, stderr }
}

const recorded = (): string[] => readFileSync(record, 'utf8').split('\0').slice(0, -1)
const template = readFileSync(new URL(`../../../templates/${TEMPLATES.logon.file}`, import.meta.url), 'utf8')

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
