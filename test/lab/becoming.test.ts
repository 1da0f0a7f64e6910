import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { pause } from '../../src/base/time.ts'
import { type Lab, missing, useLab } from './index.ts'
import { noMapping, nothingLeft, words } from './nbtrun.ts'
import { WAYS } from './ways.ts'

/**
 * While a process becomes another program, the kernel keeps whoever asks /proc when it began waiting, and closes its descriptors: which here waits for the file's
 * lock to be given back, and so for nbtrun.
 */
const BECOMES = `
import fcntl, os
fd = os.open(os.environ['NBTRUN_MOUNT'] + '/locked', os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
fcntl.lockf(fd, fcntl.LOCK_EX)
print('ready', flush=True)
input()
os.execv('/bin/true', ['true'])
`

describe('a program that waits for the server while it becomes another one', { skip: noMapping || missing('fuse3'), timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })

  for (const { way, user, map = 'private' } of WAYS)
    test(`nbtrun looks at it, and answers all the same, way ${way} of ${user ?? 'root'}`, async () => {
      const argv = words(lab, ['/usr/bin/python3', '-c', BECOMES], { as: user ?? 'alice', options: ['--mapping', map, '--grace', '0'] })
      const run = lab.spawn('client1', argv, { ...(user === undefined ? {} : { user }), env: { NBTRUN_TEST_WAY: way }, timeout: 60_000 })
      for await (const chunk of run.stdout as AsyncIterable<Buffer>) if (String(chunk).includes('ready')) break
      const workers = lab.server().workers()
      for (const pid of workers) process.kill(pid, 'SIGSTOP')
      run.stdin?.end('\n')
      await pause(3000) // in which it is looked at
      for (const pid of workers) process.kill(pid, 'SIGCONT')
      const { exitCode, stderr } = await run
      assert.deepEqual([exitCode, stderr], [0, ''])
      await nothingLeft(lab)
    })
})
