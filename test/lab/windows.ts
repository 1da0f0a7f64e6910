import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { pause } from '../../src/base/time.ts'
import { missing } from './missing.ts'
import { TOOL_PATH } from './packages.ts'

/** A Windows program: prints its name and arguments, one per line; `/exit:N` among them is its exit code, else 0. */
const SOURCE = 'hello.c'

/** Where Debian's wine keeps the small programs that belong to Windows. */
const WINE_PROGRAMS = '/usr/lib/x86_64-linux-gnu/wine/x86_64-windows'

/** Puts a Windows program at `path`: ours where mingw is installed, else Wine's own hostname.exe. Returns which. */
export async function makeExe(path: string): Promise<'hello' | 'hostname'> {
  if (missing('mingw') === false) {
    await compileExe(SOURCE, path)
    return 'hello'
  }
  copyFileSync(join(WINE_PROGRAMS, 'hostname.exe'), path)
  return 'hostname'
}

/** Wine without a screen, and without its questions about Mono and Gecko. */
export const wineEnv = (prefix: string): Record<string, string> => ({
  WINEPREFIX: prefix,
  WINEDEBUG: '-all',
  WINEDLLOVERRIDES: 'mscoree,mshtml,winemenubuilder.exe=',
  DISPLAY: '',
})

/** Where the one prefix of this run of tests is made, of which the others are copies: making one takes ten times as long. */
const TEMPLATE = process.env['LAB_WINE'] ?? join(tmpdir(), `nbtwine-${process.pid}`)
const TEMPLATE_MS = 240_000

/** The template; whoever needs it first makes it, and others wait for that. */
async function template(): Promise<string> {
  const [prefix, ready] = [join(TEMPLATE, 'prefix'), join(TEMPLATE, 'ready')]
  try {
    mkdirSync(TEMPLATE)
  } catch {
    for (const dueAt = performance.now() + TEMPLATE_MS; !existsSync(ready); await pause(100))
      if (performance.now() > dueAt) throw new Error(`lab: nobody made ${prefix}`)
    return prefix
  }
  if (process.env['LAB_WINE'] === undefined) process.once('exit', () => rmSync(TEMPLATE, { recursive: true, force: true }))
  const env = { ...wineEnv(prefix), PATH: TOOL_PATH, HOME: TEMPLATE }
  const run = (...words: string[]): Promise<unknown> => execa(words[0]!, words.slice(1), { env, extendEnv: false, stdio: 'ignore', reject: false })
  await run('wineboot', '--init')
  await run('wineserver', '--wait')
  writeFileSync(ready, '')
  return prefix
}

/** Makes a Wine prefix of this user's; returns its environment. No wineserver runs. */
export async function setUpWine(prefix: string, uid = 0): Promise<Record<string, string>> {
  mkdirSync(dirname(prefix), { recursive: true })
  await execa('cp', ['-a', await template(), prefix])
  if (uid !== 0) await execa('chown', ['-hR', `${uid}:${uid}`, prefix])
  return wineEnv(prefix)
}

/** Puts the Windows program of a file in test/lab/fixtures at `path`. */
export async function compileExe(source: string, path: string, ...options: readonly string[]): Promise<void> {
  const file = join(import.meta.dirname, 'fixtures', source)
  await execa('x86_64-w64-mingw32-gcc', ['-Os', '-s', '-municode', ...options, '-o', path, file, '-lmpr', '-lole32', '-luuid'], { env: { PATH: TOOL_PATH } })
}
