import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** What each layer may import, beside itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  nbt: ['base'],
  smb: ['base', 'nbt'],
  mapping: ['base', 'smb'],
  app: ['base', 'smb'],
  seat: ['base', 'smb'],
  profile: ['base', 'nbt', 'smb'],
  run: ['base', 'nbt', 'smb', 'mapping', 'app', 'seat', 'profile'],
  cli: ['base', 'nbt', 'smb', 'mapping', 'app', 'seat', 'profile', 'run'],
}

const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'))

function imports(file: string): string[] {
  return [...readFileSync(join(root, 'src', file), 'utf8').matchAll(/(?:\bfrom |\bimport |\bimport\()'([^']+)'/g)].map(([, to = '']) => to)
}

test('layers run one way', () => {
  let seen = 0
  for (const file of files.filter(f => f !== 'index.ts'))
    for (const to of imports(file).filter(i => i.startsWith('.'))) {
      const [layer = '', target = ''] = [file, join(dirname(file), to)].map(path => path.split('/')[0] ?? '')
      assert.ok(target === layer || MAY_IMPORT[layer]?.includes(target), `src/${file} imports ${target}`)
      assert.match(to, /\.ts$/, `src/${file} imports ${to}`)
      seen++
    }
  assert.ok(seen > 20, 'imports were found')
})

test('nbt and smb stand on Node alone', () => {
  for (const file of files.filter(f => /^(base|nbt|smb)\//.test(f)))
    for (const to of imports(file)) assert.match(to, /^(node:|\.)/, `src/${file} imports ${to}`)
})

test('yargs is imported by cli/yargs.ts alone, elsewhere as a type', () => {
  for (const file of files.filter(f => f !== 'cli/yargs.ts'))
    assert.doesNotMatch(readFileSync(join(root, 'src', file), 'utf8'), /^import (?!type ).*'yargs/m, `src/${file}`)
})

test('a plain run loads neither yargs nor execa, no reader of profiles, and nothing that NetBIOS or SMB1 alone needs', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nbtrun-layers-'))
  try {
    // a host in the share that cannot be looked up: the run is loaded, and fails before it takes anything
    const script = join(folder, 'start.mjs')
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    writeFileSync(
      script,
      `import { main } from ${JSON.stringify(pathToFileURL(join(root, 'src/cli/main.ts')).href)}\nconst { exit } = await main(process.argv.slice(2))\nprocess.exit(exit)\n`,
    )
    const coverage = join(folder, 'coverage')
    const words = ['--share', '//host.invalid/x', '--password-file', join(folder, 'missing'), '--', 'true']
    const { status, stderr } = spawnSync(process.execPath, ['--import', 'tsx', script, ...words], {
      cwd: folder,
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], NODE_V8_COVERAGE: coverage, XDG_STATE_HOME: folder },
    })
    assert.equal(status, 125, stderr)
    const loaded = readdirSync(coverage).flatMap(name =>
      (JSON.parse(readFileSync(join(coverage, name), 'utf8')) as { result: { url: string }[] }).result.map(({ url }) => url),
    )
    assert.ok(
      loaded.some(url => url.endsWith('/src/run/run.ts')),
      'the run was loaded',
    )
    assert.deepEqual(
      loaded.filter(url =>
        /\/node_modules\/(yargs|yargs-parser|cliui|y18n|execa|smol-toml)\/|\/src\/(cli\/(full|yargs|help)|profile\/profiles|nbt\/(api|exchange|hold|ladder|node|queries|resolve)|smb\/smb1\/(connection|exchange|session|tree|open))\.ts$/.test(
          url,
        ),
      ),
      [],
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test("which system this is, is asked in one place, and what is Windows' own is loaded there alone", () => {
  const isWindows = (file: string): boolean => file.split('/').includes('windows')
  for (const file of files) {
    const text = readFileSync(join(root, 'src', file), 'utf8')
    if (file !== 'base/platform.ts' && !isWindows(file)) assert.doesNotMatch(text, /process\.platform|\bplatform\(\)/, `src/${file}`)
    if (isWindows(file)) continue
    for (const [line = ''] of text.matchAll(/^import (?!type ).*\/windows\/.*$|^} from '.*\/windows\/.*$/gm))
      assert.fail(`src/${file} always loads it: ${line}`)
  }
  assert.ok(files.some(isWindows) && files.includes('base/platform.ts'))
})
