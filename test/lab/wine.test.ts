import assert from 'node:assert/strict'
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { compileExe, type Lab, setUpWine, useLab } from './index.ts'
import { type Call, here, nbtrun, nbtrunReceipt, nothingLeft, nothingLeftHere, words } from './nbtrun.ts'
import { untilGone } from './watch.ts'
import { linesOf, noWine, said, stateOf, withoutWine } from './wine.ts'

const P = { share: '//srv/app=P:' }

describe('a share is a network drive to a Windows program', { skip: noWine, timeout: 280_000 }, () => {
  let lab: Lab
  let env: Record<string, string>
  let untouched: object
  const disk = (name: string): string => join(lab.server().diskPath('app'), name)
  before(async () => {
    lab = await useLab()
    await compileExe('drive.c', disk('drive.exe'))
    env = await setUpWine(here(lab, 'prefix'))
    untouched = prefix()
  })
  beforeEach(() => nothingLeftHere(lab))
  after(async () => {
    await untilGone(lab)
    await nothingLeft(lab)
    assert.deepEqual(prefix(), untouched)
  })

  const prefix = (): object => stateOf(here(lab, 'prefix'))

  /** Runs drive.exe from the share; what it printed, line by line. */
  async function drive(program: readonly string[], call: Call = {}): Promise<{ code: number | undefined; lines: string[]; stderr: string }> {
    const { code, stdout, stderr } = await nbtrun(lab, program, { env, ...P, ...call })
    return { code, lines: linesOf(stdout), stderr: withoutWine(stderr) }
  }

  test('with the letter that is asked for, the name of the share, and the exit code of the program', async () => {
    const { code, stdout, receipt } = await nbtrunReceipt(lab, ['drive.exe', 'see', '{drive}'], { env, ...P, options: ['--chdir', 'p:\\'] })
    assert.deepEqual(linesOf(stdout), ['type 4', 'connection \\\\srv\\app', 'program P:\\drive.exe', 'folder P:\\'])
    assert.equal(code, 42)
    assert.deepEqual([receipt.wine, receipt.shares[0]?.drive, receipt.shares[0]?.mapping], [{ prefix: env['WINEPREFIX'], server: 'started' }, 'P:', 'private'])
    assert.deepEqual(
      receipt.steps.filter(step => step.name === 'drive P:').map(({ phase, ok }) => [phase, ok]),
      [
        ['map', true],
        ['teardown', true],
      ],
    )
    assert.equal(receipt.end, 'acknowledged')
    await nothingLeft(lab)
    assert.deepEqual(prefix(), untouched)
  })

  test('whose exit code of 32 bits becomes one of 8, as Wine has it: the lowest, and 1 where these are 0 and the others are not', async () => {
    await compileExe('launcher.c', disk('launcher.exe'))
    const codes: Record<string, number | undefined> = {}
    for (const code of ['0', '255', '256', '1000', '65536', '0xC0000005']) codes[code] = (await drive(['launcher.exe', `/exit:${code}`])).code
    assert.deepEqual(codes, { '0': 0, '255': 255, '256': 1, '1000': 232, '65536': 1, '0xC0000005': 5 })
    const { receipt } = await nbtrunReceipt(lab, ['launcher.exe', '/exit:1000'], { env, ...P })
    assert.equal(receipt.program?.exit, 232)
  })

  test('with the first free letter where none is asked for', async () => {
    const { code, lines } = await drive(['{mount}/drive.exe', 'see', 'f:'], { share: '//srv/app' })
    assert.deepEqual([code, ...lines.slice(0, 3)], [42, 'type 4', 'connection \\\\srv\\app', 'program F:\\drive.exe'])
    assert.deepEqual(prefix(), untouched)
  })

  test('that is read and written by letter and by name, and paths of Windows among its words are left alone', async () => {
    assert.deepEqual(await drive(['P:\\drive.exe', 'write', 'P:\\data.txt', 'from P']), { code: 42, lines: [], stderr: '' })
    assert.equal(readFileSync(disk('data.txt'), 'utf8'), 'from P')
    writeFileSync(disk('data.txt'), 'from the server')
    assert.deepEqual((await drive(['\\\\SRV\\app\\drive.exe', 'read', '\\\\srv\\APP\\DATA.TXT'])).lines, ['from the server'])
    const program = ['drive.exe', 'words', 'P:\\data\\x.dbf', '{drive}\\x', '{share}']
    assert.deepEqual((await drive(program)).lines, ['words', 'P:\\data\\x.dbf', 'P:\\x', '//srv/app'])
  })

  test('by a batch file on it, which calls a program', async () => {
    writeFileSync(disk('start.bat'), '@echo off\r\necho %1\r\nP:\\drive.exe see P:\r\nexit /b %ERRORLEVEL%\r\n')
    const { code, lines } = await drive(['start.bat', 'one'])
    assert.deepEqual([code, ...lines.slice(0, 3)], [42, 'one', 'type 4', 'connection \\\\srv\\app'])
  })

  test('on which a lock of LockFileEx is one for other hosts, too', async () => {
    const other = await setUpWine(here(lab, 'prefix', { client: 'client2' }))
    const first = lab.spawn('client1', words(lab, ['drive.exe', 'lock', 'P:\\table'], P), { env })
    await said(first, 'locked')
    const second = (): Promise<{ code: number | undefined; lines: string[] }> => drive(['drive.exe', 'lock', 'P:\\table'], { env: other, client: 'client2' })
    const refused = await second()
    assert.deepEqual([refused.code, refused.lines], [1, ['locking failed: 33']])
    first.stdin?.end('\n')
    assert.equal((await first).exitCode, 42)
    const granted = await second()
    assert.deepEqual([granted.code, granted.lines], [42, ['locked']])
    await nothingLeft(lab)
    await nothingLeft(lab, 'client2')
  })

  test('that is held until the last program is gone: one that starts itself anew is waited for', async () => {
    const run = lab.spawn('client1', words(lab, ['drive.exe', 'again', 'later', 'P:\\again.txt'], { ...P, options: ['--events', 'fd:1'] }), { env })
    await said(run, '"quit"')
    assert.equal((await lab.server().sessions()).length, 1)
    writeFileSync(disk('again.txt.go'), '')
    assert.equal((await run).exitCode, 42)
    assert.equal(readFileSync(disk('again.txt'), 'utf8'), 'done')
    await nothingLeft(lab)
    assert.deepEqual(prefix(), untouched)
  })

  test('whose programs are asked to end by Ctrl-C, before they are made to', async () => {
    const options = ['--events', 'fd:1', '--kill-after', '60s']
    const run = lab.spawn('client1', words(lab, ['drive.exe', 'again', 'stay'], { ...P, options }), { env })
    await said(run, '"quit"', 'staying')
    run.kill('SIGTERM')
    const { exitCode, stdout } = await run
    assert.equal(exitCode, 42)
    assert.match(String(stdout), /^asked to end: 0\r?$/m)
    await nothingLeft(lab)
    assert.deepEqual(prefix(), untouched)
  })

  test('in place of a drive that the user has, which is there again afterwards', async () => {
    const devices = join(here(lab, 'prefix'), 'dosdevices')
    symlinkSync('/usr', join(devices, 'q:'))
    const mine = prefix()
    const { code, lines } = await drive(['drive.exe', 'see', 'Q:'], { share: '//srv/app=Q:' })
    assert.deepEqual([code, ...lines.slice(0, 2)], [42, 'type 4', 'connection \\\\srv\\app'])
    assert.deepEqual(prefix(), mine)
    await lab.run('client1', ['rm', join(devices, 'q:')])
  })

  test('that is put back by nbtrun reap where nbtrun was killed', async () => {
    const run = lab.spawn('client1', words(lab, ['drive.exe', 'lock', 'P:\\killed'], { ...P, options: ['--kill-after', '0'] }), { env })
    await said(run, 'locked')
    process.kill(run.pid!, 'SIGKILL')
    await run
    await untilGone(lab)
    assert.notDeepEqual(prefix(), untouched)
    const { stdout } = await lab.run('client1', ['nbtrun', 'reap'])
    assert.match(stdout, /gave back drive P: of \S+prefix/)
    assert.deepEqual(prefix(), untouched)
    await nothingLeft(lab)
  })

  test('that a live run has is not touched when a killed one is reaped that had the letter before it', async () => {
    const seat: Call = { share: '//srv/cad=P:', options: ['--kill-after', '0'] }
    await compileExe('drive.c', join(lab.server().diskPath('cad'), 'drive.exe'))
    const first = lab.spawn('client1', words(lab, ['drive.exe', 'lock', 'P:\\first'], seat), { env })
    await said(first, 'locked')
    const waits = ['--wait', '2m', '--events', 'fd:1']
    const second = lab.spawn('client1', words(lab, ['drive.exe', 'lock', 'P:\\second'], { ...seat, options: waits }), { env })
    await said(second, '"queued"')
    process.kill(first.pid!, 'SIGKILL')
    await said(second, 'locked')
    await first
    const has = prefix()
    const { stdout } = await lab.run('client1', ['nbtrun', 'reap'])
    assert.match(stdout, /^run [0-9a-f]{8} is dead/)
    assert.deepEqual(prefix(), has)
    second.stdin?.end('\n')
    assert.equal((await second).exitCode, 42)
    assert.deepEqual(prefix(), untouched)
    await nothingLeft(lab)
  })
})
