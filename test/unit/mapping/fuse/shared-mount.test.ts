import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Mount } from '../../../../src/mapping/fuse/room-way.ts'
import { devicesAt, isMountPoint } from '../../../../src/mapping/fuse/room-users.ts'
import { type Mounter, mountWhole, rootMounter } from '../../../../src/mapping/fuse/shared-mount.ts'
import { cannotMount } from './mounted.ts'

test('a tool that is ended after it has mounted leaves no mount; one that is ended before leaves what was there', { skip: cannotMount }, async () => {
  const path = mkdtempSync(join(tmpdir(), 'nbtrun-ended-'))
  const mount: Mount = { source: 'test', path, options: 'rootmode=40000,user_id=0,group_id=0' }
  const deviceHere = async (): Promise<string | undefined> => (await devicesAt(process.pid, [path]))[0]
  const root = rootMounter()
  const endedBefore: Mounter = { ...root, mount: () => Promise.reject(new Error('ended')) }
  const endedAfter: Mounter = {
    ...root,
    async mount(wanted) {
      closeSync(await root.mount(wanted))
      throw new Error('ended')
    },
  }
  try {
    await assert.rejects(mountWhole(endedAfter, mount), { message: 'ended' })
    assert.deepEqual([await deviceHere(), await isMountPoint(path), await isMountPoint(join(path, 'missing'))], [undefined, false, false])

    const fd = await mountWhole(root, mount)
    const device = await deviceHere()
    assert.notEqual(device, undefined)
    await assert.rejects(mountWhole(endedBefore, mount), { message: 'ended' })
    assert.deepEqual([await deviceHere(), await isMountPoint(path)], [device, true]) // nobody answers
    closeSync(fd)
    assert.equal(await isMountPoint(path), true) // nobody is there to answer
    await root.unmount(path, true)
  } finally {
    rmdirSync(path)
  }
})
