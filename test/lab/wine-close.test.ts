import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Receipt } from '../../src/run/receipt.ts'
import { compileExe, type Lab, useLab } from './index.ts'
import { type Call, here, nothingLeft, words } from './nbtrun.ts'
import { untilGone } from './watch.ts'
import { linesSaid, noWine, said, unseenPrefix, untilSaid, withDesktop } from './wine.ts'

/** More than a busy machine takes until Wine has started for the asking. */
const PATIENT = '60s'
/** Longer than the kernel has it. */
const GUI = 'closes-with-a-long-name.exe'

describe('a Windows program is asked to end before it is made to', { skip: noWine, timeout: 880_000 }, () => {
  let lab: Lab
  let env: Record<string, string>
  let alices: Record<string, string>
  const disk = (name: string): string => join(lab.server().diskPath('app'), name)
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

  interface Case {
    readonly what: string
    readonly program: readonly string[]
    /** What the program says of it. */
    readonly says: readonly string[]
    readonly killAfter?: string
    readonly call?: () => Call
  }
  const left = ['ready', 'wm-close', 'leaves']
  const cases: readonly Case[] = [
    { what: 'one with a window by closing that', program: [GUI, 'tell', 'window'], says: left },
    { what: 'one with a window, of an ordinary user', program: [GUI, 'tell', 'window'], says: left, call: () => ({ user: 'alice', env: alices }) },
    { what: 'one that has its window later, then', program: [GUI, 'tell', 'late'], says: ['begun', ...left] },
    { what: 'one that keeps its window is ended after --kill-after', program: [GUI, 'stay', 'window'], says: ['ready', 'wm-close'], killAfter: '10s' },
    { what: 'one of the console by Ctrl-C', program: ['closes.exe', 'tell'], says: ['ready', 'ctrl-c', 'leaves'] },
    { what: 'one of the console that has a window as well by closing that', program: ['closes.exe', 'tell', 'window'], says: left },
  ]

  for (const mapping of ['private', 'shared'] as const) {
    const options = ['--mapping', mapping, '--grace', '0']

    for (const [index, { what, program, says, killAfter = PATIENT, call = (): Call => ({}) }] of cases.entries())
      test(`${what}: ${mapping}`, { timeout: 280_000 }, async () => {
        const name = `${mapping}-${index}`
        const [exe = '', ...more] = program
        const asked = { env, share: '//srv/app=P:', options: [...options, '--kill-after', killAfter, '--events', 'fd:1'], timeout: 240_000, ...call() }
        const run = lab.spawn('client1', words(lab, [exe, 'again', `P:\\${name}`, ...more], asked), asked)
        await Promise.all([said(run, '"quit"'), untilSaid(disk(name), says[0]!)])
        run.kill('SIGTERM')
        const { exitCode, stderr } = await run
        assert.deepEqual([exitCode, linesSaid(disk(name))], [0, says], String(stderr))
        await untilGone(lab)
        await nothingLeft(lab)
      })

    test(`the program itself by --time-limit: ${mapping}`, { timeout: 280_000 }, async () => {
      const file = here(lab, `limit-${mapping}.json`)
      const limits = ['--time-limit', '20s', '--kill-after', PATIENT, '--receipt', file] // it has begun by then
      const asked = { env, share: '//srv/app=P:', options: [...options, ...limits], timeout: 240_000 }
      const { run, name } = await withDesktop(lab, `limit-${mapping}`, async word => {
        const run = lab.spawn('client1', words(lab, ['closes.exe', `P:\\${word}`, 'leave', 'window'], asked), asked)
        await untilSaid(disk(word), 'ready')
        return { run }
      })
      const { exitCode, stderr } = await run
      const { program } = JSON.parse(readFileSync(file, 'utf8')) as Receipt
      assert.deepEqual([exitCode, linesSaid(disk(name)), program?.exit], [124, ['ready', 'wm-close'], 7], String(stderr))
      await untilGone(lab)
      await nothingLeft(lab)
    })
  }
})
