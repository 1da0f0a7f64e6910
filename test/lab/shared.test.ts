import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { pause } from '../../src/base/time.ts'
import { type Lab, missing, useLab } from './index.ts'
import { here, nbtrun, noMapping, nothingLeft, words } from './nbtrun.ts'

for (const user of ['alice', undefined] as const) {
  describe(`the shared mapping of ${user ?? 'root'}`, { skip: noMapping || missing('fuse3'), timeout: 800_000 }, () => {
    let lab: Lab
    before(async () => {
      lab = await useLab()
    })
    const own = user === undefined ? {} : { user }
    const start = async (options: readonly string[]) => {
      const program = ['/bin/sh', '-c', 'echo some >"$NBTRUN_MOUNT/file"; echo "$NBTRUN_MOUNT"; echo ready; read -r line']
      const run = lab.spawn('client1', words(lab, program, { as: user ?? 'alice', options: ['--mapping', 'shared', ...options] }), own)
      let said = ''
      for await (const chunk of run.stdout as AsyncIterable<Buffer>) if ((said += String(chunk)).includes('ready')) break
      return { run, point: said.split('\n')[0] ?? '' }
    }

    test('is seen by the user’s other programs, and holds everything for a grace of 5 s', async () => {
      const { run, point } = await start([])
      assert.equal((await lab.run('client1', ['cat', `${point}/file`], own)).stdout, 'some\n')
      if (user !== undefined) assert.notEqual((await lab.run('client1', ['ls', point], { user: 'bob' })).code, 0)
      const ended = performance.now()
      run.stdin?.end('\n')
      await pause(1500)
      assert.equal((await lab.run('client1', ['cat', `${point}/file`], own)).stdout, 'some\n')
      assert.equal((await run).exitCode, 0)
      assert.ok(performance.now() - ended >= 5000, `${performance.now() - ended} ms`)
      await nothingLeft(lab)
    })

    test('names what is open at its end, is detached after 2 s, and says so', async () => {
      const receipt = join(lab.host('client1').folder, 'tmp', user ?? 'root', 'busy.json')
      const { run, point } = await start(['--grace', '0', '--receipt', receipt])
      const holder = lab.spawn('client1', ['sh', '-c', 'exec 3<"$1"; echo holding; read -r line; cat <&3; exit 0', 'sh', `${point}/file`], own)
      for await (const chunk of holder.stdout as AsyncIterable<Buffer>) if (String(chunk).includes('holding')) break
      const ended = performance.now()
      run.stdin?.end('\n')
      const { exitCode, stderr } = await run
      const took = performance.now() - ended
      assert.equal(exitCode, 0)
      assert.ok(took > 2000 && took < 20_000, `${took} ms`)
      const [open, detached, ...more] = String(stderr).trim().split('\n')
      assert.equal(open, `nbtrun: //srv/app is still in use at its end: open is file; by sh (${holder.pid})`)
      assert.equal(detached, `nbtrun: the mapping at ${point} was still in use and is detached; what uses it gets errors`)
      assert.deepEqual(more, [])
      const { steps, warnings, end } = JSON.parse(readFileSync(receipt, 'utf8'))
      assert.equal(steps.find((step: { phase: string; name: string }) => step.phase === 'teardown' && step.name === 'mapping').status, 'detached')
      assert.deepEqual([warnings.length, end], [2, 'acknowledged'])
      await lab.server().untilSessions(0)
      assert.equal(existsSync(point), false)
      holder.stdin?.end('\n')
      assert.match(String((await holder).stderr), /Transport endpoint is not connected/)
      await nothingLeft(lab)
    })

    test('one whose user is gone within the 2 s ends politely', async () => {
      const { run, point } = await start(['--grace', '0'])
      const holder = lab.spawn('client1', ['sh', '-c', 'exec 3<"$1"; echo holding; read -r line', 'sh', `${point}/file`], own)
      for await (const chunk of holder.stdout as AsyncIterable<Buffer>) if (String(chunk).includes('holding')) break
      run.stdin?.end('\n')
      let told = ''
      for await (const chunk of run.stderr as AsyncIterable<Buffer>) if ((told += String(chunk)).includes('\n')) break
      holder.stdin?.end('\n')
      await Promise.all([run, holder])
      assert.match(told, /still in use at its end/)
      await nothingLeft(lab)
    })

    test('nbtrun’s memory is no other program’s to read', { skip: user === undefined && 'root may' }, async () => {
      const { stdout } = await nbtrun(lab, ['/bin/sh', '-c', 'cat "/proc/$PPID/environ" 2>&1; cat "/proc/$PPID/maps" 2>&1'], {
        ...own,
        options: ['--mapping', 'shared', '--grace', '0'],
      })
      assert.equal(stdout.match(/Permission denied/g)?.length, 2, stdout)
    })

    test('buries the orphans it adopted', async () => {
      const forks = `
children() { grep -l "^PPid:.$PPID\\$" /proc/[0-9]*/status 2>/dev/null | wc -l; }
for i in 1 2 3 4 5; do (sh -c 'while [ ! -e "$0" ]; do sleep 0.05; done' "$1" &); done
until [ "$(children)" = 7 ]; do sleep 0.05; done
: >"$1"
for i in $(seq 200); do [ "$(children)" = 2 ] && break; sleep 0.1; done
children; rm "$1"`
      const { stdout } = await nbtrun(lab, ['/bin/sh', '-c', forks, 'sh', here(lab, 'orphans-may-end', own)], {
        ...own,
        options: ['--mapping', 'shared', '--grace', '0'],
      })
      assert.equal(stdout, '2\n', 'the program and the watchdog')
    })
  })
}
