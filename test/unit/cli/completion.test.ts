import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { COMMANDS } from '../../../src/cli/commands.ts'
import { columns, wrap } from '../../../src/cli/wrap.ts'
import { table } from '../../../src/cli/table.ts'
import { manPage } from '../../../src/cli/man.ts'
import { completion, SHELLS } from '../../../src/profile/completion.ts'
import { ROWS } from '../../../src/profile/options.ts'
import { missing } from '../../lab/missing.ts'

const folder = mkdtempSync(join(tmpdir(), 'nbtrun-completion-'))
after(() => rmSync(folder, { recursive: true }))
writeFileSync(join(folder, 'a file.txt'), '')
mkdirSync(join(folder, 'a folder'))
const env = { PATH: '/usr/bin:/bin', HOME: folder, TERM: 'dumb', LANG: 'C.UTF-8' }

function run(argv: readonly [string, ...string[]], input = ''): string {
  const [program, ...words] = argv
  const { stdout, stderr, status } = spawnSync(program, words, { cwd: folder, encoding: 'utf8', env, input, timeout: 60_000 })
  assert.deepEqual([status, stderr], [0, ''], stdout)
  return stdout
}

/** What bash offers for the last of the words. */
function inBash(...words: string[]): string[] {
  const set = 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _nbtrun; printf "%s\\n" "${COMPREPLY[@]}"'
  return run(['bash', '--norc', '-c', `${completion('bash', COMMANDS)}\n${set}`, 'bash', 'nbtrun', ...words])
    .split('\n')
    .filter(line => line !== '')
    .sort()
}

test('bash completes commands, options, their values, files, and the program', () => {
  assert.deepEqual(inBash('se'), ['sessions'])
  assert.deepEqual(inBash('--gr'), ['--grace'])
  assert.deepEqual(inBash('--wait-for', ''), ['app', 'tree'])
  assert.deepEqual(inBash('--auth-file', 'a'), ['a file.txt', 'a folder'])
  assert.deepEqual(inBash('-C', 'a'), ['a folder'])
  assert.deepEqual(inBash('--grace', ''), [])
  assert.ok(inBash('script', '').includes('metered-launcher'))
  assert.deepEqual(inBash('completion', 'f'), ['fish'])
  assert.ok(inBash('--share', '//srv/app', 'unam').includes('uname'))
  assert.ok(inBash('--share', '//srv/app', '--', 'unam').includes('uname'))
  assert.deepEqual(inBash('--share', '//srv/app', '--', 'cat', 'a'), ['a file.txt', 'a folder'])
  assert.deepEqual(inBash('--share', '//srv/app', '--', 'cat', '--gr'), [], 'an option of the program is none of nbtrun’s')
})

test('every option is in every completion, with every shell that has one', () => {
  for (const shell of SHELLS) {
    const script = completion(shell, COMMANDS)
    for (const [name] of ROWS) assert.ok(script.includes(shell === 'fish' ? `-l ${name} ` : `--${name}`), `${shell} ${name}`)
    for (const name of Object.keys(COMMANDS)) assert.ok(script.includes(name), `${shell} ${name}`)
  }
})

test('fish completes commands, options, their values, and files', { skip: missing('fish') }, () => {
  const offered = (line: string): string[] =>
    run(['fish', '--no-config', '-c', `${completion('fish', COMMANDS)}\ncomplete -C ${JSON.stringify(line)}`])
      .split('\n')
      .filter(each => each !== '')
      .map(each => each.split('\t')[0] ?? '')
  assert.deepEqual(offered('nbtrun sess'), ['sessions'])
  assert.deepEqual(offered('nbtrun --grac'), ['--grace'])
  assert.deepEqual(offered('nbtrun --wait-for '), ['app', 'tree'])
  assert.ok(offered('nbtrun --auth-file a').some(each => each.startsWith('a')))
  assert.ok(offered('nbtrun script ').includes('metered-launcher'))
})

test('zsh completes commands, options and their values', { skip: missing('zsh') }, () => {
  writeFileSync(join(folder, '_nbtrun'), completion('zsh', COMMANDS))
  const typed = (line: string, until: string): string =>
    run([
      ...(['zsh', '-f', '-c'] as const),
      `zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PS1=; fpath=($PWD \\$fpath); autoload -Uz compinit; compinit -u -D; unsetopt beep; echo re''ady"
zpty -r -m z out '*ready*'
zpty -w -n z ${JSON.stringify(line)}$'\\t'
zpty -r -m z out ${JSON.stringify(`*${until}*`)}
print -r -- "$out"
zpty -d z`,
    ])
  assert.match(typed('nbtrun autod', 'autodisconnect'), /autodisconnect/)
  assert.match(typed('nbtrun --grac', '--grace='), /--grace=/)
  assert.match(typed('nbtrun --wait-for=t', '=tree'), /=tree/)
})

test('the manual page has every option and command, and groff has no complaint', t => {
  const page = manPage('0')
  for (const [name] of ROWS) assert.ok(page.includes(`\\fB\\-\\-${name.replaceAll('-', '\\-')}\\fR`), name)
  for (const { usage } of Object.values(COMMANDS)) assert.ok(page.includes(usage.replaceAll('-', '\\-')), usage)
  if (spawnSync('groff', ['--version'], { env }).status !== 0) return t.skip('there is no groff')
  assert.ok(run(['groff', '-man', '-Tutf8', '-ww', '-z'], page) === '')
})

test('wide characters take two columns, marks none', () => {
  assert.deepEqual(['abc', 'ü', 'u\u0308', '日本', '한글', 'ｆ', '🙂', '👨‍👩‍👧', ''].map(columns), [3, 1, 1, 4, 4, 2, 2, 2, 0])
  assert.equal(
    table(
      ['A', 'B'],
      [
        ['日本', 'x'],
        ['abc', 'y'],
      ],
    ),
    'A     B\n日本  x\nabc   y',
  )
  assert.deepEqual(wrap('日本 日本 ab', 9), ['日本 日本', 'ab'])
})
