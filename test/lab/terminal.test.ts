import assert from 'node:assert/strict'
import { constants } from 'node:os'
import { afterEach, before, describe, test } from 'node:test'
import { pause } from '../../src/base/time.ts'
import { ME, WHO } from './cell.ts'
import { KEYS, type Lab, missing, type Terminal, type TerminalOptions, useLab } from './index.ts'
import { noMapping, nothingLeft, script, words } from './nbtrun.ts'
import { untilCatches, untilDelivered, untilGone } from './watch.ts'

const SHELL = ['/bin/bash', '--norc', '--noprofile', '-i']
const PLAIN: TerminalOptions = { env: { PS1: 'prompt> ', HISTFILE: '/dev/null' } }

describe('in a terminal', { skip: noMapping || missing('terminal') }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })
  const opened: Terminal[] = []
  // what one test leaves when it fails is not the next one's to find
  afterEach(() => {
    for (const terminal of opened.splice(0)) terminal.kill()
  })
  async function open(argv: readonly string[], options?: TerminalOptions): Promise<Terminal> {
    const terminal = await lab.terminal('client1', argv, options)
    opened.push(terminal)
    return terminal
  }

  /** A shell that was given one line: a run of `program`. Seen when the program says `ready`. */
  async function running(program: string, user = ME): Promise<Terminal> {
    script(lab, 'program', program)
    const terminal = await open(SHELL, { ...PLAIN, user })
    await terminal.see('prompt> ')
    terminal.line(
      words(lab, ['{mount}/program'])
        .map(word => `'${word}'`)
        .join(' '),
    )
    await terminal.see(/^ready/m)
    return terminal
  }

  /** The shell has the terminal back as it was, and nothing is left of the run. */
  async function over(terminal: Terminal, status: number): Promise<void> {
    const since = terminal.shown.length
    terminal.line('echo "status=$?"; stty -a | grep -o -w -e "-echo" -e "-icanon" -e "-isig"; echo "end"')
    await terminal.see(/^end/m, undefined, since)
    assert.match(terminal.shown.slice(since), new RegExp(`status=${status}\r\nend`))
    terminal.line('exit')
    await terminal.end()
    await nothingLeft(lab)
  }

  /** Ctrl-C, until everybody in the foreground has got it: the next one is another one. */
  async function interrupt(terminal: Terminal): Promise<void> {
    const since = terminal.shown.length
    terminal.type(KEYS.interrupt)
    await terminal.see('^C', undefined, since) // the signal was sent before
    await untilDelivered(lab.processes('client1'), constants.signals.SIGINT)
  }

  /** The prompt behind the program's last words. */
  const prompt = (terminal: Terminal, after: string): Promise<number> => terminal.see(/prompt> $/, undefined, terminal.shown.lastIndexOf(after))

  for (const user of WHO) {
    test(`one Ctrl-C ends the program, and nbtrun dies of SIGINT, as ${user}`, { timeout: 280_000 }, async () => {
      const terminal = await running('echo ready; exec sleep 60', user)
      terminal.type(KEYS.interrupt)
      await prompt(terminal, 'ready')
      await over(terminal, 130)
    })
  }

  test('the program gets the first Ctrl-C once, and its own exit code counts', { timeout: 280_000 }, async () => {
    const terminal = await running('n=0; trap "echo caught; n=1" INT; echo ready; while [ $n = 0 ]; do sleep 0.05; done; sleep 0.3; exit 5')
    terminal.type(KEYS.interrupt)
    await terminal.see('caught')
    await prompt(terminal, 'caught')
    assert.equal(terminal.shown.split('caught\r\n').length - 1, 1)
    await over(terminal, 5)
  })

  test('a second Ctrl-C sends TERM to all of them', { timeout: 280_000 }, async () => {
    const terminal = await running('trap "" INT; trap "echo term; exit 6" TERM; echo ready; while :; do sleep 0.05; done')
    await interrupt(terminal)
    terminal.type(KEYS.interrupt)
    await terminal.see('term\r\n') // behind the ^C that the terminal echoes
    await prompt(terminal, 'term')
    await over(terminal, 6)
  })

  test('a third Ctrl-C kills them', { timeout: 280_000 }, async () => {
    const terminal = await running('trap "" INT TERM; echo ready; while :; do sleep 0.05; done')
    for (let i = 0; i < 2; i++) await interrupt(terminal)
    terminal.type(KEYS.interrupt)
    await prompt(terminal, 'ready')
    await over(terminal, 137)
  })

  test('Ctrl-\\ ends the program, and nbtrun dies of SIGQUIT', { timeout: 280_000 }, async () => {
    const terminal = await running('ulimit -c 0; echo ready; exec sleep 60')
    terminal.type(KEYS.quit)
    await prompt(terminal, 'ready')
    await over(terminal, 131)
  })

  test('Ctrl-Z stops both and fg goes on', { timeout: 280_000 }, async () => {
    const terminal = await running('echo ready; read -r line; echo "got $line"; cat "$NBTRUN_MOUNT/program" >/dev/null; exit 9')
    terminal.type(KEYS.suspend)
    await terminal.see(/Stopped/)
    await pause(1500)
    const typed = terminal.shown.length
    terminal.line('fg')
    await terminal.see(/nbtrun[^\n]*\n$/, undefined, typed)
    // the shell names the job before it lets it have the terminal
    for (let state = await terminal.state(); !state.canonical || state.foreground === terminal.pid; state = await terminal.state());
    terminal.line('hello')
    await terminal.see('got hello')
    await prompt(terminal, 'got hello')
    await over(terminal, 9)
  })

  test('closing the terminal ends program and run', { timeout: 280_000 }, async () => {
    const terminal = await running('echo ready; exec sleep 60')
    await terminal.close()
    await terminal.end()
    await lab.server().untilSessions(0)
    await untilGone(lab)
    await nothingLeft(lab)
  })

  test('a shell loop of runs ends at one Ctrl-C', { timeout: 280_000 }, async () => {
    const terminal = await open(SHELL, PLAIN)
    await terminal.see('prompt> ')
    terminal.line(
      `while :; do ${words(lab, ['sh', '-c', 'echo ready; exec sleep 60'])
        .map(word => `'${word}'`)
        .join(' ')}; done`,
    )
    await terminal.see(/^ready/m)
    terminal.type(KEYS.interrupt)
    await prompt(terminal, 'ready')
    await over(terminal, 130)
  })

  test('asks for the password without showing it, and Ctrl-C at the prompt ends the run', { timeout: 280_000 }, async () => {
    const line = ['nbtrun', '--share', '//srv/app', '--user', 'alice', '--', 'sh', '-c', 'echo $((6*7))']
    const asked = await open(line)
    await asked.see('Password for alice on srv: ')
    asked.line(lab.password())
    await asked.see('42')
    assert.equal((await asked.end()).code, 0)
    assert.ok(!asked.shown.includes(lab.password()))
    const cancelled = await open(line)
    await cancelled.see('Password for alice on srv: ')
    const before = await cancelled.state()
    cancelled.type(KEYS.interrupt)
    const end = await cancelled.end()
    assert.ok(end.signal === 'SIGINT' || end.code === 130, JSON.stringify(end))
    assert.equal(before.echo, false)
    assert.equal(end.state?.echo, true)
    await nothingLeft(lab)
  })
})

