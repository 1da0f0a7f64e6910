import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const PROMPT = /pid (\d+), password: /g

const started = new Set<ChildProcess>()
after(() => started.forEach(script => script.kill('SIGKILL')))

/** The fixture on a terminal of its own, made by script(1). */
class Terminal {
  readonly #script: ChildProcess
  readonly #closed: Promise<unknown>
  #said = ''
  #wake: () => void = () => {}

  constructor(mode = '', run = '$FIXTURE') {
    const env = { ...process.env, SHELL: '/bin/bash', FIXTURE: `${process.execPath} --import tsx ${join(here, 'prompt.fixture.ts')} ${mode}` }
    this.#script = spawn('script', ['-qefc', `stty -g; ${run}; stty -g`, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'], env })
    this.#script.stdout?.on('data', (chunk: Buffer) => {
      this.#said += chunk.toString()
      this.#wake()
    })
    this.#closed = once(this.#script, 'close')
    void this.#closed.then(() => this.#wake())
    started.add(this.#script)
  }

  get said(): string {
    return this.#said
  }

  type(keys: string): void {
    this.#script.stdin?.write(keys)
  }

  async prompted(times = 1): Promise<{ pid: number }> {
    while ((this.#said.match(PROMPT)?.length ?? 0) < times) {
      if (this.#script.exitCode !== null) assert.fail(`ended: ${this.#said}`)
      await new Promise<void>(resolve => (this.#wake = resolve))
    }
    return { pid: Number(/pid (\d+)/.exec(this.#said)?.[1]) }
  }

  /** The fixture's result; asserts that the terminal was as at first each of the `times` the shell looked. */
  async end(times = 2): Promise<unknown> {
    await this.#closed
    const states = this.#said.split('\r\n').filter(line => /^[0-9a-f]+(:[0-9a-f]+)+$/.test(line))
    assert.equal(states.length, times, this.#said)
    assert.equal(new Set(states).size, 1, 'the terminal is as it was')
    const [, json] = /\{(\{.*\})\}/.exec(this.#said) ?? []
    return json === undefined ? undefined : JSON.parse(json)
  }
}

const clean = { left: 0, listeners: 0 }

test('a password is typed unseen, with corrections', async () => {
  const t = new Terminal()
  await t.prompted()
  t.type('wrong\u0015gé\u007f\u007fgehx\b1m\r')
  assert.deepEqual(await t.end(), { password: 'geh1m', ...clean })
  assert.ok(!/geh/.test(t.said.replace(/\{\{.*\}\}/, '')), 'no echo')
})

test('an empty password is a password', async () => {
  const t = new Terminal()
  await t.prompted()
  t.type('\r')
  assert.deepEqual(await t.end(), { password: '', ...clean })
})

test('Ctrl-C, Ctrl-\\ and Ctrl-D cancel', async () => {
  for (const [key, signal] of [
    ['\u0003', 'SIGINT'],
    ['\u001c', 'SIGQUIT'],
    ['\u0004', 'SIGINT'],
  ] as const) {
    const t = new Terminal()
    await t.prompted()
    t.type(key === '\u0004' ? key : `half${key}`)
    assert.deepEqual(await t.end(), { code: 'CANCELLED', signal, ...clean })
  }
})

test('signals from outside cancel, and so does an abort', async () => {
  for (const [mode, signal] of [
    ['', 'SIGTERM'],
    ['', 'SIGHUP'],
    ['abort', 'SIGUSR1'],
  ] as const) {
    const t = new Terminal(mode)
    const { pid } = await t.prompted()
    process.kill(pid, signal)
    assert.deepEqual(await t.end(), { code: 'CANCELLED', signal: mode === 'abort' ? null : signal, ...clean })
  }
})

test('a stop gives the terminal back, and asks anew when it goes on', async () => {
  for (const how of ['key', 'signal']) {
    // a shell with job control: it goes on when its job stops, and continues it with fg
    const t = new Terminal('', 'set -m; $FIXTURE; stty -g; fg >/dev/null')
    const { pid } = await t.prompted()
    if (how === 'key') t.type('ge\u001a')
    else process.kill(pid, 'SIGTSTP')
    await t.prompted(2)
    t.type(how === 'key' ? 'heim\r' : 'geheim\r')
    assert.deepEqual(await t.end(3), { password: 'geheim', ...clean }, how)
  }
})
