import { spawn } from 'node:child_process'
import { NbtrunError } from '../../base/errors.ts'
import { countTool } from '../../base/tools.ts'
import { findProgram, type FindOptions } from '../find.ts'
import { type Env, unusable } from './prefix.ts'
import { endIdleServer } from './server.ts'

/** Runs one of Wine's own programs to its end, without the terminal and without its debug lines. Throws WINE_PREFIX where it fails. */
async function runWine(
  wine: string,
  words: readonly string[],
  prefix: string,
  env: Env,
  signal: AbortSignal,
  killSignal: NodeJS.Signals = 'SIGTERM',
): Promise<void> {
  const own = Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('NBTRUN_OPT_')))
  const child = spawn(wine, words, { env: { ...own, WINEPREFIX: prefix, WINEDEBUG: '-all' }, stdio: 'ignore', signal, killSignal })
  countTool(child)
  const code = await new Promise<number | string | null>(resolve => {
    child.once('error', thrown => resolve(thrown.message))
    child.once('exit', resolve) // not `close`: Wine's services inherit what is open
  })
  signal.throwIfAborted()
  if (code !== 0)
    throw unusable(prefix, `is not to be changed: wine ${words.slice(0, 2).join(' ')} failed (${code ?? 'killed'})`, `try: wine ${words.join(' ')}`)
}

/** Has Wine make a prefix, and its wineserver end: the program's own is to start inside the mapping. */
export async function makePrefix(wine: string, prefix: string, env: Env, signal: AbortSignal): Promise<void> {
  await runWine(wine, ['wineboot', '--init'], prefix, env, signal)
  await endIdleServer(prefix, async () => true, signal)
  signal.throwIfAborted()
}

const DRIVES = 'HKLM\\Software\\Wine\\Drives'

/** Changes the type of a drive through the running wineserver, which has the registry in its memory. */
export async function regDriveType(wine: string, prefix: string, letter: string, type: string | null, env: Env, signal: AbortSignal): Promise<void> {
  const how = type === null ? ['delete', DRIVES, '/v', letter, '/f'] : ['add', DRIVES, '/v', letter, '/d', type, '/f']
  await runWine(wine, ['reg', ...how], prefix, env, signal)
}

/** Sends WM_CLOSE to all windows of the programs of that name. Throws where there is none. */
export async function closeWindows(wine: string, name: string, prefix: string, env: Env, signal: AbortSignal): Promise<void> {
  await runWine(wine, ['taskkill', '/im', name], prefix, env, signal, 'SIGKILL')
}

/** The word that starts Wine. Throws PROGRAM_NOT_FOUND where there is none. */
export async function findWine(options: FindOptions): Promise<string> {
  return (await findProgram('wine', { ...options, from: 'path' })).word
}

/** Of a Windows program, or of a drive letter. */
export function noWine(wants: string, cause?: unknown): NbtrunError {
  return new NbtrunError('PROGRAM_NOT_RUNNABLE', `${wants} and wine is not installed`, { cause, hint: 'apt install wine' })
}
