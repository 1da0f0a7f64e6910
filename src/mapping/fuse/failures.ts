import { accessSync, constants, readFileSync } from 'node:fs'
import { errnoOf, NbtrunError, outOfDescriptors } from '../../base/errors.ts'

/**
 * Why a way of mapping is closed here: the kernel has no FUSE; this user may not open its device; no user namespace; no descriptor can be taken from another
 * process; programs are missing or too old; no privilege.
 */
export type Reason = 'no fuse' | 'device' | 'namespaces' | 'ffi' | 'tools' | 'privilege' | 'other'

/** MAPPING_FAILED, its reason among the facts. */
export function impossible(reason: Reason, message: string, hint?: string, cause?: unknown): NbtrunError {
  return new NbtrunError('MAPPING_FAILED', message, { facts: { reason }, ...(hint === undefined ? {} : { hint }), ...(cause === undefined ? {} : { cause }) })
}

/** Throws MAPPING_FAILED unless /dev/fuse can be opened for reading and writing; fusermount3 opens it with this user's rights, too. */
export function requireFuse(): void {
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK)
  } catch (cause) {
    throw errnoOf(cause) === 'ENOENT'
      ? impossible('no fuse', '/dev/fuse does not exist', 'modprobe fuse, or docker run --device /dev/fuse', cause)
      : impossible('device', '/dev/fuse may not be opened by this user', 'chmod 666 /dev/fuse, or join the group that owns it', cause)
  }
}

/** A tool that could not be started. */
export function notStarted(cause: Error): NbtrunError {
  return outOfDescriptors(cause) ?? failureOf(cause.message)
}

/** What a way failed of, told from what its tools wrote on stderr. */
export function failureOf(said: string): NbtrunError {
  if (/Too many open files/.test(said)) return new NbtrunError('OUT_OF_DESCRIPTORS', 'too many files are open (EMFILE)')
  const line = said.trim().split('\n').at(-1) ?? ''
  if (/unrecognized option|invalid option|unknown option|bad usage/.test(said))
    return impossible('tools', `this system's tools are too old for a private mapping (${line})`, 'util-linux 2.36 is needed')
  if (
    /unshare: .*(unshare failed|write failed|uid_map|setgroups|propagation)/.test(said) ||
    /(mount|nsenter): .*(permission denied|Operation not permitted)/i.test(said)
  )
    return impossible('namespaces', `no namespace for a private mapping (${line})`, namespaceCure())
  if (/fusermount3: /.test(said)) return impossible('other', `fusermount3 refused (${line.replace(/^.*fusermount3: /, '')})`)
  return impossible('other', line === '' ? 'the mapping failed without a word' : `the mapping failed (${line})`)
}

/** What lets an ordinary user make a namespace here, by what the kernel's settings say. */
function namespaceCure(): string {
  if (sysctl('kernel/apparmor_restrict_unprivileged_userns') === '1')
    return (
      'AppArmor keeps user namespaces from this user: sysctl kernel.apparmor_restrict_unprivileged_userns=0, ' +
      'or a profile "profile nbtrun /usr/bin/unshare flags=(unconfined) { userns, }" in /etc/apparmor.d'
    )
  if (sysctl('kernel/unprivileged_userns_clone') === '0') return 'sysctl kernel.unprivileged_userns_clone=1'
  if (sysctl('user/max_user_namespaces') === '0') return 'sysctl user.max_user_namespaces=10000'
  return 'in a container allow unshare (docker run --cap-add SYS_ADMIN --device /dev/fuse)'
}

/** The settings of this kernel that decide about namespaces of ordinary users, by their names in sysctl(8); those that it has. */
export function settingsOfNamespaces(): Readonly<Record<string, string>> {
  const names = ['kernel/apparmor_restrict_unprivileged_userns', 'kernel/unprivileged_userns_clone', 'user/max_user_namespaces']
  return Object.fromEntries(
    names.flatMap(name => {
      const value = sysctl(name)
      return value === undefined ? [] : [[name.replace('/', '.'), value]]
    }),
  )
}

function sysctl(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${name}`, 'latin1').trim()
  } catch {
    return undefined
  }
}
