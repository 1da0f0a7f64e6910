import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { codeOf, decide, type Action, type Phase, type RunSignal } from '../../../src/app/signals.ts'

describe('the policy', () => {
  const TABLE: readonly (readonly [Phase, 'terminal' | 'apart' | 'either', RunSignal, readonly Action[]])[] = [
    ['before', 'either', 'SIGINT', ['cancel', 'hurry', 'hurry']],
    ['before', 'either', 'SIGTERM', ['cancel', 'hurry']],
    ['before', 'either', 'SIGUSR1', ['cancel', 'hurry']],
    ['running', 'terminal', 'SIGINT', ['leave', 'term', 'kill', 'kill']],
    ['running', 'terminal', 'SIGQUIT', ['leave', 'leave', 'leave']],
    ['running', 'terminal', 'SIGTERM', ['forward', 'forward', 'forward']],
    ['running', 'terminal', 'SIGHUP', ['forward', 'forward']],
    ['running', 'terminal', 'SIGUSR1', ['forward', 'forward']],
    ['running', 'apart', 'SIGINT', ['forward', 'forward', 'forward', 'forward']],
    ['running', 'apart', 'SIGQUIT', ['forward', 'forward']],
    ['running', 'apart', 'SIGTERM', ['forward', 'forward']],
    ['running', 'apart', 'SIGUSR2', ['forward', 'forward']],
    ['ending', 'either', 'SIGINT', ['term', 'term', 'kill', 'hurry', 'hurry']],
    ['ending', 'either', 'SIGTERM', ['term', 'term', 'kill', 'hurry']],
    ['ending', 'either', 'SIGHUP', ['term', 'term', 'kill', 'hurry']],
    ['ending', 'either', 'SIGUSR2', ['leave', 'leave', 'leave', 'leave']],
  ]
  for (const [phase, where, signal, want] of TABLE) {
    test(`${phase}, ${where}: ${signal} asks for ${want.join(', ')}`, () => {
      for (const terminal of where === 'either' ? [true, false] : [where === 'terminal']) {
        const got = want.map((_, index) => decide({ phase, signal, terminal, count: index + 1 }))
        assert.deepEqual(got, want)
      }
    })
  }
})

test('the exit code that stands for a signal is 128 and its number', () => {
  assert.deepEqual([codeOf('SIGINT'), codeOf('SIGKILL'), codeOf('SIGTERM')], [130, 137, 143])
})

const CHILD = ['--import', 'tsx', fileURLToPath(new URL('signals-child.ts', import.meta.url))]

function start(words: readonly string[], stdio: 'pipe' | 'ignore' = 'ignore') {
  const child = spawn(words[0]!, words.slice(1), { stdio: [stdio, 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  return { child, exit: once(child, 'exit'), next: async () => String((await lines.next()).value) }
}

for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGQUIT'] as const) {
  test(`a program that died of ${signal} is followed by a death of ${signal}`, { timeout: 280_000 }, async () => {
    const { exit } = start([process.execPath, ...CHILD, 'die', signal])
    assert.deepEqual(await exit, [null, signal])
  })
}

test('a program that died of another signal gives 128 and its number', { timeout: 280_000 }, async () => {
  const { exit } = start([process.execPath, ...CHILD, 'die', 'SIGSEGV'])
  assert.deepEqual(await exit, [139, null])
})

test('without a terminal every signal is passed on, and none ends nbtrun', { timeout: 280_000 }, async () => {
  const { child, exit, next } = start([process.execPath, ...CHILD, 'watch'])
  assert.equal(await next(), 'ready')
  for (const signal of ['SIGINT', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) {
    child.kill(signal)
    assert.equal(await next(), `forward ${signal}`)
    if (signal === 'SIGINT' || signal === 'SIGQUIT') assert.equal(await next(), `heard ${signal}`)
  }
  child.kill('SIGKILL')
  await exit
})

/** Runs a program in the foreground of a terminal of its own; each line of stdin is typed into it, escapes understood. */
const PTY = `
import os, pty, sys, threading
pid, master = pty.fork()
if pid == 0: os.execvp(sys.argv[1], sys.argv[1:])
def typist():
    for line in sys.stdin: os.write(master, line.rstrip('\\n').encode().decode('unicode_escape').encode('latin1'))
threading.Thread(target=typist, daemon=True).start()
try:
    while True:
        sys.stdout.buffer.write(os.read(master, 4096)); sys.stdout.flush()
except OSError: pass
status = os.waitpid(pid, 0)[1]
print('status', os.waitstatus_to_exitcode(status), flush=True)
`

test("in the foreground of a terminal the first Ctrl-C is the program's, the second ends the tree, the third kills it", { timeout: 280_000 }, async () => {
  const { child, exit, next } = start(['/usr/bin/python3', '-c', PTY, process.execPath, ...CHILD, 'watch', 'tty'], 'pipe')
  const type = (text: string) => child.stdin!.write(`${text}\n`)
  const said = async () => (await next()).replaceAll(/\^[C\\]/g, '').trim()
  assert.equal(await said(), 'ready')
  type('\\x1c')
  assert.equal(await said(), 'heard SIGQUIT')
  type('\\x03')
  assert.equal(await said(), 'heard SIGINT')
  for (const action of ['term', 'kill']) {
    type('\\x03')
    assert.equal(await said(), `${action} SIGINT`)
    assert.equal(await said(), 'heard SIGINT')
  }
  type('\\x04')
  assert.equal(await said(), 'status 0')
  await exit
})

test('time in which the process was stopped counts against no limit', { timeout: 280_000 }, async () => {
  const { child, exit, next } = start([process.execPath, ...CHILD, 'stopped'])
  assert.equal(await next(), 'ready')
  child.kill('SIGSTOP')
  await new Promise(resolve => setTimeout(resolve, 4500)) // far beyond the limit
  child.kill('SIGCONT')
  assert.equal(await next(), 'in time')
  await exit
})
