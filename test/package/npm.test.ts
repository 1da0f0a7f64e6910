import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

const root = join(import.meta.dirname, '..', '..')
const folder = mkdtempSync(join(tmpdir(), 'nbtrun-npm-'))
const empty = join(folder, 'empty')
/** No cache, no settings and no registry: what is installed comes from the tarball alone. */
const env = { PATH: process.env['PATH'], HOME: folder, npm_config_cache: join(folder, 'cache'), npm_config_offline: 'true' }
/** The words before a program that take its network away, where this machine lets us. */
const alone = spawnSync('unshare', ['--net', 'true']).status === 0 ? ['unshare', '--net', '--'] : []

/** Runs it in the folder that was empty, without a network. */
function run(...words: string[]): { status: number | null; stdout: string; stderr: string } {
  const [file = '', ...args] = [...alone, ...words]
  return spawnSync(file, args, { cwd: empty, env, encoding: 'utf8' })
}
const nbtrun = (...words: string[]): ReturnType<typeof run> => run(join(empty, 'node_modules', '.bin', 'nbtrun'), ...words)

/** A program of somebody who has the package. */
const USE = `
import { connect, NbtrunError, run, RunError, type RunOptions } from 'nbtrun'
import { hold } from 'nbtrun/nbt'
import { connect as alone } from 'nbtrun/smb'
const options: RunOptions = { share: '//srv/app', program: ['x'], readOnly: true, timeLimit: '2h', mapping: 'none', verify: true, port: 445, env: { A: 'b' } }
const { exit, receipt } = await run(options)
const code: number = exit
// @ts-expect-error there is no such option
await run({ share: '//srv/app', program: 'x', redOnly: true })
// @ts-expect-error nor such a mapping
await run({ share: '//srv/app', program: 'x', mapping: 'nowhere' })
// @ts-expect-error nor a profile
await run({ share: '//srv/app', program: 'x', profile: 'payroll' })
console.log(code, receipt.shares[0]?.dialect, RunError, NbtrunError, connect === alone, hold)
`

describe('the package, installed in an empty folder', () => {
  let files: string[]
  let tarball: string
  before(() => {
    mkdirSync(empty)
    const npm = (cwd: string, ...words: string[]): string => {
      const { status, stdout, stderr } = spawnSync('npm', words, { cwd, env, encoding: 'utf8' })
      assert.equal(status, 0, stderr)
      return stdout
    }
    const packed = JSON.parse(npm(root, 'pack', '--ignore-scripts', '--json', '--pack-destination', folder)) as [
      { filename: string; files: { path: string }[] },
    ]
    files = packed[0].files.map(({ path }) => path)
    tarball = join(folder, packed[0].filename)
    npm(empty, 'install', '--omit=optional', '--no-audit', '--no-fund', tarball)
  })
  after(() => rmSync(folder, { recursive: true }))

  test('it has what users need, is small, and needs no other package', () => {
    assert.deepEqual(
      files.filter(
        path => !/^(bin|dist|docs|examples|templates)\/|^(package\.json|LICENSE|README\.md|CHANGELOG\.md|ARCHITECTURE\.md|SECURITY\.md)$/.test(path),
      ),
      [],
    )
    for (const path of ['dist/types/index.d.ts', 'dist/types/nbt/index.d.ts', 'dist/types/smb/index.d.ts', 'dist/THIRD-PARTY.txt', 'docs/nbtrun.1'])
      assert.ok(files.includes(path), path)
    const { size } = statSync(tarball)
    assert.ok(size < 512 * 1024, `${size} bytes`)
    const installed = run('npm', 'ls', '--all', '--parseable', '--omit=optional')
    assert.deepEqual(installed.stdout.trim().split('\n'), [empty, join(empty, 'node_modules', 'nbtrun')])
  })

  test('the command says its version and its help, lists its templates and reads a batch file', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
    for (const [word, expected] of [
      ['--version', `${version}\n`],
      ['--help', readFileSync(join(root, 'test/unit/cli/golden/help.txt'), 'utf8')],
    ] as const) {
      const { status, stdout, stderr } = nbtrun(word)
      assert.deepEqual([status, stdout, stderr], [0, expected, ''])
    }
    const list = nbtrun('script', '--list')
    assert.equal(list.status, 0, list.stderr)
    assert.match(list.stdout, /^metered-launcher +launcher/m)
    assert.match(nbtrun('script', 'login', '--share', '//srv/app', '--program', 'app', '--print').stdout, /^exec nbtrun --share '\/\/srv\/app' -- 'app'$/m)
    writeFileSync(join(empty, 'old.bat'), 'net use P: \\\\srv\\payroll\r\nP:\\payroll.exe /m:10\r\nnet use P: /delete\r\n')
    const { status, stdout, stderr } = nbtrun('import', 'old.bat')
    assert.equal(status, 0, stderr)
    assert.match(stdout, /^ {4}nbtrun --share \/\/srv\/payroll /m)
  })

  test('the libraries are imported by their names', () => {
    const script =
      "const n = [await import('nbtrun/nbt'), await import('nbtrun/smb'), await import('nbtrun')]; console.log(typeof n[0].nodeStatus, typeof n[1].connect, typeof n[2].run)"
    const { status, stdout, stderr } = run(process.execPath, '--input-type=module', '--eval', script)
    assert.deepEqual([status, stdout, stderr], [0, 'function function function\n', ''])
  })

  test('its types are those of the options, and refuse what is none', () => {
    writeFileSync(join(empty, 'use.mts'), USE)
    symlinkSync(join(root, 'node_modules', '@types'), join(empty, 'node_modules', '@types'))
    const words = ['--ignoreConfig', '--noEmit', '--strict', '--exactOptionalPropertyTypes', '--module', 'nodenext', '--target', 'es2022', '--types', 'node']
    const { status, stdout } = run(process.execPath, join(root, 'node_modules/typescript/bin/tsc'), ...words, 'use.mts')
    assert.deepEqual([status, stdout], [0, ''])
  })
})
