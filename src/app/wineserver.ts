import { readdirSync, readlinkSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, join } from 'node:path'
import { NbtrunError } from '../base/errors.ts'

/** The prefix that Wine uses in this environment. */
export function winePrefix(env: Readonly<Record<string, string | undefined>>): string {
  return env['WINEPREFIX'] ?? join(env['HOME'] ?? homedir(), '.wine')
}

/**
 * The pid of the prefix's running wineserver. Its working folder is named after device and inode of the prefix; where that folder lies
 * (`/tmp/.wine-UID`, `/tmp/wine-XXXXXX`) differs between distributions.
 */
export function wineserverOf(prefix: string): number | undefined {
  const stat = statSync(prefix, { throwIfNoEntry: false })
  if (stat === undefined) return undefined
  const folder = `server-${stat.dev.toString(16)}-${stat.ino.toString(16)}`
  return readdirSync('/proc')
    .map(Number)
    .find(pid => Number.isInteger(pid) && basename(folderOf(pid)) === folder)
}

/**
 * Throws WINESERVER_OUTSIDE while a wineserver of the prefix runs: it opens the files for the programs, and one outside of a private mapping finds none.
 */
export function refuseWineserverOutside(env: Readonly<Record<string, string | undefined>>): void {
  const prefix = winePrefix(env)
  const pid = wineserverOf(prefix)
  if (pid === undefined) return
  throw new NbtrunError('WINESERVER_OUTSIDE', `a wineserver of ${prefix} runs already (pid ${pid}) and would not see the share`, {
    hint: `end its programs or WINEPREFIX=${prefix} wineserver -k, or set another WINEPREFIX`,
    facts: { pid, prefix },
  })
}

function folderOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return ''
  }
}
