import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { wineserverOf } from '../../src/app/wine/server.ts'
import { compileExe, type Lab, setUpWine, useLab } from './index.ts'
import { here, nbtrun, nothingLeft, words } from './nbtrun.ts'
import { untilGone } from './watch.ts'
import { exitOf, noWine, said, stateOf } from './wine.ts'

describe('a prefix is shared', { skip: noWine, timeout: 280_000 }, () => {
  let lab: Lab
  let env: Record<string, string>
  let untouched: object
  const prefix = (): object => stateOf(here(lab, 'prefix'))
  before(async () => {
    lab = await useLab()
    await compileExe('drive.c', join(lab.server().diskPath('app'), 'drive.exe'))
    env = await setUpWine(here(lab, 'prefix'))
    untouched = prefix()
  })
  after(async () => {
    await untilGone(lab)
    await nothingLeft(lab)
    assert.deepEqual(prefix(), untouched)
  })

  test('by two runs at once: each has a letter, the first one to end leaves the other its own, and the name of the share', async () => {
    const options = ['--mapping', 'shared', '--grace', '0', '--teardown-timeout', '60s']
    const first = lab.spawn('client1', words(lab, ['drive.exe', 'lock', '{drive}\\first'], { options }), { env })
    const firstExit = exitOf(first)
    await said(first, 'locked')
    const second = lab.spawn('client1', words(lab, ['drive.exe', 'lock', '{drive}\\second'], { options }), { env })
    await said(second, 'locked')
    const both = prefix() as { links: [string, string][] }
    const letters = both.links.filter(([, to]) => to === 'unc/srv/app').map(([path]) => path.slice(-2))
    assert.deepEqual(letters.sort(), ['f:', 'g:'])
    const taken = await nbtrun(lab, ['drive.exe', 'words'], { env, share: '//srv/app=G:', options })
    assert.equal(taken.code, 125)
    assert.match(taken.stderr, /^nbtrun: drive G: of \S+ is another run's; /m)
    first.stdin?.end('\n')
    assert.equal(await firstExit, 42)
    assert.equal((await lab.server().sessions()).length, 1, 'the first one does not wait for the second')
    const third = await nbtrun(lab, ['drive.exe', 'read', '\\\\srv\\app\\second'], { env, share: '//srv/app=H:', options })
    assert.equal(third.code, 42, third.stderr)
    second.stdin?.end('\n')
    assert.equal((await second).exitCode, 42)
    await untilGone(lab)
    await nothingLeft(lab)
  })

  test('with a wineserver inside another run’s private mapping: that one sees no other mapping, and the run is refused', async () => {
    await untilGone(lab)
    const first = lab.spawn('client1', words(lab, ['drive.exe', 'lock', '{drive}\\first'], { options: ['--mapping', 'private'] }), { env })
    await said(first, 'locked')
    const server = await wineserverOf(here(lab, 'prefix'))
    const { code, stderr } = await nbtrun(lab, ['drive.exe', 'words'], { env })
    assert.equal(code, 125)
    assert.match(stderr, new RegExp(`^nbtrun: a wineserver of .*prefix runs already \\(pid ${server}\\).*--mapping shared[^\\n]*\\n$`))
    first.stdin?.end('\n')
    assert.equal((await first).exitCode, 42)
    await nothingLeft(lab)
  })
})
