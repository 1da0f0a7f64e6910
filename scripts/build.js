// Bundles src into dist: `node scripts/build.js`, with `--no-types` without declarations.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const ENTRIES = { cli: 'src/cli/main.ts', index: 'src/index.ts', nbt: 'src/nbt/index.ts', smb: 'src/smb/index.ts', relay: 'src/mapping/fuse/relay.ts' }

process.chdir(root)
const began = performance.now()
const entryPoints = Object.fromEntries(Object.entries(ENTRIES).filter(([, file]) => existsSync(file)))
for (const [name, file] of Object.entries(ENTRIES)) if (entryPoints[name] === undefined) console.log(`${file} is not there yet: no dist/${name}.js`)

rmSync('dist', { recursive: true, force: true })
const { metafile } = await build({
  entryPoints,
  outdir: 'dist',
  chunkNames: '[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  minifyWhitespace: true,
  minifySyntax: true,
  minifyIdentifiers: false, // stacks stay readable
  legalComments: 'none',
  external: ['koffi'],
  // packages in CommonJS call require() for Node's own modules
  banner: { js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);" },
  logLevel: 'warning',
  metafile: true,
})
licences(metafile)
console.log(`bundled in ${Math.round(performance.now() - began)} ms`)
if (!process.argv.includes('--no-types')) types()

/** The licence of every package that has code in the bundle. */
function licences({ outputs }) {
  const folders = new Set()
  for (const { inputs } of Object.values(outputs))
    for (const [file, { bytesInOutput }] of Object.entries(inputs)) {
      const [folder] = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? []
      if (folder !== undefined && bytesInOutput > 0) folders.add(folder)
    }
  const texts = [...folders]
    .sort((a, b) => (a < b ? -1 : 1))
    .map(folder => {
      const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
      const file = readdirSync(folder).find(f => /^licen[cs]e/i.test(f))
      if (file === undefined) throw new Error(`${name} has no licence file`)
      return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`
    })
  mkdirSync('dist', { recursive: true })
  writeFileSync('dist/THIRD-PARTY.txt', `The files in this folder contain code of these packages.\n\n${texts.join(`\n${'-'.repeat(72)}\n\n`)}`)
}

function types() {
  const config = 'dist/tsconfig.json'
  const compilerOptions = { noEmit: false, emitDeclarationOnly: true, declaration: true, rootDir: '../src', outDir: 'types' }
  writeFileSync(config, JSON.stringify({ extends: '../tsconfig.json', compilerOptions, include: ['../src'] }))
  const { status } = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '--project', config], { stdio: 'inherit' })
  rmSync(config)
  if (status !== 0) process.exit(status ?? 1)
  prune()
}

/** Of the declarations only what the package's own three lead to: the rest cannot be imported, and is more than half. */
function prune() {
  const folder = join('dist', 'types')
  const needed = new Set()
  const follow = file => {
    if (needed.has(file)) return
    needed.add(file)
    for (const [, to] of readFileSync(join(folder, file), 'utf8').matchAll(/(?:from |import\()['"](\.[^'"]+)\.[jt]s['"]/g))
      follow(`${join(dirname(file), to)}.d.ts`)
  }
  for (const entry of ['index.d.ts', join('nbt', 'index.d.ts'), join('smb', 'index.d.ts')]) follow(entry)
  for (const file of readdirSync(folder, { recursive: true })) if (file.endsWith('.ts') && !needed.has(file)) rmSync(join(folder, file))
}
