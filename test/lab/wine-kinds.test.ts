import assert from 'node:assert/strict'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { execa } from 'execa'
import { compileExe, type Lab, missing, setUpWine, useLab } from './index.ts'
import { here, nbtrun, nothingLeft } from './nbtrun.ts'
import { TOOL_PATH } from './packages.ts'
import { noWine } from './wine.ts'

const P = '//srv/app=P:'

describe('what Windows starts without its being a program', { skip: noWine, timeout: 580_000 }, () => {
  let lab: Lab
  let env: Record<string, string>
  const disk = (name: string): string => join(lab.server().diskPath('app'), name)
  before(async () => {
    lab = await useLab()
    env = await setUpWine(here(lab, 'prefix'))
  })

  test('an installer on the share is run, and installs', { skip: missing('msi'), timeout: 280_000 }, async () => {
    const folder = here(lab, '')
    copyFileSync(join(import.meta.dirname, 'fixtures', 'probe.wxs'), join(folder, 'probe.wxs'))
    writeFileSync(join(folder, 'probe.txt'), 'from the installer')
    await execa('wixl', ['-o', disk('probe.msi'), 'probe.wxs'], { cwd: folder, env: { PATH: TOOL_PATH } })
    const { code, stderr } = await nbtrun(lab, ['probe.msi', '/qn'], { env, share: P, timeout: 240_000 })
    assert.equal(code, 0, stderr)
    assert.equal(readFileSync(here(lab, 'prefix/drive_c/windows/probe.txt'), 'utf8'), 'from the installer')
    await nothingLeft(lab)
  })

  test('a shortcut on the share starts its program, which is waited for', { timeout: 580_000 }, async () => {
    await compileExe('drive.c', disk('drive.exe'))
    await compileExe('shortcut.c', disk('shortcut.exe'))
    const made = await nbtrun(lab, ['shortcut.exe', 'P:\\see.lnk', 'P:\\drive.exe', 'write P:\\linked.txt linked'], { env, share: P, timeout: 240_000 })
    assert.equal(made.code, 0, made.stderr)
    const { code, stderr } = await nbtrun(lab, ['see.lnk'], { env, share: P, timeout: 240_000 })
    assert.equal(code, 0, stderr)
    assert.equal(readFileSync(disk('linked.txt'), 'utf8'), 'linked')
    await nothingLeft(lab)
  })
})
