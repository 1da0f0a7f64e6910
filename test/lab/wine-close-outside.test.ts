import assert from 'node:assert/strict'
import { copyFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { compileExe, type Lab, useLab } from './index.ts'
import { here, nbtrunReceipt, nothingLeft } from './nbtrun.ts'
import { killAll, untilGone } from './watch.ts'
import { linesSaid, noWine, unseenPrefix, untilSaid } from './wine.ts'

describe('where a wineserver runs already, other people’s programs keep their windows', { skip: noWine, timeout: 880_000 }, () => {
  let lab: Lab
  const envs: Record<string, Record<string, string>> = {}
  const disk = (name: string): string => join(lab.server().diskPath('app'), name)
  before(async () => {
    lab = await useLab()
    await compileExe('closes.c', disk('closes.exe'))
    for (const user of ['root', 'alice'] as const) {
      envs[user] = await unseenPrefix(lab, user)
      for (const name of ['closes.exe', 'other.exe']) copyFileSync(disk('closes.exe'), here(lab, name, { user }))
    }
  })
  after(async () => {
    killAll(lab)
    await untilGone(lab)
    await nothingLeft(lab)
  })

  interface Case {
    readonly what: string
    /** How the other one is called. */
    readonly other: string
    readonly user: 'root' | 'alice'
    readonly ours: readonly string[]
    readonly exit: number | null
  }
  const named = { ours: ['ready', 'ctrl-c'], exit: null } as const
  const closed = { ours: ['ready', 'wm-close'], exit: 7 } as const
  const cases: readonly Case[] = [
    { what: 'ours is asked by Ctrl-C alone, where another one has its name', other: 'closes.exe', user: 'root', ...named },
    { what: 'ours is asked to close its window, where another one has another name', other: 'other.exe', user: 'root', ...closed },
    { what: 'ours is asked by Ctrl-C alone, where another one has its name, as an ordinary user', other: 'closes.exe', user: 'alice', ...named },
    { what: 'ours is asked to close its window, where another one has another name, as an ordinary user', other: 'other.exe', user: 'alice', ...closed },
  ]
  for (const [index, { what, other, user, ours, exit }] of cases.entries())
    test(what, { timeout: 280_000 }, async () => {
      const env = envs[user]!
      const theirs = here(lab, `theirs-${index}`, { user })
      const outside = lab.spawn('client1', ['wine', here(lab, other, { user }), `Z:${theirs.replaceAll('/', '\\')}`, 'stay', 'window'], {
        user,
        env,
        stdio: ['ignore', 'ignore', 'ignore'],
        timeout: 270_000,
      })
      const ended = outside.then(
        () => true,
        () => true,
      )
      try {
        await untilSaid(theirs, 'ready')
        // one that keeps its window is ended soon; one that may close it has its time
        const options = ['--time-limit', '20s', '--kill-after', exit === null ? '10s' : '60s', '--grace', '0', '--teardown-timeout', '60s']
        const call = { user, env, share: '//srv/app=P:', options, timeout: 240_000 }
        const { code, receipt, stderr } = await nbtrunReceipt(lab, ['closes.exe', `P:\\ours-${index}`, 'leave', 'window'], call)
        assert.deepEqual([receipt.shares[0]?.mapping, receipt.wine?.server], ['shared', 'running'], stderr)
        assert.deepEqual([code, linesSaid(disk(`ours-${index}`)), receipt.program?.exit], [124, ours, exit], stderr)
        assert.equal(existsSync(theirs) && readFileSync(theirs, 'utf8'), 'ready\n')
        assert.equal(await Promise.race([ended, Promise.resolve(false)]), false, 'theirs goes on')
      } finally {
        await lab.run('client1', ['wineserver', '--kill'], { user, env })
        await ended
        await untilGone(lab)
      }
      await nothingLeft(lab)
    })
})
