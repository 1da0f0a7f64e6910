import assert from 'node:assert/strict'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { compileExe, type Lab, setUpWine, useLab } from './index.ts'
import { type Call, here, nbtrunReceipt, nothingLeft, type WithReceipt } from './nbtrun.ts'
import { UIDS } from './users.ts'
import { untilGone } from './watch.ts'
import { noWine } from './wine.ts'

/** More than a busy machine takes until Wine has started for the asking. */
const PATIENT = '60s'
/** Longer than the kernel has it. */
const GUI = 'closes-with-a-long-name.exe'

describe('a Windows program is asked to end before it is made to', { skip: noWine, timeout: 580_000 }, () => {
  let lab: Lab
  let env: Record<string, string>
  const disk = (name: string): string => join(lab.server().diskPath('app'), name)
  const said = (name: string): string[] => (existsSync(disk(name)) ? readFileSync(disk(name), 'utf8').trim().split('\n') : [])
  before(async () => {
    lab = await useLab()
    await compileExe('closes.c', disk('closes.exe'))
    await compileExe('closes.c', disk(GUI), '-mwindows')
    env = await prefixOf('root')
  })
  /** A prefix with windows that nobody sees. */
  async function prefixOf(user: 'root' | 'alice'): Promise<Record<string, string>> {
    const variables = await setUpWine(here(lab, 'prefix', { user }), user === 'root' ? 0 : UIDS[user])
    appendFileSync(here(lab, 'prefix/user.reg', { user }), '\n[Software\\\\Wine\\\\Drivers] 1700000000\n"Graphics"="null"\n')
    return variables
  }
  after(async () => {
    await untilGone(lab)
    await nothingLeft(lab)
  })

  const run = (name: string, killAfter: string, program: readonly string[], options: readonly string[] = [], call: Call = {}): Promise<WithReceipt> => {
    const [exe = '', ...more] = program
    const limits = ['--time-limit', '15s', '--kill-after', killAfter, ...options]
    return nbtrunReceipt(lab, [exe, `P:\\${name}`, ...more], { env, share: '//srv/app=P:', options: limits, timeout: 240_000, ...call })
  }

  test('one with a window by closing that', { timeout: 280_000 }, async () => {
    const { code, receipt, stderr } = await run('window', PATIENT, [GUI, 'leave', 'window'])
    assert.deepEqual([code, said('window'), receipt.program?.exit], [124, ['ready', 'wm-close'], 7], stderr)
    await untilGone(lab)
    await nothingLeft(lab)
  })

  test('one with a window, of an ordinary user', { timeout: 280_000 }, async () => {
    const call = { user: 'alice', env: await prefixOf('alice') } as const
    const { code, receipt, stderr } = await run('alice', PATIENT, [GUI, 'leave', 'window'], [], call)
    assert.deepEqual([code, said('alice'), receipt.program?.exit], [124, ['ready', 'wm-close'], 7], stderr)
    await untilGone(lab)
    await nothingLeft(lab)
  })

  test('one that keeps its window is ended after --kill-after', { timeout: 280_000 }, async () => {
    const { code, receipt } = await run('stays', '10s', [GUI, 'stay', 'window'])
    assert.deepEqual([code, said('stays'), receipt.program?.signal], [124, ['ready', 'wm-close'], 'SIGKILL'])
    await untilGone(lab)
    await nothingLeft(lab)
  })

  test('one of the console by Ctrl-C', { timeout: 280_000 }, async () => {
    const { code, receipt } = await run('console', PATIENT, ['closes.exe', 'leave'])
    assert.deepEqual([code, said('console'), receipt.program?.exit], [124, ['ready', 'ctrl-c'], 7])
    await untilGone(lab)
    await nothingLeft(lab)
  })

  test('one of the console that has a window as well by closing that', { timeout: 280_000 }, async () => {
    const { code, receipt } = await run('both', PATIENT, ['closes.exe', 'leave', 'window'])
    assert.deepEqual([code, said('both'), receipt.program?.exit], [124, ['ready', 'wm-close'], 7])
    await untilGone(lab)
    await nothingLeft(lab)
  })
})
