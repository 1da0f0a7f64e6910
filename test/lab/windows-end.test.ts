import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { pause } from '../../src/base/time.ts'
import type { Receipt } from '../../src/run/receipt.ts'
import { missing } from './missing.ts'
import { KEYS, type Terminal } from './terminal.ts'
import { offline, until, WindowsNode, windowsPath } from './windows-node.ts'

/** More than a busy machine takes until a program has said what it was asked, and less than a test may take. */
const PATIENT = ['--kill-after', '60s']
const IMPATIENT = ['--kill-after', '8s']

describe("how programs are ended on Windows' Node under Wine", { skip: missing('wine', 'mingw', 'terminal') || offline(), timeout: 900_000 }, () => {
  const windows = new WindowsNode()
  const at = (name: string): string => windowsPath(windows.path(name))
  const said = (name: string): string[] => (existsSync(windows.path(name)) ? readFileSync(windows.path(name), 'utf8').trim().split('\n') : [])
  const program = (name: string): Receipt['program'] => (JSON.parse(readFileSync(windows.path(name), 'utf8')) as Receipt).program
  const run = (name: string, ...options: string[]): string[] => [
    '--share',
    '//srv/app=P:',
    '--grace',
    '0',
    '--receipt',
    at(`receipt-${name}`),
    ...options,
    '--',
  ]

  before(async () => {
    await windows.set()
    writeFileSync(windows.path('ear.cjs'), `process.on('SIGINT', () => require('node:fs').appendFileSync(process.env.EAR, 'SIGINT\\n'))\n`)
  })
  after(() => windows.dispose())

  /** Runs nbtrun in a terminal, where a Ctrl-C that its Node is told of is a line of the file `heard-NAME`. */
  const listening = (name: string, words: readonly string[]): Promise<Terminal> =>
    windows.terminal(words, { NODE_OPTIONS: `--require=${at('ear.cjs').replaceAll('\\', '/')}`, EAR: at(`heard-${name}`) })

  /** Ctrl-C, until program and nbtrun have it, the n-th of both: Node makes one of two that come before it has looked, and then the next one is no other. */
  async function interrupt(terminal: Terminal, name: string, n: number): Promise<void> {
    terminal.type(KEYS.interrupt)
    for (const file of [name, `heard-${name}`]) await until(`Ctrl-C ${n} in ${file}`, () => said(file).filter(line => /ctrl-c|SIGINT/.test(line)).length >= n)
  }

  test('--time-limit asks a program of the console by Ctrl-C, and takes its answer', async () => {
    const terminal = await windows.terminal([...run('asked', '--time-limit', '20s', ...PATIENT), 'closes.exe', at('asked'), 'leave'])
    const { code } = await terminal.end(LONG_MS)
    assert.deepEqual([code, said('asked')], [124, ['ready', 'ctrl-c']], terminal.shown)
    const { exit, timedOut } = program('receipt-asked')!
    assert.deepEqual([exit, timedOut], [7, true])
  })

  test('one that stays all the same is ended after --kill-after', async () => {
    const terminal = await windows.terminal([...run('stays', '--time-limit', '20s', ...IMPATIENT), 'closes.exe', at('stays'), 'stay'])
    const { code } = await terminal.end(LONG_MS)
    assert.deepEqual([code, said('stays')], [124, ['ready', 'ctrl-c']], terminal.shown)
    assert.equal(program('receipt-stays')?.exit, 1, 'as the job ends them')
  })

  test('a program with a window is asked to close it, and no window of others is', async () => {
    const other = windows.start([...run('other').map(word => word.replace('P:', 'Q:')), 'closes.exe', at('other'), 'leave', 'window'])
    await until('the window of another', () => said('other').length > 0)
    const { code, stderr } = await windows.nbtrun([...run('window', '--time-limit', '60s', ...PATIENT), 'closes.exe', at('window'), 'leave', 'window'])
    assert.deepEqual([code, said('window')], [124, ['ready', 'wm-close']], stderr)
    assert.equal(program('receipt-window')?.exit, 7)
    assert.deepEqual(said('other'), ['ready'])
    other.child.kill('SIGKILL')
    await other.ran
  })

  test('where a shell shares the console, a program of the console is not asked: Ctrl-C would reach the shell, too', async () => {
    const words = [...run('shell', '--time-limit', '20s', ...IMPATIENT), 'closes.exe', at('shell'), 'leave']
    const terminal = await windows.terminal(words, {}, ['cmd.exe', '/d', '/c'])
    const { code } = await terminal.end(LONG_MS)
    assert.deepEqual([code, said('shell'), program('receipt-shell')?.exit], [124, ['ready'], 1], terminal.shown)
  })

  test('a second Ctrl-C gives those of the console --kill-after, a third none', async () => {
    for (const [name, times, after] of [
      ['twice', 2, '8s'],
      ['thrice', 3, '1h'],
    ] as const) {
      const terminal = await listening(name, [...run(name, '--kill-after', after), 'closes.exe', at(name), 'stay'])
      await until('the program', () => said(name).length > 0)
      for (let n = 1; n < times; n++) await interrupt(terminal, name, n)
      terminal.type(KEYS.interrupt)
      const { code } = await terminal.end(LONG_MS)
      assert.deepEqual([code, said(name).slice(0, 3)], [1, ['ready', 'ctrl-c', 'ctrl-c']], terminal.shown)
      assert.equal(existsSync(windows.device('P')), false)
    }
  })

  test('a second Ctrl-C closes the window of a program that stays all the same', async () => {
    const terminal = await listening('keys', [...run('keys', '--kill-after', '1h'), 'closes.exe', at('keys'), 'leave', 'window'])
    await until('the window', () => said('keys').length > 0)
    await interrupt(terminal, 'keys', 1)
    terminal.type(KEYS.interrupt)
    const { code } = await terminal.end(LONG_MS)
    assert.deepEqual([code, said('keys').includes('wm-close')], [7, true], terminal.shown)
  })

  test('where koffi is not installed nbtrun says so, maps by net use, and waits for the program itself alone', async () => {
    const words = ['/relaunch', `/write:${at('orphan')}:x`, `/await:${at('go')}`, `/write:${at('done')}:x`]
    const { code, stderr } = await windows.withoutKoffi([...run('plain'), 'launcher.exe', ...words]).ran
    assert.equal(code, 0, stderr)
    assert.match(stderr, /^nbtrun: koffi does not load: what the program starts is not waited for; install nbtrun with its optional packages\n$/)
    await until('the one that lives on', () => existsSync(windows.path('orphan')))
    assert.deepEqual([existsSync(windows.path('done')), existsSync(windows.device('P'))], [false, false], 'its letter is gone')
    const { shares, end } = JSON.parse(readFileSync(windows.path('receipt-plain'), 'utf8')) as Receipt
    assert.deepEqual([shares[0]?.way, end], ['net-use', 'disconnected'])
    writeFileSync(windows.path('go'), '')
    await until('its end', () => existsSync(windows.path('done')))
  })

  test('without koffi --time-limit ends the program and its descendants by taskkill', async () => {
    writeFileSync(windows.path('srv/app/waits.bat'), `@"%~dp0launcher.exe" "/write:${at('child')}:x" "/await:${at('never')}"\r\n`)
    const descendants = (): number => windows.processes().filter(({ words }) => words.includes(`/await:${at('never')}`)).length
    const { ran } = windows.withoutKoffi([...run('tree', '--time-limit', '20s', ...IMPATIENT), 'waits.bat'])
    await until('the child', () => existsSync(windows.path('child')))
    assert.equal(descendants(), 1)
    const { code, stderr } = await ran
    assert.equal(code, 124, stderr)
    await until('the end of the child', () => descendants() === 0)
    assert.equal(existsSync(windows.device('P')), false)
  })

  test('a password is asked for on the console, with corrections, and not shown; Ctrl-C there leaves nothing', async () => {
    const words = ['--share', '//srv/app=P:', '--user', 'bob', '--grace', '0', '--', 'launcher.exe', '/exit:5']
    const terminal = await windows.terminal(words)
    await terminal.see('Password for bob on srv:', LONG_MS)
    while ((await terminal.state()).echo) await pause(20) // Wine sees to its terminal a moment after the console is told
    terminal.line('forgotten\x15secrex\x7ft')
    const { code } = await terminal.end(LONG_MS)
    assert.equal(code, 5, terminal.shown)
    assert.doesNotMatch(terminal.shown, /forg|secre/)
    assert.deepEqual(readFileSync(windows.path('login-srv'), 'utf16le').split('\n').slice(0, 2), ['bob', 'secret'])

    rmSync(windows.path('login-srv'))
    const cancelled = await windows.terminal(words)
    await cancelled.see('Password for bob on srv:', LONG_MS)
    cancelled.type(KEYS.interrupt)
    assert.notEqual((await cancelled.end(LONG_MS)).code, 5)
    assert.deepEqual([existsSync(windows.path('login-srv')), readdirSync(windows.path('connections'))], [false, []])
  })
})

const LONG_MS = 120_000
