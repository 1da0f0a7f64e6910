import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import type { RunOptions } from './client.ts'
import { missing } from './missing.ts'
import { TOOL_PATH } from './packages.ts'

/** A Windows program: prints its name and arguments, one per line; `/exit:N` among them is its exit code, else 0. */
const SOURCE = join(import.meta.dirname, 'fixtures', 'hello.c')

/** Where Debian's wine keeps the small programs that belong to Windows. */
const WINE_PROGRAMS = '/usr/lib/x86_64-linux-gnu/wine/x86_64-windows'

/** Puts a Windows program at `path`: ours where mingw is installed, else Wine's own hostname.exe. Returns which. */
export async function makeExe(path: string): Promise<'hello' | 'hostname'> {
  if (missing('mingw') === false) {
    await execa('x86_64-w64-mingw32-gcc', ['-Os', '-s', '-municode', '-o', path, SOURCE], { env: { PATH: TOOL_PATH } })
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

/**
 * Makes a Wine prefix; `run` starts a program where Wine is to run. Takes about ten seconds. Returns its environment, and leaves no wineserver.
 */
export async function setUpWine(
  prefix: string,
  run: (argv: readonly string[], options: Pick<RunOptions, 'env' | 'stdin' | 'stdout' | 'stderr'>) => PromiseLike<unknown>,
): Promise<Record<string, string>> {
  const env = wineEnv(prefix)
  for (const argv of [
    ['wineboot', '--init'],
    ['wineserver', '--wait'],
  ]) {
    await run(argv, { env, stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' })
  }
  return env
}
