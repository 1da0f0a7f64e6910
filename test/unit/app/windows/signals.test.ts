import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decideOnWindows } from '../../../../src/app/windows/signals.ts'

test('the console tells the program itself of Ctrl-C and Ctrl-Break; its closing leaves five seconds for everything', () => {
  const answers = (phase: 'before' | 'running' | 'ending', signal: 'SIGINT' | 'SIGBREAK' | 'SIGHUP'): string[] =>
    [1, 2].map(count => decideOnWindows({ phase, signal, count }))
  for (const signal of ['SIGINT', 'SIGBREAK'] as const) {
    assert.deepEqual(answers('before', signal), ['cancel', 'hurry'])
    assert.deepEqual(answers('running', signal), ['leave', 'kill'])
    assert.deepEqual(answers('ending', signal), ['kill', 'hurry'])
  }
  assert.deepEqual(answers('before', 'SIGHUP'), ['cancel', 'hurry'])
  assert.deepEqual(answers('running', 'SIGHUP'), ['rush', 'rush'])
  assert.deepEqual(answers('ending', 'SIGHUP'), ['rush', 'rush'])
})
