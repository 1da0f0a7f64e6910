import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Whether dist/ is there and no source is newer. */
export function isBuilt(root: string): boolean {
  const bundle = join(root, 'dist', 'cli.js')
  if (!existsSync(bundle)) return false
  const built = statSync(bundle).mtimeMs
  return readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).every(name => statSync(join(root, 'src', name)).mtimeMs <= built)
}
