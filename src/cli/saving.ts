import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { errnoOf, NbtrunError } from '../base/errors.ts'

/** Writes a new file; one that is there is replaced with `force` alone. */
export function save(path: string, text: string, force: boolean, executable = false): void {
  written(path, () => {
    writeFileSync(path, text, { flag: force ? 'w' : 'wx' })
    if (executable) chmodSync(path, 0o777 & ~process.umask())
  })
}

/** The same for a file that its owner alone reads, from its first byte on, in a folder that is made where it is missing. */
export function saveSecret(path: string, text: string, force: boolean): void {
  written(path, () => {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    if (force) rmSync(path, { force: true })
    writeFileSync(path, text, { flag: 'wx', mode: 0o600 })
  })
}

function written(path: string, write: () => void): void {
  try {
    write()
  } catch (cause) {
    if (errnoOf(cause) === 'EEXIST') throw new NbtrunError('FILE_ERROR', `${path} exists`, { cause, hint: 'choose another name or add --force' })
    throw new NbtrunError('FILE_ERROR', `${path} cannot be written (${errnoOf(cause) ?? 'unknown reason'})`, { cause })
  }
}
