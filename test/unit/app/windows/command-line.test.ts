import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { commandLine } from '../../../../src/app/windows/command-line.ts'

const escape = createRequire(import.meta.url)('cross-spawn/lib/util/escape.js') as {
  command(text: string): string
  argument(text: string, twice: boolean): string
}

const WORDS = [
  '',
  'a',
  'a b',
  '/month:10',
  'x"y',
  '"',
  '\\',
  'a\\',
  'a b\\',
  'a\\\\"b',
  'C:\\Program Files\\',
  '100%',
  '%PATH%',
  'a&b|c>d<e^f',
  '(x)',
  'ä€𝄞',
  "it's",
  'a,b;c=d',
  '*?',
  '!',
]

test('words for a program come apart again as they were', () => {
  const { application, line } = commandLine('P:\\my app.exe', WORDS, 'cmd')
  assert.equal(application, 'P:\\my app.exe')
  assert.deepEqual(apart(line), ['P:\\my app.exe', ...WORDS])
})

/** cross-spawn 7.0.6 doubles the last backslash before a quote alone. */
const LIKE_CROSS_SPAWN = WORDS.filter(word => !/\\\\"/.test(word))

test('words for a batch file are quoted as cross-spawn quotes them', () => {
  for (const [path, twice] of [
    ['P:\\go (1).bat', false],
    ['C:\\x\\node_modules\\.bin\\tool.cmd', true],
  ] as const) {
    const { application, line } = commandLine(path, LIKE_CROSS_SPAWN, 'C:\\Windows\\cmd.exe')
    assert.equal(application, 'C:\\Windows\\cmd.exe')
    const words = [escape.command(path), ...LIKE_CROSS_SPAWN.map(word => escape.argument(word, twice))]
    assert.equal(line, `"C:\\Windows\\cmd.exe" /d /s /c "${words.join(' ')}"`)
  }
})

test('what cannot be said is refused: a line end for a batch file, too many characters', () => {
  assert.throws(() => commandLine('P:\\go.cmd', ['a\nb'], 'cmd'), { code: 'PROGRAM_NOT_RUNNABLE', message: /line end/ })
  assert.throws(() => commandLine('P:\\go.cmd', ['x'.repeat(8200)], 'cmd'), { code: 'PROGRAM_NOT_RUNNABLE', message: /too long/ })
  assert.throws(() => commandLine('P:\\app.exe', ['x'.repeat(33_000)], 'cmd'), { code: 'PROGRAM_NOT_RUNNABLE', message: /too long/ })
  assert.doesNotThrow(() => commandLine('P:\\app.exe', ['a\nb', 'x'.repeat(8200)], 'cmd'))
})

/** CommandLineToArgvW, as Microsoft describes it: 2n backslashes and a quote are n and a switch, 2n+1 are n and a quote. */
function apart(line: string): string[] {
  const words: string[] = []
  let word: string | undefined
  let inside = false
  for (let i = 0; i < line.length; i++) {
    const char = line[i]!
    if (char === '\\') {
      let n = 1
      while (line[i + n] === '\\') n++
      const isBeforeQuote = line[i + n] === '"'
      word = (word ?? '') + '\\'.repeat(isBeforeQuote ? Math.floor(n / 2) : n)
      if (isBeforeQuote && n % 2 === 1) {
        word += '"'
        n++
      }
      i += n - 1
    } else if (char === '"') {
      inside = !inside
      word ??= ''
    } else if (char === ' ' && !inside) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else word = (word ?? '') + char
  }
  return word === undefined ? words : [...words, word]
}
