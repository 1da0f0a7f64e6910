import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('../../', import.meta.url))
const unbuilt = !existsSync(`${root}dist/smb.js`) && 'not built: npm run build'

/** Every module that a built file may load, now or later, beside the files of dist. */
async function loads(entry: string): Promise<string[]> {
  const bundled = await build({
    entryPoints: [`${root}dist/${entry}.js`],
    bundle: true,
    splitting: true,
    outdir: `${root}dist/never`,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    logLevel: 'silent',
  })
  return [
    ...new Set(Object.values(bundled.metafile.outputs).flatMap(({ imports }) => imports.flatMap(({ path, external }) => (external === true ? [path] : [])))),
  ]
}

test('dist/nbt.js and dist/smb.js load modules of Node alone', { skip: unbuilt }, async () => {
  for (const entry of ['nbt', 'smb']) {
    const modules = await loads(entry)
    assert.ok(modules.length > 3, `${entry}: modules were found`)
    for (const name of modules) assert.ok(name.startsWith('node:') && builtinModules.includes(name.slice(5).split('/')[0] ?? ''), `${entry} loads ${name}`)
  }
  assert.ok(
    (await loads('cli')).some(name => name === 'koffi'),
    'packages are seen',
  )
})

test('what is imported has no effect: no listener, nothing that keeps the process, nothing printed', { skip: unbuilt }, () => {
  const code = `
    const names = ['nbtrun', 'nbtrun/nbt', 'nbtrun/smb']
    const found = (await Promise.all(names.map(name => import(name)))).map(module => Object.keys(module))
    console.log(JSON.stringify({ found, signals: process.eventNames().filter(name => String(name).startsWith('SIG')), global: Object.keys(globalThis).filter(name => /nbt/i.test(name)) }))`
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { cwd: root, encoding: 'utf8', timeout: 60_000 })
  assert.deepEqual([status, stderr], [0, ''])
  const { found, signals, global } = JSON.parse(stdout) as { found: string[][]; signals: string[]; global: string[] }
  assert.deepEqual([signals, global], [[], []])
  const [whole = [], nbt = [], smb = []] = found
  assert.deepEqual(whole.toSorted(), ['CODES', 'Client', 'NbtrunError', 'RunError', 'Share', 'connect', 'run'])
  for (const name of ['NbtrunError', 'call', 'hold', 'nodeStatus', 'query']) assert.ok(nbt.includes(name), name)
  for (const name of ['NbtrunError', 'connect']) assert.ok(smb.includes(name), name)
})

test('docs/library.md shows the example programs as they are', () => {
  const page = readFileSync(`${root}docs/library.md`, 'utf8')
  const shown = [...page.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(([, text]) => text)
  const programs = readdirSync(`${root}examples`).filter(name => name.endsWith('.js'))
  const texts = programs.map(name => readFileSync(`${root}examples/${name}`, 'utf8'))
  assert.deepEqual(new Set(shown), new Set(texts))
})
