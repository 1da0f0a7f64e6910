// koffi as nbtrun for Linux carries it: esbuild puts this in the place of the package, whose own JavaScript looks for a file beside itself.
import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { getRawAsset } from 'node:sea'

/** O_TMPFILE of open(2), for which Node has no name. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY

/**
 * The system's loader wants a file, which nobody else must be able to change between our writing and its reading: one without a name, which only this process
 * can open, and which is gone with its last use. Not every folder will do: its file system may know no such files, or be mounted noexec. Throws the last
 * refusal.
 */
function load(): unknown {
  const bytes = Buffer.from(getRawAsset('koffi.node') as ArrayBuffer)
  let refusal: unknown
  for (const folder of [process.env['XDG_RUNTIME_DIR'] ?? '/dev/shm', '/dev/shm', tmpdir()]) {
    try {
      const file = openSync(folder, O_TMPFILE | constants.O_RDWR, 0o700)
      try {
        for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
        const module = { exports: {} }
        process.dlopen(module, `/proc/self/fd/${file}`)
        return module.exports
      } finally {
        closeSync(file)
      }
    } catch (thrown) {
      refusal = thrown
    }
  }
  throw refusal
}

const koffi = load()
export default koffi
