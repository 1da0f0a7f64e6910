import { join, relative, sep } from 'node:path'

/** A share as a Windows program sees it. */
export interface SeenDrive {
  /** `P:`; undefined where it has none yet. */
  readonly drive: string | undefined
  /** `\\srv\app` */
  readonly unc: string
  readonly point: string
}

/** The file of this machine that a path of Windows on one of our drives names: `p:\data\x`, `\\SRV\app\x`. Undefined for any other word. */
export function fromWindows(word: string, drives: readonly SeenDrive[]): string | undefined {
  const lower = word.replaceAll('/', '\\').toLowerCase()
  for (const { drive, unc, point } of drives)
    for (const root of [drive, unc]) {
      if (root === undefined || !lower.startsWith(root.toLowerCase())) continue
      const rest = word.slice(root.length)
      if (rest === '' || /^[/\\]/.test(rest)) return join(point, rest.replaceAll('\\', sep))
    }
  return undefined
}

/** A file below a point as its drive names it: `P:\data\x`. */
export function toWindows(path: string, drives: readonly SeenDrive[]): string | undefined {
  const at = drives.find(({ drive, point }) => drive !== undefined && (path === point || path.startsWith(point + sep)))
  return at === undefined ? undefined : `${at.drive}\\${relative(at.point, path).replaceAll(sep, '\\')}`
}
