import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { extname, isAbsolute, join, resolve } from 'node:path'
import { errnoOf, NbtrunError } from '../../base/errors.ts'

export interface FindOptions {
  /** The folder of the first share as this machine sees it: `P:\`. Undefined where there is none. */
  readonly share: string | undefined
  /** Where the program starts. */
  readonly cwd: string
  readonly path: string
  /** PATHEXT: what may be left away. */
  readonly extensions: string
  readonly from?: 'share' | 'path' | undefined
}

export interface Found {
  /** Absolute. */
  readonly path: string
  readonly from: 'share' | 'path'
}

/**
 * Finds the program as on every system: a word with a slash, backslash or letter is a path, a bare name is looked for on the first share and in PATH; never in
 * the current folder. Throws PROGRAM_NOT_FOUND, PROGRAM_NOT_RUNNABLE, or PROGRAM_AMBIGUOUS for a name that is in both.
 */
export function findProgram(word: string, { share, cwd, path, extensions, from }: FindOptions): Found {
  if (word === '') throw new NbtrunError('PROGRAM_NOT_FOUND', 'the name of the program is empty')
  const endings = extensions.split(';').filter(ending => /^\.\w+$/.test(ending))
  const inFolder = (folder: string): string | undefined => {
    const whole = resolve(cwd, folder, word)
    const names = extname(word) === '' ? endings.map(ending => whole + ending.toLowerCase()) : [whole, ...endings.map(ending => whole + ending.toLowerCase())]
    return names.find(isFile)
  }
  if (/[/\\:]/.test(word)) {
    const found = inFolder('.')
    if (found === undefined) throw new NbtrunError('PROGRAM_NOT_FOUND', `there is no program ${word}`)
    const folder = share?.toLowerCase()
    return runnable({ path: found, from: folder !== undefined && found.toLowerCase().startsWith(folder) ? 'share' : 'path' })
  }
  const onShare = share === undefined || from === 'path' ? undefined : inFolder(share)
  const folders = path.split(';').map(folder => folder.replace(/^"(.*)"$/, '$1'))
  // a relative folder in PATH is the current one by another name
  const inPath =
    from === 'share'
      ? undefined
      : folders
          .filter(isAbsolute)
          .map(inFolder)
          .find(found => found !== undefined)
  if (onShare !== undefined && inPath !== undefined && onShare.toLowerCase() !== inPath.toLowerCase())
    throw new NbtrunError('PROGRAM_AMBIGUOUS', `${word} is on the share (${onShare}) and in PATH (${inPath})`, {
      hint: 'say --program-from share or --program-from path',
    })
  const found = onShare ?? inPath
  if (found === undefined) {
    const where = from === 'share' ? 'on the share' : from === 'path' ? 'in PATH' : 'on the share or in PATH'
    throw new NbtrunError('PROGRAM_NOT_FOUND', `there is no program ${word} ${where}`, { hint: 'a path needs a slash or backslash' })
  }
  return runnable({ path: found, from: onShare === undefined ? 'path' : 'share' })
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/** By its first bytes, as CreateProcess would judge it; a batch file by its name. What opens by its ending alone is a document, and no program. */
function runnable(found: Found): Found {
  const { path } = found
  if (/^\.(?:bat|cmd)$/i.test(extname(path))) return found
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (cause) {
    throw new NbtrunError('PROGRAM_NOT_RUNNABLE', `${path} cannot be read (${errnoOf(cause) ?? 'unknown reason'})`, { cause })
  }
  try {
    const head = Buffer.alloc(2)
    readSync(fd, head, 0, 2, 0)
    if (head.toString('latin1') === 'MZ') return found
  } finally {
    closeSync(fd)
  }
  throw new NbtrunError('PROGRAM_NOT_RUNNABLE', `${path} is no program of Windows`, {
    hint: `name the program that opens it: nbtrun ... -- program ${join('...', word(path))}`,
  })
}

function word(path: string): string {
  return path.replace(/^.*[\\/]/, '')
}
