import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { WHO } from './cell.ts'
import { type Lab, useLab } from './index.ts'
import { here, nbtrun, noMapping, nothingLeft } from './nbtrun.ts'

describe('many small files on the mapping', { skip: noMapping }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })
  after(() => nothingLeft(lab))

  test('a tree of 1,000 files to the share and back is the same on its disk and here', { timeout: 280_000 }, async () => {
    const user = WHO.at(-1)!
    const [from, back] = [here(lab, 'tree', { user }), here(lab, 'tree-back', { user })]
    for (let i = 0; i < 1000; i++) {
      const folder = join(from, `d${i % 10}`, `e ${i % 7}`)
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, `f${i}${i % 3 === 0 ? '.é:*?' : ''}`), Buffer.alloc((i * 37) % 9000, i & 0xff))
    }
    const copy = 'cp -a "$1" "$NBTRUN_MOUNT/tree" && cp -a "$NBTRUN_MOUNT/tree" "$2" && diff -r "$1" "$2"'
    const { code, stderr, stdout } = await nbtrun(lab, ['/bin/sh', '-c', copy, 'sh', from, back], { timeout: 280_000, user })
    assert.deepEqual([code, stderr, stdout], [0, '', ''])
    // names that SMB refuses are spelled otherwise on the server's disk, so contents are compared there
    const sum = ['sh', '-c', 'cd "$1" && find . -type f -exec sha256sum {} + | cut -c1-64 | sort', 'sh']
    const sums = async (folder: string): Promise<string> => (await lab.run('client1', [...sum, folder], { user: 'root' })).stdout
    const wanted = await sums(from)
    assert.equal(wanted.trim().split('\n').length, 1000)
    assert.equal(await sums(join(lab.server().diskPath('app'), 'tree')), wanted)
    const gone = await nbtrun(lab, ['/bin/sh', '-c', 'rm -r "$NBTRUN_MOUNT/tree" && ls -A "$NBTRUN_MOUNT"'], { timeout: 280_000, user })
    assert.deepEqual([gone.code, gone.stdout, gone.stderr], [0, '', ''])
    await lab.run('client1', ['rm', '-r', from, back], { user: 'root' })
  })
})
