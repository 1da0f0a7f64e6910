import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { type Lab, missing, useLab, type User } from './index.ts'
import { type Call, here, nbtrunReceipt, noMapping, nothingLeft, script } from './nbtrun.ts'

const WAYS: readonly { readonly way: string; readonly user?: User; readonly map?: string }[] = [
  { way: 'root' },
  { way: 'b2', user: 'alice' },
  { way: 'b1', user: 'alice' },
  { way: 'c', user: 'alice', map: 'shared' },
]

describe('a program that leaves', { skip: noMapping || missing('fuse3'), timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })

  for (const { way, user, map = 'auto' } of WAYS) {
    const name = `${way} of ${user ?? 'root'}`
    const call: Call = { env: { NBTRUN_TEST_WAY: way }, options: ['--mapping', map, '--grace', '0'], ...(user === undefined ? {} : { user }) }
    const log = (): string => readFileSync(join(lab.server().diskPath('app'), 'log'), 'utf8')

    test(`by starting itself anew, three deep, each in a session of its own, is waited for, way ${name}`, async () => {
      // each one exits at once; the last one writes when all before it are long gone
      script(
        lab,
        'relaunches',
        'n=$(($1 - 1)); if [ $n -ge 0 ]; then setsid "$0" $n >/dev/null 2>&1 & echo "left at $1" >>"$NBTRUN_MOUNT/log"; exit $1; fi; sleep 1; echo last >>"$NBTRUN_MOUNT/log"',
      )
      script(lab, 'fresh', 'rm -f "$NBTRUN_MOUNT/log"; exec "$NBTRUN_MOUNT/relaunches" 3')
      const { code, stderr, ms, receipt } = await nbtrunReceipt(lab, ['{mount}/fresh'], call)
      assert.deepEqual([code, stderr, receipt.end], [3, '', 'acknowledged'])
      assert.ok(ms >= 1000, `${ms} ms`)
      assert.deepEqual(log().trim().split('\n').sort(), ['last', 'left at 1', 'left at 2', 'left at 3'])
      await nothingLeft(lab)
    })

    test(`a writer in the background, which needs 5 s more, is waited for, way ${name}`, async () => {
      script(lab, 'writes', 'exec 3>"$NBTRUN_MOUNT/log"; (i=0; while [ $i -lt 50 ]; do echo line $i >&3; sleep 0.1; i=$((i+1)); done) >/dev/null 2>&1 & exit 0')
      const { code, stderr, ms, receipt } = await nbtrunReceipt(lab, ['{mount}/writes'], call)
      assert.deepEqual([code, stderr, receipt.end, receipt.warnings], [0, '', 'acknowledged', []])
      assert.ok(ms >= 5000, `${ms} ms`)
      assert.equal(log(), Array.from({ length: 50 }, (_, i) => `line ${i}\n`).join(''))
      await nothingLeft(lab)
    })
  }

  // there is no mapping to be seen in: its programs are known by their parents, and by the run's id
  const NONE: Call = { options: ['--mapping', 'none', '--grace', '0'] }
  async function withNone(name: string, text: string, seconds: number, words: readonly string[] = []): Promise<{ code: number | undefined; log: string }> {
    const [program, log] = [here(lab, name), here(lab, `${name}.log`)]
    rmSync(log, { force: true })
    writeFileSync(program, `#!/bin/sh\nlog=${log}\n${text}`, { mode: 0o755 })
    const { code, stderr, ms, receipt } = await nbtrunReceipt(lab, [program, ...words], NONE)
    assert.deepEqual([stderr, receipt.end, receipt.warnings, receipt.shares[0]?.mapping], ['', 'acknowledged', [], 'none'])
    assert.ok(ms >= 1000 * seconds, `${ms} ms`)
    await nothingLeft(lab)
    return { code, log: readFileSync(log, 'utf8') }
  }

  test('by starting itself anew, three deep, each in a session of its own, is waited for without a mapping', async () => {
    const again = 'n=$(($1 - 1)); if [ $n -ge 0 ]; then setsid "$0" $n >/dev/null 2>&1 & echo "left at $1" >>$log; exit $1; fi; sleep 1; echo last >>$log'
    const { code, log } = await withNone('relaunches', again, 1, ['3'])
    assert.equal(code, 3)
    assert.deepEqual(log.trim().split('\n').sort(), ['last', 'left at 1', 'left at 2', 'left at 3'])
  })

  test('a writer in the background, which needs 5 s more, is waited for without a mapping', async () => {
    const writes = '(i=0; while [ $i -lt 50 ]; do echo line $i; sleep 0.1; i=$((i+1)); done) >$log 2>/dev/null & exit 0'
    const { code, log } = await withNone('writes', writes, 5)
    assert.equal(code, 0)
    assert.equal(log, Array.from({ length: 50 }, (_, i) => `line ${i}\n`).join(''))
  })
})
