import { delimiter, resolve } from 'node:path'
import { NbtrunError } from '../base/errors.ts'
import { lookAt, type Head, type Place, type Thing } from './places.ts'

export interface FindOptions {
  readonly places: readonly Place[]
  /** The folder where the program starts. */
  readonly cwd: string
  /** PATH of the program. */
  readonly path: string | undefined
  /** Decides where a bare name is found in both. */
  readonly from?: 'share' | 'path' | undefined
}

export interface Found {
  /** Absolute. */
  readonly path: string
  /** The word to execute: what was asked for, or the path where the name alone would not lead there. */
  readonly word: string
  readonly from: 'share' | 'path'
  readonly head: Head
}

type Candidate = { readonly path: string; readonly word: string; readonly thing: Exclude<Thing, undefined> }

/**
 * Finds the program. A word with a slash or backslash is a path; a bare name is looked for in the first share's folder and in PATH.
 * Throws PROGRAM_NOT_FOUND, PROGRAM_NOT_RUNNABLE, or PROGRAM_AMBIGUOUS for a name that is in both.
 */
export async function findProgram(word: string, options: FindOptions): Promise<Found> {
  if (word === '') throw new NbtrunError('PROGRAM_NOT_FOUND', 'the name of the program is empty')
  if (/[/\\]/.test(word)) return runnable(word, await atPath(word, options))
  const { places, from } = options
  const onShare = from === 'path' ? undefined : await inFolder(word, places[0], places)
  const inPath = from === 'share' ? undefined : await alongPath(word, options)
  if (onShare !== undefined && inPath !== undefined && onShare.path !== inPath.path && isFile(onShare) && isFile(inPath)) {
    throw new NbtrunError('PROGRAM_AMBIGUOUS', `${word} is on the share (${onShare.path}) and in PATH (${inPath.path})`, {
      hint: 'say --program-from share or --program-from path',
    })
  }
  const found = [onShare, inPath].find(candidate => candidate !== undefined && isFile(candidate)) ?? onShare ?? inPath
  return runnable(word, found, from === 'share' ? 'on the share' : from === 'path' ? 'in PATH' : 'on the share or in PATH')
}

/** May be meant as the program: a folder of the same name is none, while a file that the server keeps from us may be. */
function isFile({ thing }: Candidate): boolean {
  return thing.kind === 'file' || (thing.kind === 'unreadable' && thing.from === 'share')
}

async function atPath(word: string, { cwd, places }: FindOptions): Promise<Candidate | undefined> {
  for (const spelled of new Set([word, word.replaceAll('\\', '/')])) {
    const path = resolve(cwd, spelled)
    const thing = await lookAt(path, places)
    if (thing !== undefined) return { path, word: spelled.includes('/') ? spelled : path, thing }
  }
  return undefined
}

async function inFolder(word: string, place: Place | undefined, places: readonly Place[]): Promise<Candidate | undefined> {
  if (place === undefined) return undefined
  const path = resolve(place.path, word)
  const thing = await lookAt(path, places)
  return thing === undefined ? undefined : { path, word: path, thing }
}

/** The first file along PATH that may be executed, as execvp(3) would; else the first that is there at all. */
async function alongPath(word: string, { path = '/bin:/usr/bin', cwd, places }: FindOptions): Promise<Candidate | undefined> {
  let second: Candidate | undefined
  for (const folder of path.split(delimiter)) {
    const at = resolve(cwd, folder, word)
    const thing = await lookAt(at, places)
    if (thing === undefined) continue
    const candidate = { path: at, word, thing }
    if (isFile(candidate)) return candidate
    second ??= candidate
  }
  return second
}

/** `X:\\app.exe` is how a batch file says it. */
function noDrive(word: string): { hint?: string } {
  const [, path] = /^[A-Za-z]:[/\\]*(.*)$/s.exec(word) ?? []
  return path === undefined ? {} : { hint: `there are no drives here: the share is at {mount}, write {mount}/${path.replaceAll('\\', '/')}` }
}

function runnable(word: string, candidate: Candidate | undefined, where?: string): Found {
  if (candidate === undefined) {
    throw where === undefined
      ? new NbtrunError('PROGRAM_NOT_FOUND', `there is no program ${word}`, noDrive(word))
      : new NbtrunError('PROGRAM_NOT_FOUND', `there is no program ${word} ${where}`, { hint: 'a path needs a slash' })
  }
  const { path, thing } = candidate
  if (thing.kind === 'file') return { path, word: candidate.word, from: thing.from, head: thing.head }
  const why = {
    folder: 'is a folder',
    'no file': 'is no file',
    'not executable': 'is not executable',
    unreadable: 'cannot be read',
  }[thing.kind]
  const cause = thing.cause instanceof NbtrunError ? ` (${thing.cause.message})` : ''
  throw new NbtrunError('PROGRAM_NOT_RUNNABLE', `${path} ${why}${cause}`, {
    cause: thing.cause,
    ...(thing.kind === 'not executable' ? { hint: `chmod +x ${path}` } : {}),
  })
}
