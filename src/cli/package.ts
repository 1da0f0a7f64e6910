import { existsSync, readFileSync } from 'node:fs'
import { getAsset, isSea } from 'node:sea'

/** A text file of the package, by its path in it: of the folder above dist/ or two above src/cli/, or what a single executable carries. */
export function packageText(path: string): string {
  if (isSea()) return getAsset(path, 'utf8')
  const [near, far] = [new URL('../', import.meta.url), new URL('../../', import.meta.url)]
  return readFileSync(new URL(path, existsSync(new URL('package.json', near)) ? near : far), 'utf8')
}

export function packageVersion(): string {
  const about: unknown = JSON.parse(packageText('package.json'))
  return typeof about === 'object' && about !== null && 'version' in about ? String(about.version) : 'unknown'
}