describe('without a terminal', { skip: noMapping }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    test(`${signal} reaches the program, and nbtrun dies of it after giving everything back`, { timeout: 280_000 }, async () => {
      script(lab, 'sleeps', 'echo ready; exec sleep 60')
      const run = lab.spawn('client1', words(lab, ['{mount}/sleeps']))
      for await (const chunk of run.stdout as AsyncIterable<Buffer>) if (String(chunk).includes('ready')) break
      process.kill(run.pid!, signal)
      const end = await run
      assert.deepEqual([end.signal, String(end.stderr)], [signal, ''])
      await lab.server().untilWorkers(0)
      await nothingLeft(lab)
    })
  }

  test('a program that handles SIGUSR1 gets it', { timeout: 280_000 }, async () => {
    script(lab, 'handles', 'trap "exit 4" USR1; echo ready; while :; do sleep 0.05; done')
    const run = lab.spawn('client1', words(lab, ['{mount}/handles']))
    for await (const chunk of run.stdout as AsyncIterable<Buffer>) if (String(chunk).includes('ready')) break
    process.kill(run.pid!, 'SIGUSR1')
    assert.equal((await run).exitCode, 4)
    await nothingLeft(lab)
  })

  test('a signal before the program starts cancels the run', { timeout: 280_000 }, async () => {
    const restore = [445, 139].map(port => lab.mute('srv2', port))
    try {
      const run = lab.spawn('client1', words(lab, ['true'], { share: '//srv2/files' }))
      await untilCatches(run.pid, constants.signals.SIGHUP)
      process.kill(run.pid!, 'SIGTERM')
      const { exitCode, stderr } = await run
      assert.equal(exitCode, 143)
      assert.match(String(stderr), /^nbtrun: cancelled by SIGTERM[^\n]*\n$/)
    } finally {
      for (const back of restore) back()
    }
    await nothingLeft(lab)
  })
})
