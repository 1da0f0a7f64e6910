import assert from 'node:assert/strict'
import { constants } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, test } from 'node:test'
import { pause } from '../../src/base/time.ts'
import { compileExe, KEYS, type Lab, missing, type Terminal, useLab } from './index.ts'
import { nothingLeft, words } from './nbtrun.ts'
import { killAll, untilDelivered, untilGone } from './watch.ts'
import { linesSaid, noWine, unseenPrefix, untilSaid, withDesktop } from './wine.ts'

const PATIENCE_MS = 120_000

describe('Ctrl-C at a Windows program in a terminal', { skip: noWine || missing('terminal'), timeout: 880_000 }, () => {
  let lab: Lab
  let env: Record<string, string>
  const disk = (name: string): string => join(lab.server().diskPath('app'), name)
  before(async () => {
    lab = await useLab()
    await compileExe('closes.c', disk('closes.exe'))
    env = await unseenPrefix(lab, 'root')
  })
  const opened: Terminal[] = []
  afterEach(() => {
    for (const terminal of opened.splice(0)) terminal.kill()
  })
  after(async () => {
    killAll(lab)
    await untilGone(lab)
    await nothingLeft(lab)
  })

  for (const mapping of ['private', 'shared'] as const) {
    /** A run of it, when it says `ready`. */
    async function running(name: string, ...more: readonly string[]): Promise<Terminal> {
      const options = ['--mapping', mapping, '--grace', '0', '--kill-after', '100s', '--teardown-timeout', '60s']
      const line = words(lab, ['closes.exe', `P:\\${name}`, ...more], { share: '//srv/app=P:', options })
      const terminal = await lab.terminal('client1', line, { env })
      opened.push(terminal)
      await untilSaid(disk(name), 'ready')
      return terminal
    }

    function windowed(name: string, does: string): Promise<{ terminal: Terminal; name: string }> {
      return withDesktop(lab, name, async word => ({ terminal: await running(word, does, 'window') }))
    }

    async function interrupt(terminal: Terminal): Promise<void> {
      terminal.type(KEYS.interrupt)
      await pause(1000)
      await untilDelivered(lab.processes('client1'), constants.signals.SIGINT)
    }

    /** The first one: the program's own alone, which goes on. */
    async function first(terminal: Terminal, name: string): Promise<void> {
      await interrupt(terminal)
      await untilSaid(disk(name), 'ctrl-c')
      await pause(3000)
      assert.deepEqual(linesSaid(disk(name)), ['ready', 'ctrl-c'])
    }

    test(`the first is the program's own, the second one is one more, and its exit code is taken: ${mapping}`, { timeout: 280_000 }, async () => {
      const name = `console-${mapping}`
      const terminal = await running(name, 'second')
      await first(terminal, name)
      terminal.type(KEYS.interrupt)
      const { code, signal } = await terminal.end(PATIENCE_MS)
      assert.deepEqual([code, signal, linesSaid(disk(name))], [7, undefined, ['ready', 'ctrl-c', 'ctrl-c']], terminal.shown)
      await untilGone(lab)
      await nothingLeft(lab)
    })

    test(`the second one closes windows: ${mapping}`, { timeout: 280_000 }, async () => {
      const { terminal, name } = await windowed(`window-${mapping}`, 'leave')
      await first(terminal, name)
      terminal.type(KEYS.interrupt)
      const { code, signal } = await terminal.end(PATIENCE_MS)
      assert.deepEqual([code, signal, linesSaid(disk(name))], [7, undefined, ['ready', 'ctrl-c', 'ctrl-c', 'wm-close']], terminal.shown)
      await untilGone(lab)
      await nothingLeft(lab)
    })

    test(`the third one ends what stays: ${mapping}`, { timeout: 280_000 }, async () => {
      const { terminal, name } = await windowed(`stays-${mapping}`, 'stay')
      await first(terminal, name)
      await interrupt(terminal)
      await untilSaid(disk(name), 'wm-close')
      terminal.type(KEYS.interrupt)
      const { code, signal } = await terminal.end(PATIENCE_MS)
      assert.deepEqual([code, signal], [137, undefined], terminal.shown)
      await untilGone(lab)
      await nothingLeft(lab)
    })

    test(`a console program that stays has the second one once, and the third one ends it: ${mapping}`, { timeout: 280_000 }, async () => {
      const name = `deaf-${mapping}`
      const terminal = await running(name, 'stay')
      await first(terminal, name)
      await interrupt(terminal)
      await pause(3000)
      assert.deepEqual(linesSaid(disk(name)), ['ready', 'ctrl-c', 'ctrl-c'])
      terminal.type(KEYS.interrupt)
      const { code, signal } = await terminal.end(PATIENCE_MS)
      assert.deepEqual([code, signal], [137, undefined], terminal.shown)
      await untilGone(lab)
      await nothingLeft(lab)
    })
  }
})
