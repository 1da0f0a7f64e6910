import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { absentTools, type Group, isMachineRoot, isRoot, packagesOf, TOOL_PATH } from './packages.ts'

/** The words before a program that make an ordinary user root of namespaces of their own, with all their user ids (subuid(5)). */
export const ROOM = [
  'unshare',
  '--user',
  '--map-root-user',
  '--map-auto',
  '--net',
  '--mount',
  '--pid',
  '--fork',
  '--kill-child=KILL',
  '--mount-proc',
  '--',
] as const

const env = { ...process.env, PATH: TOOL_PATH }
let namespaces: boolean | undefined

/** Why tests that need these groups are skipped, or false: fits node:test's `skip`. */
export function missing(...groups: readonly Group[]): string | false {
  for (const group of groups) {
    const absent = absentTools(group)
    if (absent.length > 0) return `${absent.map(([name]) => name).join(', ')} not installed (apt install ${packagesOf(absent).join(' ')})`
    if (group === 'lab') {
      if (!isRoot()) return roomRefused() || 'the lab needs root or a namespace: start the test by node scripts/test.js FILE'
      namespaces ??= spawnSync('unshare', ['--net', '--mount', '--uts', 'true'], { env }).status === 0
      if (!namespaces) return 'this machine refuses network and mount namespaces'
    }
    if (group === 'fuse' && fuseRefused() !== false) return fuseRefused()
  }
  return false
}

/** The lab gives its clients a /dev/fuse of their own where it may make devices; root of a user namespace may not. */
function fuseRefused(): string | false {
  if (!existsSync('/dev/fuse')) return '/dev/fuse is missing'
  const mode = (statSync('/dev/fuse').mode & 0o777).toString(8).padStart(4, '0')
  return isMachineRoot() || mode === '0666' ? false : `/dev/fuse has mode ${mode} here, and only root of the machine can make another; distributions have 0666`
}

let refused: string | false | undefined

/** Why an ordinary user cannot be root of namespaces here, or false. */
export function roomRefused(): string | false {
  refused ??= missing('rootless') || probe()
  return refused
}

function probe(): string | false {
  const [file, ...args] = ROOM
  const { status, stderr } = spawnSync(file, [...args, 'true'], { env, encoding: 'utf8' })
  return status === 0 ? false : `this machine refuses a user namespace to an ordinary user: ${stderr.trim()}`
}
