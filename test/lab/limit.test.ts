import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { KEYS, type Lab, missing, useLab } from './index.ts'
import { type Call, nbtrunReceipt, noMapping, nothingLeft, words } from './nbtrun.ts'
import { DEAF, FORGOTTEN, untilGone } from './watch.ts'
import { WAYS } from './ways.ts'

describe('--time-limit', { skip: noMapping || missing('fuse3'), timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })

  for (const { way, user, map = 'auto' } of [...WAYS, { way: 'none', user: 'alice', map: 'none' } as const]) {
    const env = way === 'none' ? {} : { NBTRUN_TEST_WAY: way }
    const call = (...options: string[]): Call => ({ env, options: ['--mapping', map, '--grace', '0', ...options], ...(user === undefined ? {} : { user }) })
    const name = `${way} of ${user ?? 'root'}`

    test(`ends a program by TERM, with 124 whatever its own code is, way ${name}`, async () => {
      const program = ['/bin/sh', '-c', 'exec 2>/dev/null; trap "exit 0" TERM; while :; do sleep 0.05; done']
      const { code, stderr, ms, receipt } = await nbtrunReceipt(lab, program, call('--time-limit', '3s'))
      assert.deepEqual([code, stderr], [124, 'nbtrun: sh is being ended: its time limit of 3 s is over\n'])
      assert.ok(ms >= 3000, `${ms} ms`)
      assert.deepEqual([receipt.program?.timedOut, receipt.program?.exit, receipt.end], [true, 0, 'acknowledged'])
      await nothingLeft(lab)
    })

    test(`ends by KILL all who do not hear TERM, wherever they went, way ${name}`, async () => {
      const program = ['/bin/sh', '-c', `${way === 'none' ? '' : FORGOTTEN}\n${DEAF}\nwait`]
      const { code, ms, receipt } = await nbtrunReceipt(lab, program, call('--time-limit', '2.5s', '--kill-after', '700ms', '-q'))
      assert.equal(code, 124)
      assert.ok(ms >= 3200, `${ms} ms`)
      assert.deepEqual([receipt.program?.signal, receipt.end], ['SIGKILL', 'acknowledged'])
      await untilGone(lab)
      await nothingLeft(lab)
    })
  }

  test('does not touch what ends in time, and also counts for what the program left behind', async () => {
    const quick = await nbtrunReceipt(lab, ['/bin/sh', '-c', 'exit 3'], { options: ['--time-limit', '100s'] })
    assert.deepEqual([quick.code, quick.stderr, quick.receipt.program?.timedOut], [3, '', false])
    assert.ok(quick.ms < 60_000, `${quick.ms} ms`)
    const left = await nbtrunReceipt(lab, ['/bin/sh', '-c', 'setsid sleep 100 & exit 3'], { options: ['--time-limit', '1s'] })
    assert.deepEqual([left.code, left.receipt.program?.exit, left.receipt.program?.timedOut], [124, 3, true])
    await nothingLeft(lab)
  })

  test('does not count the time in which Ctrl-Z stopped it', { skip: missing('terminal') }, async () => {
    const run = words(lab, ['/bin/sh', '-c', 'echo ready; read -r line; exit 9'], { options: ['--time-limit', '4s'] }).map(word => `'${word}'`)
    const terminal = await lab.terminal('client1', ['/bin/bash', '--norc', '--noprofile', '-i'], { env: { PS1: 'prompt> ', HISTFILE: '/dev/null' } })
    await terminal.see('prompt> ')
    terminal.line(run.join(' '))
    await terminal.see(/^ready/m)
    terminal.type(KEYS.suspend)
    await terminal.see(/Stopped/)
    terminal.line('sleep 5; echo "slept"')
    const slept = await terminal.see(/^slept/m)
    terminal.line('fg')
    await terminal.see(/nbtrun[^\n]*\n$/, 10_000, slept)
    terminal.line('sleep 0.1')
    const over = await terminal.see(/prompt> $/, 10_000, slept)
    terminal.line('echo "status=$?"')
    await terminal.see(/^status=9/m, 10_000, over)
    terminal.line('exit')
    await terminal.end()
    await nothingLeft(lab)
  })
})
