import { once } from 'node:events'
import { appendFileSync, existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Options, ResultPromise } from 'execa'
import { driveType } from '../../src/app/wine/registry.ts'
import { pause } from '../../src/base/time.ts'
import { cell } from './cell.ts'
import { type Lab, missing, setUpWine } from './index.ts'
import { here, noMapping } from './nbtrun.ts'
import { UIDS } from './users.ts'
import { processesLike, untilGone } from './watch.ts'

/** Why no Windows program can be run from a mapping here, or false. */
export const noWine = noMapping || missing('wine', 'mingw') || (cell.way !== undefined && 'Wine is no part of the matrix')

/** Everything of a prefix that a run may change: the links, and the types of the drives. */
export function stateOf(prefix: string): object {
  const system = readFileSync(join(prefix, 'system.reg'), 'latin1')
  const types = Array.from('abcdefghijklmnopqrstuvwxyz', letter => driveType(system, `${letter}:`))
  return { links: linksIn(join(prefix, 'dosdevices')), types, key: system.includes('[Software\\\\Wine\\\\Drives]') }
}

/** A prefix with windows that nobody sees; returns its environment. */
export async function unseenPrefix(lab: Lab, user: 'root' | 'alice'): Promise<Record<string, string>> {
  const variables = await setUpWine(here(lab, 'prefix', { user }), user === 'root' ? 0 : UIDS[user])
  appendFileSync(here(lab, 'prefix/user.reg', { user }), '\n[Software\\\\Wine\\\\Drivers] 1700000000\n"Graphics"="null"\n')
  return variables
}

/** The lines of a file that a program writes; none where there is no file. */
export function linesSaid(path: string): string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split(/\r?\n/) : []
}

/** Until a line is in such a file. */
export async function untilSaid(path: string, line: string, ms = 120_000): Promise<void> {
  for (const dueAt = performance.now() + ms; !linesSaid(path).includes(line); await pause(50))
    if (performance.now() > dueAt) throw new Error(`${path} has no ${line}, but ${linesSaid(path).join(', ')}`)
}

/** Wine takes a second for it. */
const DESKTOP_GOES_MS = 3000

/**
 * Begins a program with a window, until that can be reached. Where Wine itself has just begun, its server ends explorer.exe, whose the desktop is, a second later in
 * three of a hundred starts: the window stays, on a desktop that no other program can open. Each time its file has another name.
 */
export async function withDesktop<T>(lab: Lab, name: string, begin: (name: string) => Promise<T>): Promise<T & { readonly name: string }> {
  for (let round = 1; ; round++) {
    const begun = { ...(await begin(`${name}-${round}`)), name: `${name}-${round}` }
    await pause(DESKTOP_GOES_MS)
    if (round === 3 || processesLike(lab, /explorer\.exe/).length > 0) return begun
    for (const pid of processesLike(lab, /^(\S+wine64 )?P:\\/)) process.kill(pid, 'SIGKILL')
    await untilGone(lab)
  }
}

/** The exit code, as soon as there is one: Wine's services keep what a program has open, and a pipe ends with them. */
export async function exitOf(run: ResultPromise<Options>): Promise<unknown> {
  const [code] = (await once(run, 'exit')) as [unknown]
  return code
}

/** Until it has printed all of these. */
export async function said(run: ResultPromise<Options>, ...texts: readonly string[]): Promise<void> {
  for (let all = ''; !texts.every(text => all.includes(text)); ) {
    const [chunk] = (await Promise.race([once(run.stdout!, 'data'), run.then(({ stderr }) => Promise.reject(new Error(`it ended: ${String(stderr)}`)))])) as [
      Buffer,
    ]
    all += String(chunk)
  }
}

/** Each link in a folder and those below, and where it leads; folders without a link, too. */
function linksIn(folder: string): (readonly [string, string])[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
    const path = join(folder, entry.name)
    return entry.isSymbolicLink() ? [[path, readlinkSync(path)] as const] : [[path, ''] as const, ...(entry.isDirectory() ? linksIn(path) : [])]
  })
}

export function linesOf(stdout: string): string[] {
  return stdout.split(/\r?\n/).slice(0, -1)
}

/** What Debian's wine says about itself. */
export function withoutWine(stderr: string): string {
  return stderr.replace(/^it looks like wine32 is missing[\s\S]*?wine32:i386"\n/, '')
}
