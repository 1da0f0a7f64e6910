// Bundles src into dist: `node scripts/build.js`, with `--no-types` without declarations.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { licences, thirdParty } from './licences.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const ENTRIES = {
  cli: 'src/cli/main.ts',
  index: 'src/index.ts',
  nbt: 'src/nbt/index.ts',
  smb: 'src/smb/index.ts',
  relay: 'src/mapping/fuse/relay.ts',
  afterwards: 'src/run/windows/afterwards.ts',
}

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
mkdirSync('dist', { recursive: true })
writeFileSync('dist/THIRD-PARTY.txt', thirdParty('The files in this folder', licences([metafile])))
console.log(`bundled in ${Math.round(performance.now() - began)} ms`)
if (!process.argv.includes('--no-types')) types()

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
