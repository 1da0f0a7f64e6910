import { closeSync, openSync } from 'node:fs'
import type { Terminal } from '../prompt.ts'

/** The console of this process, whatever its stdin is, or undefined where it has none. "Console Handles", Microsoft: CONIN$ and CONOUT$. */
export function openConsole(): Terminal | undefined {
  let keys: number | undefined
  try {
    // without a path before them Node would look for files of these names
    keys = openSync('\\\\.\\CONIN$', 'r+')
    return { keys, screen: openSync('\\\\.\\CONOUT$', 'r+'), canStop: false }
  } catch {
    if (keys !== undefined) closeSync(keys)
    return undefined
  }
}
