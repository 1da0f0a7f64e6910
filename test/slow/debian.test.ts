// The Debian package on a Debian that has nothing else: debootstrap makes one, dpkg installs it there, and it does a run. npm run test:debian
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Receipt } from '../../src/run/receipt.ts'
import { type Lab, missing, startLab } from '../lab/index.ts'
import { noMapping, nothingLeft } from '../lab/nbtrun.ts'
import { isMachineRoot } from '../lab/packages.ts'

const root = join(import.meta.dirname, '..', '..')
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
const deb = join(root, 'out', 'deb', `nbtrun_${version}_amd64.deb`)

/** $1 becomes the root, with devices, processes and host names of the client; the rest is run in it. No chroot: nobody could enter a namespace from there. */
const ENTER = `set -e
mount --bind "$1" "$1"
mount --rbind /dev "$1/dev"
mount -t proc proc "$1/proc"
touch "$1/etc/hosts"
mount --bind /etc/hosts "$1/etc/hosts"
cd "$1"
shift
pivot_root . .
umount --lazy .
exec env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"`

describe('a clean Debian', { skip: noMapping || missing('debootstrap') || (!isMachineRoot() && 'needs root of the machine'), timeout: 1_800_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'nbtrun-debian-'))
  let lab: Lab
  const inside = (...words: string[]): ReturnType<Lab['run']> =>
    lab.run('client1', ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--', 'sh', '-c', ENTER, 'sh', folder, ...words], {
      cwd: '/',
      timeout: 600_000,
    })

  before(async () => {
    assert.ok(existsSync(deb), 'nothing was built: npm run build:deb')
    const [mirror = ''] = execFileSync('apt-get', ['indextargets', '--format', '$(SITE)', 'Created-By: Packages', 'Codename: bookworm'], {
      encoding: 'utf8',
    }).split('\n')
    execFileSync('debootstrap', ['--variant=minbase', 'bookworm', folder, mirror], { stdio: ['ignore', 'ignore', 'inherit'] })
    copyFileSync(deb, join(folder, 'nbtrun.deb'))
    lab = await startLab()
    copyFileSync(lab.authFile(), join(folder, 'root', 'auth'))
  })
  after(() => {
    lab?.dispose()
    rmSync(folder, { recursive: true })
  })

  test('dpkg installs it without another package; the command has its help, manual page and completions', async () => {
    const installed = await inside('dpkg', '--install', '/nbtrun.deb')
    assert.equal(installed.code, 0, installed.stderr)
    assert.equal((await inside('sh', '-c', 'command -v node')).code, 127)
    assert.deepEqual((await inside('nbtrun', '--version')).stdout, `${version}\n`)
    assert.equal((await inside('nbtrun', '--help')).stdout, readFileSync(join(root, 'test/unit/cli/golden/help.txt'), 'utf8'))
    assert.equal((await inside('dpkg', '--verify', 'nbtrun')).stdout, '')
  })

  test('a run has its share, ends with the code of its program, and leaves nothing on the server', async () => {
    const words = ['nbtrun', '--share', '//srv/app', '--auth-file', '/root/auth', '--receipt', '/root/receipt.json', '--']
    const { code, stdout, stderr } = await inside(...words, 'sh', '-c', 'echo hello >"$NBTRUN_MOUNT/note"; cat "$NBTRUN_MOUNT/note"; exit 42')
    assert.deepEqual([code, stdout, stderr], [42, 'hello\n', ''])
    const { shares, end } = JSON.parse(readFileSync(join(folder, 'root', 'receipt.json'), 'utf8')) as Receipt
    assert.deepEqual([shares[0]?.way, end], ['root', 'acknowledged'])
    await nothingLeft(lab)
  })

  test('it goes without a trace', async () => {
    assert.equal((await inside('dpkg', '--purge', 'nbtrun')).code, 0)
    assert.ok(!existsSync(join(folder, 'usr/lib/nbtrun')))
  })
})
