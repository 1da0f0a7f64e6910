import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { clientEnv } from './client.ts'
import { type Lab, useLab } from './index.ts'
import { noMapping, nothingLeft, words } from './nbtrun.ts'
import { isMachineRoot } from './packages.ts'

/** A /dev of its own, with a null that ordinary users may not open: no helper can be started. Then the words as alice. */
const BARE_DEV = `
mount -t tmpfs none /dev && mknod -m 600 /dev/null c 1 3 && mknod -m 666 /dev/fuse c 10 229 && mknod -m 666 /dev/urandom c 1 9 || exit 9
exec setpriv --reuid=alice --regid=alice --clear-groups "$@"`

describe('a helper that cannot be started', { skip: noMapping || (!isMachineRoot() && 'needs root of the machine'), timeout: 60_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })

  for (const way of ['b2', 'b1', 'c'])
    test(`way ${way}: one line says so, and everything is given back`, async () => {
      const run = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', BARE_DEV, 'sh', ...words(lab, ['true'])]
      const { code, stderr } = await lab.run('client1', run, { user: 'root', env: { ...clientEnv(lab.host('client1'), 'alice'), NBTRUN_TEST_WAY: way } })
      assert.equal(code, 125, stderr)
      assert.match(stderr, /^nbtrun: the mapping failed \(spawn \/usr\/bin\/\w+ EACCES\) \[MAPPING_FAILED\]\n$/)
      await nothingLeft(lab)
    })
})
