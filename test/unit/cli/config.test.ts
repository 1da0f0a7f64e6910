import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { profileSchema } from '../../../src/profile/schema.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'nbtrun-config-'))
after(() => rmSync(folder, { recursive: true }))
const starter = join(folder, 'start.mts')
writeFileSync(starter, `import { start } from ${JSON.stringify(pathToFileURL(join(root, 'src/cli/main.ts')).href)}\nawait start(process.argv.slice(2))\n`)
const profile = join(folder, 'nbtrun', 'pay.toml')
mkdirSync(join(folder, 'nbtrun'))
writeFileSync(profile, 'share = "//srv/app"\ngrace = "3s"\nguest = true\nprogram = ["app.exe", "/month:10"]\n')

function nbtrun(words: readonly string[], env: Record<string, string> = {}): { status: number | null; stdout: string; stderr: string } {
  const environment = { PATH: process.env['PATH'], HOME: folder, XDG_CONFIG_HOME: folder, ...env }
  return spawnSync(process.execPath, ['--import', 'tsx', starter, ...words], { cwd: root, encoding: 'utf8', env: environment })
}

test('a profile brings the share and the program; words of the line take the place of both', () => {
  const plan = (words: readonly string[], env: Record<string, string> = {}): string => {
    const { status, stdout, stderr } = nbtrun(['--dry-run', ...words], env)
    assert.deepEqual([status, stdout], [0, ''], stderr)
    return stderr
  }
  assert.match(plan(['--profile', 'pay']), /would map \/\/srv\/app .*\n.*would run app\.exe \/month:10/)
  assert.match(plan(['--profile', 'pay', '--']), /would run app\.exe \/month:10/)
  assert.match(plan(['--profile=pay', 'other', '--profile', 'x']), /would run other --profile x/)
  assert.match(plan([], { NBTRUN_OPT_PROFILE: 'pay' }), /would run app\.exe/)
  assert.match(plan(['--profile', 'pay', '--share', '//srv2/b', 'x']), /would map \/\/srv2\/b/)
})

test('config shows each value and where it comes from', () => {
  const { status, stdout, stderr } = nbtrun(['config', '--profile', 'pay', '--grace', '1'], { NBTRUN_OPT_ENCRYPT: '1' })
  assert.equal(status, 0, stderr)
  const rows = stdout.split('\n').map(line => line.split(/ {2,}/))
  assert.deepEqual(rows[0], ['OPTION', 'VALUE', 'FROM'])
  for (const row of [
    ['share', '//srv/app', `${profile}:1`],
    ['grace', '1', '--grace'],
    ['guest', 'true', `${profile}:3`],
    ['encrypt', '1', 'NBTRUN_OPT_ENCRYPT'],
    ['io-timeout', '20 s', 'default'],
    ['busy-exit-code', '75', 'default'],
    ['program', 'app.exe /month:10', 'profile'],
  ])
    assert.deepEqual(
      rows.find(([name]) => name === row[0]),
      row,
    )
})

test('config --json and --schema are for programs', () => {
  const { files, options, program } = JSON.parse(nbtrun(['config', '--profile', 'pay', '--json']).stdout) as {
    files: string[]
    options: { name: string; values: string[]; from: string }[]
    program: string[]
  }
  assert.deepEqual([files.at(-1), program], [profile, ['app.exe', '/month:10']])
  assert.deepEqual(
    options.find(({ name }) => name === 'grace'),
    { name: 'grace', values: ['3s'], from: `${profile}:2` },
  )
  assert.deepEqual(JSON.parse(nbtrun(['config', '--schema']).stdout), profileSchema())
})

test('what a run would refuse, config refuses', () => {
  for (const [words, line] of [
    [['config', '--profile', 'nope'], /there is no profile nope/],
    [['config', '--grace', 'soon'], /--grace must be a duration/],
    [['config', '--guest', '--anonymous'], /exclude each other/],
  ] as const) {
    const { status, stdout, stderr } = nbtrun(words)
    assert.deepEqual([status, stdout], [125, ''])
    assert.match(stderr, line)
  }
})
