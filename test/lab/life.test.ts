import assert from 'node:assert/strict'
import { copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { pause } from '../../src/base/time.ts'
import { WHO } from './cell.ts'
import { type Lab, useLab } from './index.ts'
import { here, nbtrun, nbtrunReceipt, noMapping, nothingLeft, script, words } from './nbtrun.ts'
import { untilGone } from './watch.ts'

describe('the life of a run', { skip: noMapping }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })

  test('--grace 6s: the server has the session 2 s after the end, and no more soon after the grace', { timeout: 280_000 }, async () => {
    const run = lab.spawn('client1', words(lab, ['/bin/sh', '-c', 'echo over'], { options: ['--grace', '6s'] }))
    for await (const chunk of run.stdout as AsyncIterable<Buffer>) if (String(chunk).includes('over')) break
    const ended = performance.now()
    await pause(2000)
    assert.equal((await lab.server().sessions()).length, 1)
    assert.equal((await run).exitCode, 0)
    const ms = performance.now() - ended
    assert.ok(ms >= 6000 && ms < 20_000, `${ms} ms`)
    await lab.server().untilWorkers(0)
    await nothingLeft(lab)
  })

  test('--grace 0: the session is gone when nbtrun is', async () => {
    const { receipt } = await nbtrunReceipt(lab, ['/bin/true'], { options: ['--grace', '0'] })
    await lab.server().untilWorkers(0)
    assert.deepEqual([receipt.end, receipt.graceMs], ['acknowledged', 0])
    await nothingLeft(lab)
  })

  for (const [how, start] of [
    ['by setsid', 'setsid sh -c "$job" >/dev/null 2>&1 &'],
    ['inside namespaces of its own', 'setsid unshare -Um sh -c "$job" >/dev/null 2>&1 &'],
  ] as const) {
    for (const user of WHO) {
      test(`waits for a daemon started ${how} by ${user}, which writes for 2 s more`, { timeout: 280_000 }, async () => {
        script(
          lab,
          'forks',
          `job='i=0; while [ $i -lt 20 ]; do echo line $i >> "$NBTRUN_MOUNT/log"; sleep 0.1; i=$((i+1)); done'\nrm -f "$NBTRUN_MOUNT/log"\n${start}\nexit 3`,
        )
        const { code, stderr, ms } = await nbtrun(lab, ['{mount}/forks'], { user })
        assert.deepEqual([code, stderr], [3, ''])
        assert.ok(ms > 2000, `${ms} ms`)
        const log = readFileSync(join(lab.server().diskPath('app'), 'log'), 'utf8')
        assert.deepEqual(
          log.trim().split('\n'),
          Array.from({ length: 20 }, (_, i) => `line ${i}`),
        )
        await nothingLeft(lab)
      })
    }
  }

  test('--wait-for app does not wait, names the survivor, leaves nothing on the server; the survivor gets errors', { timeout: 280_000 }, async () => {
    const done = here(lab, 'survivor')
    script(
      lab,
      'survives',
      `setsid sh -c 'exec 3>"$NBTRUN_MOUNT/held"; echo up >${done}.up; while echo x >&3; do sleep 0.05; done 2>/dev/null; while ls "$NBTRUN_MOUNT" >/dev/null 2>&1; do sleep 0.05; done; echo failed > ${done}' >/dev/null 2>&1 &\nwhile [ ! -e ${done}.up ]; do sleep 0.02; done`,
    )
    const { code, stderr, ms, receipt } = await nbtrunReceipt(lab, ['{mount}/survives'], { options: ['--wait-for', 'app'] })
    assert.equal(code, 0)
    assert.ok(ms < 60_000, `${ms} ms`) // it would write for ever
    assert.match(stderr, /^nbtrun: .*sh \(\d+\)/)
    assert.ok(receipt.survivors.length > 0)
    await lab.server().untilSessions(0)
    await untilGone(lab)
    assert.equal(readFileSync(done, 'utf8'), 'failed\n')
    await nothingLeft(lab)
  })

  test('20 runs one after the other all get the one seat of a metered share', { timeout: 280_000 }, async () => {
    for (let i = 0; i < 20; i++) {
      const { code, stderr } = await nbtrun(lab, ['/bin/true'], { share: '//srv/cad' })
      assert.deepEqual([code, stderr], [0, ''], `run ${i}`)
    }
    await nothingLeft(lab)
  })

  test('an ELF program on the share starts again and again, and starts itself', {
    timeout: 280_000,
  }, async () => {
    copyFileSync('/bin/bash', join(lab.server().diskPath('app'), 'elf'))
    for (let i = 0; i < 15; i++) {
      const { code, stderr } = await nbtrun(lab, ['{mount}/elf', '-c', '"$NBTRUN_MOUNT/elf" -c "exit 4"'], { timeout: 60_000 })
      assert.deepEqual([code, stderr], [4, ''], `run ${i}`)
    }
    await nothingLeft(lab)
  })

  test('a second run on the metered share is told that it is full, with 75', async () => {
    const first = lab.spawn('client1', words(lab, ['/bin/sh', '-c', 'echo ready; read -r line'], { share: '//srv/cad' }))
    for await (const chunk of first.stdout as AsyncIterable<Buffer>) if (String(chunk).includes('ready')) break
    const second = await nbtrun(lab, ['/bin/true'], { share: '//srv/cad', client: 'client2' })
    assert.equal(second.code, 75)
    assert.match(second.stderr, /^nbtrun: .*cad.*full[^\n]*\n$/)
    first.stdin?.end('\n')
    assert.equal((await first).exitCode, 0)
    await nothingLeft(lab)
  })

  test('kill -9 of nbtrun: the program gets TERM, the session falls, and the next run removes the empty folder', { timeout: 280_000 }, async () => {
    script(lab, 'outlives', 'echo ready; trap "exit 0" TERM; while :; do sleep 0.05; done')
    const run = lab.spawn('client1', words(lab, ['{mount}/outlives']))
    for await (const chunk of run.stdout as AsyncIterable<Buffer>) if (String(chunk).includes('ready')) break
    process.kill(run.pid!, 'SIGKILL')
    await run
    await lab.server().untilSessions(0)
    await untilGone(lab)
    const { code, stderr } = await nbtrun(lab, ['/bin/true'])
    assert.deepEqual([code, stderr], [0, ''])
    await nothingLeft(lab)
  })
})
