// koffi as nbtrun.exe carries it: esbuild puts this in the place of the package, whose own JavaScript looks for a file beside itself.
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { getRawAsset } from 'node:sea'

/**
 * The system's loader wants a file, and one that is loaded cannot be removed. So it stays, under its checksum, in the user's own folder, which other users
 * cannot write; one that is there is used only with the right bytes.
 */
function onDisk(bytes: Buffer): string {
  const digest = createHash('sha256').update(bytes).digest('hex')
  const folder = join(process.env['LOCALAPPDATA'] ?? join(homedir(), 'AppData', 'Local'), 'nbtrun', digest)
  const path = join(folder, 'koffi.node')
  if (holds(path, bytes)) return path
  mkdirSync(folder, { recursive: true })
  const fresh = join(folder, `${process.pid}.new`)
  try {
    writeFileSync(fresh, bytes)
    renameSync(fresh, path)
  } catch (thrown) {
    rmSync(fresh, { force: true })
    if (!holds(path, bytes)) throw thrown // else another nbtrun was faster
  }
  return path
}

function holds(path: string, bytes: Buffer): boolean {
  try {
    return readFileSync(path).equals(bytes)
  } catch {
    return false
  }
}

const module = { exports: {} }
process.dlopen(module, onDisk(Buffer.from(getRawAsset('koffi.node') as ArrayBuffer)))
const koffi: unknown = module.exports
export default koffi
