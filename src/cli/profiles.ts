import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { configFolder, SYSTEM_FILE, systemFolder } from '../profile/folders.ts'
import type { Profiles } from '../profile/profiles.ts'
import { profileOf } from '../profile/settings.ts'
import type { Raw } from '../profile/words.ts'

export const NONE: Profiles = { layers: [], program: undefined, files: [] }

/** What the files say that count for this line: the system's, and the profile's. Their reader is loaded only where there is one. */
export async function profilesOf(raw: Raw): Promise<Profiles> {
  const name = profileOf(raw, process.env)
  const system = systemFolder(process.env)
  if (name === undefined && !existsSync(join(system, SYSTEM_FILE))) return NONE
  const { loadProfiles } = await import('../profile/profiles.ts')
  return loadProfiles(name, { user: configFolder(process.env, homedir()), system, home: homedir() })
}
