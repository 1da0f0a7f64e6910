import { existsSync, readFileSync } from 'node:fs'

/** The package's folder: one above dist/, two above src/cli/. */
export function packageFolder(): URL {
  const [near, far] = [new URL('../', import.meta.url), new URL('../../', import.meta.url)]
  return existsSync(new URL('package.json', near)) ? near : far
}

export function packageVersion(): string {
  const about: unknown = JSON.parse(readFileSync(new URL('package.json', packageFolder()), 'utf8'))
  return typeof about === 'object' && about !== null && 'version' in about ? String(about.version) : 'unknown'
}
