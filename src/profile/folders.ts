import { join, sep } from 'node:path'

type Env = Readonly<Record<string, string | undefined>>

/** Where a user's profiles are. XDG Base Directory Specification. */
export function configFolder(env: Env, home: string): string {
  const config = env['XDG_CONFIG_HOME'] ?? ''
  return join(config.startsWith('/') ? config : join(home, '.config'), 'nbtrun')
}

/** Where the administrator's are. The environment has no say in it where it is the user's. */
export function systemFolder(env: Env): string {
  return sep === '\\' ? join(env['ProgramData'] ?? 'C:\\ProgramData', 'nbtrun') : '/etc/nbtrun'
}

/** What holds for every run of this machine. */
export const SYSTEM_FILE = 'config.toml'
