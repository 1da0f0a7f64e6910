import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { compileExe, type Lab, useLab } from './index.ts'
import { type Call, nbtrunReceipt, nothingLeft, type WithReceipt } from './nbtrun.ts'
import { untilGone } from './watch.ts'
import { linesSaid, noWine, unseenPrefix } from './wine.ts'

/** More than a busy machine takes until Wine has started for the asking. */
const PATIENT = '60s'
/** Longer than the kernel has it. */
const GUI = 'closes-with-a-long-name.exe'

describe('a Windows program is asked to end before it is made to', { skip: noWine, timeout: 880_000 }, () => {
  let lab: Lab
  let env: Record<string, string>
  let alices: Record<string, string>
  const disk = (name: string): string => join(lab.server().diskPath('app'), name)
  const said = (name: string): string[] => linesSaid(disk(name))
  before(async () => {
    lab = await useLab()
    await compileExe('closes.c', disk('closes.exe'))
    await compileExe('closes.c', disk(GUI), '-mwindows')
    env = await unseenPrefix(lab, 'root')
    alices = await unseenPrefix(lab, 'alice')
  })
  after(async () => {
    await untilGone(lab)
    await nothingLeft(lab)
  })

  const run = (name: string, killAfter: string, program: readonly string[], options: readonly string[] = [], call: Call = {}): Promise<WithReceipt> => {
    const [exe = '', ...more] = program
    const limits = ['--time-limit', '15s', '--kill-after', killAfter, ...options]
    return nbtrunReceipt(lab, [exe, `P:\\${name}`, ...more], { env, share: '//srv/app=P:', options: limits, timeout: 240_000, ...call })
  }

  for (const mapping of ['private', 'shared'] as const) {
    const options = ['--mapping', mapping, '--grace', '0']

    test(`one with a window by closing that: ${mapping}`, { timeout: 280_000 }, async () => {
      const { code, receipt, stderr } = await run(`window-${mapping}`, PATIENT, [GUI, 'leave', 'window'], options)
      assert.deepEqual([code, said(`window-${mapping}`), receipt.program?.exit], [124, ['ready', 'wm-close'], 7], stderr)
      await untilGone(lab)
      await nothingLeft(lab)
    })

    test(`one with a window, of an ordinary user: ${mapping}`, { timeout: 280_000 }, async () => {
      const call = { user: 'alice', env: alices } as const
      const { code, receipt, stderr } = await run(`alice-${mapping}`, PATIENT, [GUI, 'leave', 'window'], options, call)
      assert.deepEqual([code, said(`alice-${mapping}`), receipt.program?.exit], [124, ['ready', 'wm-close'], 7], stderr)
      await untilGone(lab)
      await nothingLeft(lab)
    })

    test(`one that keeps its window is ended after --kill-after: ${mapping}`, { timeout: 280_000 }, async () => {
      const { code, receipt } = await run(`stays-${mapping}`, '10s', [GUI, 'stay', 'window'], options)
      assert.deepEqual([code, said(`stays-${mapping}`), receipt.program?.signal], [124, ['ready', 'wm-close'], 'SIGKILL'])
      await untilGone(lab)
      await nothingLeft(lab)
    })

    test(`one of the console by Ctrl-C: ${mapping}`, { timeout: 280_000 }, async () => {
      const { code, receipt } = await run(`console-${mapping}`, PATIENT, ['closes.exe', 'leave'], options)
      assert.deepEqual([code, said(`console-${mapping}`), receipt.program?.exit], [124, ['ready', 'ctrl-c'], 7])
      await untilGone(lab)
      await nothingLeft(lab)
    })

    test(`one of the console that has a window as well by closing that: ${mapping}`, { timeout: 280_000 }, async () => {
      const { code, receipt } = await run(`both-${mapping}`, PATIENT, ['closes.exe', 'leave', 'window'], options)
      assert.deepEqual([code, said(`both-${mapping}`), receipt.program?.exit], [124, ['ready', 'wm-close'], 7])
      await untilGone(lab)
      await nothingLeft(lab)
    })
  }
})
