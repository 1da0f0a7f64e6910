import { join } from 'node:path'

/** Where a user's profiles are. XDG Base Directory Specification. */
export function configFolder(env: Readonly<Record<string, string | undefined>>, home: string): string {
  const config = env['XDG_CONFIG_HOME'] ?? ''
  return join(config.startsWith('/') ? config : join(home, '.config'), 'nbtrun')
}
