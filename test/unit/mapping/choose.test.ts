import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isMachineRoot } from '../../lab/packages.ts'
import { asUser, isRoot, within } from './as-user.ts'

const CHILD = [process.execPath, '--import', 'tsx', fileURLToPath(new URL('room-child.ts', import.meta.url)), 'choose']
const KOFFI = realpathSync(new URL('../../../node_modules', import.meta.url)) + '/koffi'

// Set-up lines, run as root in a mount namespace of the test's own.
const tool = (name: string, text: string): string =>
  `mkdir -p /mnt && mount -t tmpfs none /mnt && printf '#!/bin/sh\\n${text}\\n' >/mnt/${name} && chmod 755 /mnt/${name} && export PATH=/mnt:$PATH`
const SETTING = (name: string, value: number): string => `mount -t tmpfs none /proc/sys/kernel && echo ${value} >/proc/sys/kernel/${name}`
const NO_KOFFI = `mkdir -p /tmp/.empty && mount --bind /tmp/.empty '${KOFFI}'`
const NO_FUSERMOUNT = 'mount --bind /dev/null /usr/bin/fusermount3'
const NO_NAMESPACES = tool('unshare', 'echo unshare: unshare failed: Operation not permitted >&2; exit 1')
const APPARMOR = tool('unshare', 'echo unshare: write failed /proc/self/uid_map: Operation not permitted >&2; exit 1')
const OLD_TOOLS = tool('unshare', 'echo unshare: unrecognized option --map-current-user >&2; exit 1')

interface Told {
  readonly kind?: string
  readonly way?: string
  readonly refusals?: readonly string[]
  readonly code?: string
  readonly line?: string
}

function choose(prefix: readonly string[], kind = 'auto'): Told {
  const [command = '', ...args] = [...prefix, ...CHILD]
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', env: { ...process.env, KIND: kind }, timeout: 280_000, killSignal: 'SIGKILL' })
  assert.equal(stderr, '')
  return JSON.parse(stdout) as Told
}

const noFuse3 =
  (!existsSync('/usr/bin/fusermount3') && 'fusermount3 not installed (apt install fuse3)') ||
  (!isMachineRoot() && "fusermount3 has the privilege of the machine's root, which means nothing in a user namespace")

describe('which way is taken', { skip: !isRoot && 'needs root to make the conditions', timeout: 280_000 }, () => {
  test('root: a mount namespace; shared: a mount; neither needs koffi', () => {
    assert.deepEqual(choose(within(NO_KOFFI)), { kind: 'private', way: 'root', refusals: [] })
    assert.deepEqual(choose(within(NO_KOFFI), 'shared'), { kind: 'shared', way: 'c', refusals: [] })
  })

  test('a user: b2', () => {
    assert.deepEqual(choose(asUser()), { kind: 'private', way: 'b2', refusals: [] })
  })

  test('a user without koffi: b1', () => {
    assert.deepEqual(choose(asUser(NO_KOFFI)), { kind: 'private', way: 'b1', refusals: ['b2: the package koffi does not load'] })
  })

  test('a user without namespaces, or with tools too old: c', { skip: noFuse3 }, () => {
    const refused = (prepare: string) => {
      const { way, refusals } = choose(asUser(prepare))
      assert.equal(way, 'c')
      return refusals
    }
    assert.deepEqual(refused(NO_NAMESPACES), ['b2: no namespace for a private mapping (unshare: unshare failed: Operation not permitted)'])
    assert.match(String(refused(OLD_TOOLS)), /^b2: this system's tools are too old/)
  })

  test('shared by a user: c', { skip: noFuse3 }, () => {
    assert.deepEqual(choose(asUser(), 'shared'), { kind: 'shared', way: 'c', refusals: [] })
  })
})

describe('no way at all: one line with the cure', { skip: !isRoot && 'needs root to make the conditions', timeout: 280_000 }, () => {
  const line = (prefix: readonly string[], kind?: string): string | undefined => {
    const { code, line } = choose(prefix, kind)
    assert.equal(code, 'MAPPING_FAILED')
    return line
  }

  test('no /dev/fuse', () => {
    const hidden = 'mount -t tmpfs none /mnt; for d in null urandom; do touch /mnt/$d; mount --bind /dev/$d /mnt/$d; done; mount --rbind /mnt /dev'
    for (const prefix of [within(hidden), asUser(hidden)])
      assert.equal(line(prefix), '/dev/fuse does not exist; modprobe fuse, or docker run --device /dev/fuse')
  })

  test('a device of root’s alone', { skip: !isMachineRoot() && 'only root of the machine can make another /dev/fuse' }, () => {
    for (const kind of ['auto', 'private', 'shared'])
      assert.equal(line(asUser('chmod 600 /dev/fuse'), kind), '/dev/fuse may not be opened by this user; chmod 666 /dev/fuse, or join the group that owns it')
  })

  test('AppArmor, as Ubuntu has it', () => {
    assert.equal(
      line(asUser(`${APPARMOR}; ${SETTING('apparmor_restrict_unprivileged_userns', 1)}; ${NO_FUSERMOUNT}`)),
      'the share cannot be mapped here: no namespace for a private mapping (unshare: write failed /proc/self/uid_map: Operation not permitted); ' +
        'a shared mapping needs the program fusermount3, which is not installed; AppArmor keeps user namespaces from this user: ' +
        'sysctl kernel.apparmor_restrict_unprivileged_userns=0, or a profile "profile nbtrun /usr/bin/unshare flags=(unconfined) { userns, }" ' +
        'in /etc/apparmor.d; or apt install fuse3',
    )
  })

  test('user namespaces switched off', () => {
    const old = line(asUser(`${NO_NAMESPACES}; ${SETTING('unprivileged_userns_clone', 0)}`), 'private')
    assert.match(old ?? '', /^no namespace for a private mapping \(.*\); sysctl kernel\.unprivileged_userns_clone=1$/)
    const limit = ['unshare', '--user', '--map-current-user', '--keep-caps', 'sh', '-c', 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"', 'sh']
    const none = line([...asUser(), ...limit], 'private')
    assert.match(none ?? '', /^no namespace for a private mapping \(unshare: .*\); sysctl user\.max_user_namespaces=10000$/)
  })

  test('tools too old', () => {
    assert.match(
      line(asUser(OLD_TOOLS), 'private') ?? '',
      /^this system's tools are too old for a private mapping \(unshare: unrecognized option --map-current-user\); util-linux 2\.36 is needed$/,
    )
  })

  test('shared without koffi, and without fusermount3', () => {
    assert.equal(line(asUser(NO_KOFFI), 'shared'), 'the package koffi does not load; npm install koffi')
    assert.equal(line(asUser(NO_FUSERMOUNT), 'shared'), 'a shared mapping needs the program fusermount3, which is not installed; apt install fuse3')
  })
})
