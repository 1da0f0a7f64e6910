import assert from 'node:assert/strict'
import { chownSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import type { Receipt } from '../../src/run/receipt.ts'
import { compileExe, type Lab, useLab } from './index.ts'
import { type Call, here, nbtrunReceipt, nothingLeft } from './nbtrun.ts'
import { UIDS } from './users.ts'
import { untilGone } from './watch.ts'
import { wineEnv } from './windows.ts'
import { linesOf, noWine, stateOf, withoutWine } from './wine.ts'

describe('a Wine prefix that is not there yet', { skip: noWine, timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
    await compileExe('drive.c', join(lab.server().diskPath('app'), 'drive.exe'))
  })

  /** Runs drive.exe, which makes the prefix, and once more, which finds it. */
  async function twice(prefix: string, call: Call): Promise<void> {
    assert.ok(!existsSync(prefix))
    let untouched: object | undefined
    for (const makes of [true, false]) {
      const { code, stdout, stderr, receipt } = await nbtrunReceipt(lab, ['drive.exe', 'see', '{drive}'], { ...call, share: '//srv/app=P:', timeout: 300_000 })
      assert.deepEqual([code, withoutWine(stderr)], [42, ''])
      assert.deepEqual(linesOf(stdout).slice(0, 3), ['type 4', 'connection \\\\srv\\app', 'program P:\\drive.exe'])
      assert.deepEqual(receipt.wine, { prefix, server: 'started' })
      assert.deepEqual([receipt.end, receipt.warnings, made(receipt)], ['acknowledged', [], makes ? [true] : []])
      await untilGone(lab)
      await nothingLeft(lab)
      assert.deepEqual(stateOf(prefix), (untouched ??= stateOf(prefix)))
    }
  }
  const made = ({ steps }: Receipt): boolean[] => steps.flatMap(({ phase, name, ok }) => (phase === 'map' && name === 'Wine prefix' ? [ok] : []))
  const { WINEPREFIX: _, ...env } = wineEnv('')

  test('is made where --wine-prefix says, whatever WINEPREFIX says, and stays', async () => {
    const other = here(lab, 'another prefix')
    await twice(here(lab, 'new prefix'), { options: ['--wine-prefix', 'new prefix'], cwd: here(lab, ''), env: { ...env, WINEPREFIX: other } })
    assert.ok(!existsSync(other))
  })

  test('is made in ~/.wine where nothing says where, for an ordinary user too', async () => {
    const home = here(lab, 'home', { user: 'alice' })
    mkdirSync(home)
    chownSync(home, UIDS.alice, UIDS.alice)
    await twice(join(home, '.wine'), { user: 'alice', env: { ...env, HOME: home } })
  })
})
