// What `npm run build:deb` made: its files, and a whole run from them on a client of the lab. test/slow/deb.test.ts installs it on a clean Debian.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Receipt } from '../../src/run/receipt.ts'
import { type Lab, useLab, type User } from '../lab/index.ts'
import { here, noMapping, nothingLeft } from '../lab/nbtrun.ts'
import { isMachineRoot } from '../lab/packages.ts'

const root = join(import.meta.dirname, '..', '..')
const built = join(root, 'out', 'deb')
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
const deb = join(built, `nbtrun_${version}_amd64.deb`)
const text = (file: string, ...args: string[]): string => execFileSync(file, args, { encoding: 'utf8', maxBuffer: 2 ** 26 })

describe('the Debian package', { timeout: 250_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'nbtrun-deb-'))
  before(() => {
    assert.ok(existsSync(deb), 'nothing was built: npm run build:deb')
    text('dpkg-deb', '--extract', deb, folder)
  })
  after(() => rmSync(folder, { recursive: true }))

  test('holds command, Node, manual page, completions, templates and documents, all of root', () => {
    const lines = text('dpkg-deb', '--contents', deb).trim().split('\n')
    assert.deepEqual(
      lines.filter(line => !/^(drwxr-xr-x|-rw-r--r--|-rwxr-xr-x|lrwxrwxrwx) root\/root /.test(line)),
      [],
    )
    const names = lines.map(line => line.split(/\s+/)[5])
    for (const name of [
      'bin/nbtrun',
      'lib/nbtrun/bin/node',
      'lib/nbtrun/dist/cli.js',
      'lib/nbtrun/templates/login.sh',
      'share/bash-completion/completions/nbtrun',
      'share/zsh/vendor-completions/_nbtrun',
      'share/fish/vendor_completions.d/nbtrun.fish',
      'share/man/man1/nbtrun.1.gz',
      'share/doc/nbtrun/copyright',
    ])
      assert.ok(names.includes(`./usr/${name}`), name)
    assert.equal(text('dpkg-deb', '--field', deb, 'Version').trim(), version)
    assert.match(readFileSync(join(folder, 'usr/share/doc/nbtrun/copyright'), 'utf8'), /Copyright Node\.js contributors/)
    execFileSync('md5sum', ['--check', '--quiet', join(controlFolder(), 'md5sums')], { cwd: folder })
  })

  function controlFolder(): string {
    const control = join(folder, 'DEBIAN')
    if (!existsSync(control)) text('dpkg-deb', '--control', deb, control)
    return control
  }

  test('one that takes the Node of the system says so, is small, and the same each time', () => {
    const twice = [0, 1].map(n => {
      const out = join(folder, `build-${n}`)
      text(process.execPath, '--import', 'tsx', join(root, 'scripts/package/deb.ts'), out, '--system-node')
      return readFileSync(join(out, readdirSync(out)[0] ?? ''))
    })
    assert.ok(twice[0]?.equals(twice[1] ?? Buffer.alloc(0)), 'the same bytes')
    assert.ok((twice[0]?.length ?? 0) < 2 * 2 ** 20)
    const [name = ''] = readdirSync(join(folder, 'build-0'))
    assert.match(text('dpkg-deb', '--field', join(folder, 'build-0', name), 'Depends'), /^nodejs \(>= 20\.19\), /)
  })

  describe('its files in /usr', { skip: noMapping || (!isMachineRoot() && 'needs root of the machine') }, () => {
    let lab: Lab
    before(async () => {
      lab = await useLab()
    })
    /** For this program alone /usr is what the package has, over what the machine has. */
    const installed = (words: readonly string[], options: Parameters<Lab['run']>[2] = {}): ReturnType<Lab['run']> => {
      const { user, ...rest } = options ?? {}
      const as = user === undefined || user === 'root' ? [] : ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups', '--']
      const script = 'mount -t overlay -o "lowerdir=$1:/usr" package /usr && shift && exec "$@"'
      const own =
        user === undefined
          ? {}
          : {
              HOME: join(lab.host('client1').folder, 'home', user),
              XDG_RUNTIME_DIR: join(lab.host('client1').folder, 'run', user),
              TMPDIR: join(lab.host('client1').folder, 'tmp', user),
            }
      const argv = ['unshare', '--mount', '--', 'sh', '-c', script, 'sh', join(folder, 'usr'), ...as, ...words]
      return lab.run('client1', argv, { ...rest, cwd: '/', env: { ...own, PATH: '/usr/bin:/bin:/usr/sbin:/sbin', ...rest.env } })
    }

    test('the command says its version; its Node is its own', async () => {
      const { stdout, stderr } = await installed(['nbtrun', '--version'])
      assert.deepEqual([stdout, stderr], [`${version}\n`, ''])
      assert.equal((await installed(['head', '-n1', '/usr/bin/nbtrun'])).stdout, '#!/usr/lib/nbtrun/bin/node\n')
    })

    for (const { way, user } of [{ way: 'root' }, { way: 'b2', user: 'alice' }] as { way: string; user?: User }[])
      test(`a run in way ${way} gives everything back`, async () => {
        const receipt = here(lab, `deb-${way}.json`, user === undefined ? {} : { user })
        const words = ['nbtrun', '--share', '//srv/app', '--auth-file', lab.authFile(user), '--receipt', receipt, '--']
        const { code, stdout, stderr } = await installed([...words, '/bin/sh', '-c', 'touch "$NBTRUN_MOUNT/from-deb" && ls "$NBTRUN_MOUNT"; exit 42'], {
          env: { NBTRUN_TEST_WAY: way },
          ...(user === undefined ? {} : { user }),
        })
        assert.deepEqual([code, stderr], [42, ''])
        assert.match(stdout, /^from-deb$/m)
        const { shares, end } = JSON.parse(readFileSync(receipt, 'utf8')) as Receipt
        assert.deepEqual([shares[0]?.way, end], [way, 'acknowledged'])
        await nothingLeft(lab)
      })
  })
})
