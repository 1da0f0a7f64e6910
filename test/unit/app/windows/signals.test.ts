import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decideOnWindows } from '../../../../src/app/windows/signals.ts'

test('the console tells the program itself of Ctrl-C and Ctrl-Break; its closing leaves five seconds for everything', () => {
  const answers = (phase: 'before' | 'running' | 'ending', signal: 'SIGINT' | 'SIGBREAK' | 'SIGHUP'): string[] =>
    [1, 2, 3, 4].map(count => decideOnWindows({ phase, signal, count }))
  for (const signal of ['SIGINT', 'SIGBREAK'] as const) {
    assert.deepEqual(answers('before', signal), ['cancel', 'hurry', 'hurry', 'hurry'])
    assert.deepEqual(answers('running', signal), ['leave', 'term', 'kill', 'kill'])
    assert.deepEqual(answers('ending', signal), ['term', 'term', 'kill', 'hurry'])
  }
  assert.deepEqual(answers('before', 'SIGHUP').slice(0, 2), ['cancel', 'hurry'])
  for (const phase of ['running', 'ending'] as const) assert.deepEqual(answers(phase, 'SIGHUP'), Array(4).fill('rush'))
})
