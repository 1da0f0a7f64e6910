import assert from 'node:assert/strict'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pause } from '../../src/base/time.ts'
import { compileExe, type Lab, setUpWine, useLab } from './index.ts'
import { here, nbtrun, nothingLeft, words } from './nbtrun.ts'
import { untilGone } from './watch.ts'
import { noWine, said } from './wine.ts'

const OPTIONS = { private: ['--mapping', 'private'], shared: ['--mapping', 'shared', '--grace', '0'], none: ['--mapping', 'none', '--grace', '0'] } as const
const KINDS = Object.keys(OPTIONS) as (keyof typeof OPTIONS)[]

describe('the end of a Windows program is the end of all that Wine started', { skip: noWine, timeout: 800_000 }, () => {
  let lab: Lab
  let env: Record<string, string>
  const disk = (name: string): string => join(lab.server().diskPath('app'), name)
  /** Where no mapping is, the program lies on this machine. */
  const program = (kind: string): readonly string[] => (kind === 'none' ? ['wine', disk('drive.exe')] : ['drive.exe'])
  before(async () => {
    lab = await useLab()
    await compileExe('drive.c', disk('drive.exe'))
    env = await setUpWine(here(lab, 'prefix'))
  })
  after(async () => {
    await untilGone(lab)
    await nothingLeft(lab)
  })

  for (const kind of KINDS)
    test(`the pipe behind it ends, also where Wine looked for devices: ${kind}`, { timeout: 580_000 }, async () => {
      for (let round = 0; round < 2; round++) {
        writeFileSync(here(lab, 'prefix/.update-timestamp'), '1\n') // as where Wine was updated: it starts all its drivers then
        const { code, stdout } = await nbtrun(lab, [...program(kind), 'words', 'one'], { env, options: OPTIONS[kind], timeout: 240_000 })
        assert.deepEqual([code, stdout.split(/\r?\n/)[1]], [42, 'one'])
        await untilGone(lab)
        await nothingLeft(lab)
      }
    })

  /** Starts a program that starts another, whose first thread ends while a second one waits for a file. */
  async function alone(kind: keyof typeof OPTIONS): Promise<{ run: ReturnType<Lab['spawn']>; file: string; go: () => void }> {
    const file = disk('alone.txt')
    for (const path of [file, `${file}.go`]) rmSync(path, { force: true })
    const place = kind === 'none' ? `Z:${file.replaceAll('/', '\\')}` : 'P:\\alone.txt'
    const share = kind === 'none' ? '//srv/app' : '//srv/app=P:'
    const options = [...OPTIONS[kind], '--kill-after', '5s', '--events', 'fd:1']
    const run = lab.spawn('client1', words(lab, [...program(kind), 'again', 'alone', place], { share, options }), { env, timeout: 240_000 })
    await said(run, '"quit"', 'alone')
    return { run, file, go: () => writeFileSync(`${file}.go`, '') }
  }

  for (const kind of KINDS) {
    test(`a program whose first thread has ended is waited for: ${kind}`, { timeout: 280_000 }, async () => {
      const { run, file, go } = await alone(kind)
      await pause(1500)
      assert.equal((await lab.server().sessions()).length, 1, 'the seat is held')
      assert.ok(!existsSync(file))
      go()
      assert.equal((await run).exitCode, 42)
      assert.equal(readFileSync(file, 'utf8'), 'done')
      await untilGone(lab)
      await nothingLeft(lab)
    })

    test(`and is ended: ${kind}`, { timeout: 280_000 }, async () => {
      const { run, file } = await alone(kind)
      run.kill('SIGTERM')
      assert.equal((await run).exitCode, 42)
      assert.ok(!existsSync(file))
      await untilGone(lab)
      await nothingLeft(lab)
    })

    test(`also where nbtrun was killed: ${kind}`, { timeout: 280_000 }, async () => {
      const { run } = await alone(kind)
      process.kill(run.pid!, 'SIGKILL')
      await run
      await untilGone(lab)
      await lab.run('client1', ['nbtrun', 'reap'])
      await nothingLeft(lab)
    })
  }
})
