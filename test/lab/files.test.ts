import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createReadStream, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { WHO } from './cell.ts'
import { type Lab, useLab } from './index.ts'
import { lines } from './lines.ts'
import { here, nbtrun, nbtrunReceipt, noMapping, nothingLeft, script, words } from './nbtrun.ts'

describe('files on the mapping', { skip: noMapping }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })
  after(() => nothingLeft(lab))

  for (const user of WHO) {
    test(`256 MiB to the share and back are the same on its disk and here, as ${user}`, { timeout: 280_000 }, async () => {
      const [from, back] = [here(lab, 'big', { user }), here(lab, 'big-back', { user })]
      const call = { timeout: 280_000, user }
      await lab.run('client1', ['sh', '-c', 'head -c 268435456 /dev/urandom > "$1"', 'sh', from], call)
      const { code, stderr, receipt } = await nbtrunReceipt(
        lab,
        ['/bin/sh', '-c', 'cp "$1" "$NBTRUN_MOUNT/big" && cp "$NBTRUN_MOUNT/big" "$2"', 'sh', from, back],
        call,
      )
      assert.deepEqual([code, stderr], [0, ''])
      assert.deepEqual([receipt.shares[0]?.bytesWritten, receipt.shares[0]?.bytesRead], [256 * 2 ** 20, 256 * 2 ** 20])
      const sums = await Promise.all([from, back, join(lab.server().diskPath('app'), 'big')].map(sha256))
      assert.deepEqual(sums.slice(1), [sums[0], sums[0]])
      await lab.run('client1', ['rm', from, back], call)
      await nbtrun(lab, ['/bin/sh', '-c', 'rm "$NBTRUN_MOUNT/big"'], call)
    })
  }

  test('a lock held by one host is refused to the other, and what one writes the other reads at once', { timeout: 280_000 }, async () => {
    const holder = `
import fcntl, os, sys
f = open(os.environ['NBTRUN_MOUNT'] + '/shared', 'w+')
fcntl.lockf(f, fcntl.LOCK_EX, 10, 100)
for line in sys.stdin:
    os.pwrite(f.fileno(), line.encode(), 0)
    print('done', flush=True)
`
    const prober = `
import fcntl, os, sys, errno
f = open(os.environ['NBTRUN_MOUNT'] + '/shared', 'r+')
for line in sys.stdin:
    if line == 'lock\\n':
        try:
            fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 105)
            print('granted', flush=True)
        except OSError as e:
            print(errno.errorcode[e.errno], flush=True)
    else:
        print(os.pread(f.fileno(), 100, 0).decode().strip(), flush=True)
`
    const one = lab.spawn('client1', words(lab, ['/usr/bin/python3', '-c', holder]), { stdin: 'pipe' })
    const says = lines(one.stdout!)
    one.stdin?.write('first\n')
    assert.equal(await says(), 'done')
    const other = lab.spawn('client2', words(lab, ['/usr/bin/python3', '-c', prober]), { stdin: 'pipe' })
    const hears = lines(other.stdout!)
    const ask = (what: string): Promise<string> => {
      other.stdin?.write(`${what}\n`)
      return hears()
    }
    assert.equal(await ask('lock'), 'EAGAIN')
    assert.equal(await ask('read'), 'first')
    one.stdin?.write('other\n')
    assert.equal(await says(), 'done')
    assert.equal(await ask('read'), 'other')
    one.stdin?.end()
    assert.equal((await one).exitCode, 0)
    assert.equal(await ask('lock'), 'granted')
    other.stdin?.end()
    assert.equal((await other).exitCode, 0)
  })

  test('flock of one host is refused to the other', { timeout: 280_000 }, async () => {
    script(lab, 'holds', 'exec 9>"$NBTRUN_MOUNT/lockfile"; flock 9; echo held; read -r line')
    const one = lab.spawn('client1', words(lab, ['{mount}/holds']), { stdin: 'pipe' })
    assert.equal(await lines(one.stdout!)(), 'held')
    const probe = ['/bin/sh', '-c', 'flock -n "$NBTRUN_MOUNT/lockfile" true; echo $?']
    assert.equal((await nbtrun(lab, probe, { client: 'client2' })).stdout, '1\n')
    one.stdin?.end('\n')
    assert.equal((await one).exitCode, 0)
    assert.equal((await nbtrun(lab, probe, { client: 'client2' })).stdout, '0\n')
  })

  test('what was closed is on the server’s disk when nbtrun is gone', async () => {
    await nbtrun(lab, ['/bin/sh', '-c', 'for i in 1 2 3 4 5 6 7 8 9; do head -c 1000000 /dev/zero | tr "\\0" $i; done > "$NBTRUN_MOUNT/sum"'])
    const bytes = readFileSync(join(lab.server().diskPath('app'), 'sum'))
    assert.equal(bytes.length, 9_000_000)
    assert.ok(bytes.subarray(8_000_000).every(b => b === 0x39))
  })
})

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
