import { closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync, readdirSync, readSync, renameSync, unlinkSync, writeSync } from 'node:fs'
import { userInfo } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { errnoOf } from '../../base/errors.ts'
import { isWindows } from '../../base/platform.ts'
import { BadEntry, type Entry, type Line, MAX_ENTRY, parseEntry } from './entry.ts'
import { judge, type Verdict } from './origin.ts'

/** A file of the journal. Without `entry` it is none, or was not read: the verdict says why. */
export interface Filed {
  /** Its file's name: the run's id, and behind a `~` the run that gives it back just now. */
  readonly name: string
  readonly entry: Entry | undefined
  readonly verdict: Verdict
}

/** An entry that is ours alone to give back. */
export interface Claimed {
  readonly name: string
  readonly entry: Entry
}

/** More are not looked at. */
const MAX_FILES = 4096
/** What was written before the first line was, ms: nobody takes so long for it. */
const EMPTY_MS = 60_000

type Env = Readonly<Record<string, string | undefined>>

/** Where the journal of this user is: below $XDG_STATE_HOME, else below $HOME, unless that is somebody else's (sudo may keep it). On Windows %LOCALAPPDATA%. */
function folderOf(env: Env): string {
  const { XDG_STATE_HOME: state, HOME: home, LOCALAPPDATA: local } = env
  if (state !== undefined && isAbsolute(state)) return join(state, 'nbtrun', 'journal')
  if (isWindows) return join(local !== undefined && isAbsolute(local) ? local : join(userInfo().homedir, 'AppData', 'Local'), 'nbtrun', 'journal')
  const own = home !== undefined && isAbsolute(home) && lstatSync(home, { throwIfNoEntry: false })?.uid === process.geteuid?.()
  return join(own ? home : userInfo().homedir, '.local', 'state', 'nbtrun', 'journal')
}

/** The journal's folder: each run has a file in it while it holds something. It and the folder above are this user's alone. */
export class Place {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  /** Finds the folder, or makes it. Throws what it lacks. */
  static make(env: Env): Place {
    const path = folderOf(env)
    mkdirSync(path, { recursive: true, mode: 0o700 })
    requirePrivate(path)
    return new Place(path)
  }

  /** Undefined where there is none, or it is not ours. */
  static find(env: Env): Place | undefined {
    try {
      const path = folderOf(env)
      requirePrivate(path)
      return new Place(path)
    } catch {
      return undefined
    }
  }

  file(name: string): string {
    return join(this.path, name)
  }

  /** Every file in it, read and judged. */
  list(): readonly Filed[] {
    let names: readonly string[] = []
    try {
      names = readdirSync(this.path)
    } catch {} // it cannot be read: nothing is known, and nothing touched
    return names.slice(0, MAX_FILES).flatMap(name => this.#read(name, names) ?? [])
  }

  #read(name: string, names: readonly string[]): Filed | undefined {
    const [run = '', claimant, more] = name.split('~')
    const unknown = (why: string): Filed => ({ name, entry: undefined, verdict: { state: 'unknown', why } })
    if (!isRunId(run) || more !== undefined || (claimant !== undefined && !isRunId(claimant))) return unknown('it is no entry of the journal')
    try {
      const text = readOwn(this.file(name))
      if (text === undefined) return undefined
      const entry = parseEntry(text)
      if (entry.run !== run) return unknown('it names another run than its file')
      const verdict = judge(entry.origin)
      if (claimant === undefined || verdict.state !== 'dead') return { name, entry, verdict }
      // whoever claims has an entry while it does so
      const other = names.includes(claimant) ? this.#read(claimant, names) : undefined
      return other === undefined || other.verdict.state === 'dead'
        ? { name, entry, verdict }
        : { name, entry, verdict: { state: 'unknown', why: `run ${claimant} gives it back` } }
    } catch (thrown) {
      if (errnoOf(thrown) === 'ENOENT') return undefined // given back meanwhile
      return unknown(thrown instanceof BadEntry ? thrown.message : `it cannot be read (${errnoOf(thrown) ?? 'unknown reason'})`)
    }
  }

  /** Takes a dead run's entry over: of several who try one gets it. Returns it as it is now; undefined where it is somebody else's. */
  claim({ name }: Filed, by: string): Claimed | undefined {
    const claimed = `${name.split('~', 1)[0]}~${by}`
    if (!this.#rename(name, claimed)) return undefined
    try {
      const text = readOwn(this.file(claimed))
      if (text !== undefined) return { name: claimed, entry: parseEntry(text) }
    } catch {
      this.#rename(claimed, name)
    }
    return undefined
  }

  /** Ends a claim: the entry goes when nothing is left of it, else it is there for others again, with what was given back noted. */
  settle({ name }: Claimed, gone: readonly Line[], nothingLeft: boolean): void {
    if (nothingLeft) return this.remove(name)
    try {
      if (gone.length > 0) append(this.file(name), gone.map(line => `\n${JSON.stringify(line)}\n`).join(''))
    } catch {} // a full disk: others will find that it is gone
    this.#rename(name, name.split('~', 1)[0] ?? name)
  }

  remove(name: string): void {
    try {
      unlinkSync(this.file(name))
    } catch {} // it is gone, or the disk takes no changes any more: then it is found to be a dead run's
  }

  /** False where somebody else was first, and where nobody may. */
  #rename(from: string, to: string): boolean {
    try {
      renameSync(this.file(from), this.file(to))
      return true
    } catch {
      return false
    }
  }
}

export function isRunId(text: string): boolean {
  return /^[0-9a-f]{8}$/.test(text)
}

/** Both folders are no links, this user's, and nobody else's to read or write. On Windows what lies in %LOCALAPPDATA% is, by the rights that it hands down. */
function requirePrivate(path: string): void {
  for (const folder of [join(path, '..'), path]) {
    const stat = lstatSync(folder)
    if (isWindows && stat.isDirectory()) continue
    if (!stat.isDirectory() || stat.uid !== process.geteuid?.()) throw new Error(`${folder} is not a folder of this user`)
    if ((stat.mode & 0o077) !== 0) throw new Error(`${folder} is open to others (chmod 700)`)
  }
}

/** The text of a file of ours. Undefined for an empty one that nobody is about to fill, which is removed. Throws BadEntry for what it must not be. */
function readOwn(path: string): string | undefined {
  // Windows has neither of the two
  const fd = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0))
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile()) throw new BadEntry('it is no file')
    if (!isWindows && stat.uid !== process.geteuid?.()) throw new BadEntry(`it belongs to another user (uid ${stat.uid})`)
    if (!isWindows && (stat.mode & 0o022) !== 0) throw new BadEntry('others may write to it')
    if (stat.size > MAX_ENTRY) throw new BadEntry('it is too long')
    if (stat.size === 0 && Date.now() - stat.mtimeMs > EMPTY_MS) {
      unlinkSync(path) // a run that died before it took anything
      return undefined
    }
    const bytes = Buffer.alloc(stat.size)
    return bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, 0))
  } finally {
    closeSync(fd)
  }
}

/** To a file that is there. */
function append(path: string, text: string): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_APPEND)
  try {
    writeSync(fd, text)
  } finally {
    closeSync(fd)
  }
}
