import { accessSync, constants, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { impossible } from './failures.ts'

/** The programs that mappings are made with, and the Debian packages they come in. */
const PACKAGES = {
  unshare: 'util-linux',
  nsenter: 'util-linux',
  setpriv: 'util-linux',
  mount: 'mount',
  umount: 'mount',
  sh: 'dash',
  grep: 'grep',
  sleep: 'coreutils',
  test: 'coreutils',
  env: 'coreutils',
  fusermount3: 'fuse3',
} as const

export type ToolName = keyof typeof PACKAGES
/** Absolute paths. */
export type Tools<Names extends ToolName> = Readonly<Record<Names, string>>

const CAP_SYS_ADMIN = 21n

/** The absolute path of a program in nbtrun's PATH (the one of the program to start has no say) or where such tools usually are. */
export function findTool(name: ToolName): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter).filter(folder => folder.startsWith('/')), '/usr/bin', '/bin', '/usr/sbin', '/sbin']
  return folders.map(folder => join(folder, name)).find(isExecutable)
}

/** Throws MAPPING_FAILED naming the first that is missing. `what` needs them, such as `a private mapping`. */
export function findTools<Name extends ToolName>(what: string, names: readonly Name[]): Tools<Name> {
  const found = names.map(name => {
    const path = findTool(name)
    if (path === undefined) throw impossible('tools', `${what} needs the program ${name}, which is not installed`, `apt install ${PACKAGES[name]}`)
    return [name, path] as const
  })
  return Object.fromEntries(found) as Tools<Name>
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Whether we may mount without a user namespace of our own: uid 0 with CAP_SYS_ADMIN (root in most containers has it not). */
export function mayMount(): boolean {
  if (process.geteuid?.() !== 0) return false
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]
  return effective !== undefined && ((BigInt(`0x${effective}`) >> CAP_SYS_ADMIN) & 1n) === 1n
}
