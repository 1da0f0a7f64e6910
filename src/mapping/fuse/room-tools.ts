import { accessSync, constants, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { NbtrunError } from '../../base/errors.ts'

/** Absolute paths of the programs that build a room and enter it. */
export interface Tools {
  readonly unshare: string
  readonly sh: string
  readonly mount: string
  readonly nsenter: string
  readonly env: string
  readonly setpriv: string
}

const CAP_SYS_ADMIN = 21n

/** The absolute path of a program in nbtrun's PATH (the one of the program to start has no say) or where such tools usually are. */
export function findTool(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter).filter(folder => folder.startsWith('/')), '/usr/bin', '/bin', '/usr/sbin', '/sbin']
  return folders.map(folder => join(folder, name)).find(isExecutable)
}

/** Throws MAPPING_FAILED naming the first that is missing. */
export function findTools(): Tools {
  const find = (name: string, from: string): string => {
    const path = findTool(name)
    if (path === undefined)
      throw new NbtrunError('MAPPING_FAILED', `a private mapping needs the program ${name}, which is not installed`, { hint: `apt install ${from}` })
    return path
  }
  return {
    unshare: find('unshare', 'util-linux'),
    sh: find('sh', 'dash'),
    mount: find('mount', 'mount'),
    nsenter: find('nsenter', 'util-linux'),
    env: find('env', 'coreutils'),
    setpriv: find('setpriv', 'util-linux'),
  }
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

/** Throws MAPPING_FAILED unless /dev/fuse can be opened for reading and writing. */
export function requireFuse(): void {
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK)
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
    throw missing
      ? new NbtrunError('MAPPING_FAILED', '/dev/fuse does not exist', { cause, hint: 'modprobe fuse, or docker run --device /dev/fuse' })
      : new NbtrunError('MAPPING_FAILED', '/dev/fuse may not be opened by this user', { cause, hint: 'chmod 666 /dev/fuse, or join the group that owns it' })
  }
}

/** What building a room failed of, told from what the tools wrote on stderr. */
export function roomFailure(said: string): NbtrunError {
  const line = said.trim().split('\n').at(-1) ?? ''
  if (/unrecognized option|invalid option|unknown option|bad usage/.test(said))
    return new NbtrunError('MAPPING_FAILED', `this system's tools are too old for a private mapping (${line})`, { hint: 'util-linux 2.36 is needed' })
  if (/unshare: .*(unshare failed|write failed|uid_map|setgroups)/.test(said))
    return new NbtrunError('MAPPING_FAILED', `no namespace for a private mapping (${line})`, { hint: namespaceCure() })
  return new NbtrunError('MAPPING_FAILED', line === '' ? 'the private mapping failed without a word' : `the private mapping failed (${line})`)
}

function namespaceCure(): string {
  if (sysctl('kernel/apparmor_restrict_unprivileged_userns') === '1') return 'sysctl kernel.apparmor_restrict_unprivileged_userns=0'
  if (sysctl('kernel/unprivileged_userns_clone') === '0') return 'sysctl kernel.unprivileged_userns_clone=1'
  if (sysctl('user/max_user_namespaces') === '0') return 'sysctl user.max_user_namespaces=10000'
  return 'in a container allow unshare (docker run --cap-add SYS_ADMIN --device /dev/fuse)'
}

function sysctl(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${name}`, 'latin1').trim()
  } catch {
    return undefined
  }
}
