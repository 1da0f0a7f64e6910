import { randomBytes } from 'node:crypto'
import { asError } from '../../base/errors.ts'
import type { Scope } from '../../base/scope.ts'
import { now, spell } from '../../base/time.ts'
import type { DirEntry, Files, OpenFile } from '../../smb/files.ts'
import { withOpen } from '../../smb/with-open.ts'
import { failed, finding, note, ok, type Seen } from './check.ts'

/** So long is written, and so long read, ms. */
const LONG_ENOUGH_MS = 1000
/** Pieces grow while they are fast: a slow link is not kept busy by one for longer than an answer may take. */
const PIECES = { first: 16 * 1024, most: 4 * 1024 * 1024 } as const
const MOST_BYTES = 32 * 1024 * 1024
/** A share that is nearly full keeps its room. */
const SHARE_OF_ROOM = 0.1
/** Of the share's root, where nothing can be written, to find something to read. */
const MOST_ENTRIES = 1000
const REMOVE_MS = 3000

/** Writes a file of our own, reads it and removes it; where nothing may be written, reads what is there. */
export async function speeds(files: Files, scope: Scope, signal: AbortSignal): Promise<readonly Seen[]> {
  const name = `nbtrun-doctor-${randomBytes(4).toString('hex')}.tmp`
  const mark = scope.mark()
  let file: OpenFile
  try {
    file = await scope.acquire('share', `file ${name}`, {
      open: () => files.open(name, { read: true, write: true, directory: false, disposition: 'create' }),
      undo: async open => {
        await open.close()
        await files.remove(name, false)
      },
      undoMs: REMOVE_MS,
    })
  } catch (thrown) {
    signal.throwIfAborted()
    const { errno } = asError(thrown).facts
    if (errno !== 'EACCES' && errno !== 'EROFS' && errno !== 'EPERM') throw thrown
    return [{ check: 'write', ...note('this user may not write here', 'NOT_WRITABLE') }, await readWhatIsThere(files, signal)]
  }
  const seen: Seen[] = []
  try {
    const { availableBytes } = await files.volume()
    const written = await write(file, Math.min(MOST_BYTES, Math.floor(availableBytes * SHARE_OF_ROOM)), signal)
    seen.push({ check: 'write', ...told(written) })
    seen.push({ check: 'read', ...told(await read(file, written.bytes, signal)) })
    seen.push({ check: 'case', ...(await cases(files, name)) })
  } finally {
    const [left] = await scope.retreat(mark)
    if (left !== undefined)
      seen.push({ check: 'removal', ...finding('TEARDOWN_FAILED', `${name} is left on the share: ${left.error ?? 'no reason given'}`, 'remove it') })
  }
  return seen
}

async function write(file: OpenFile, most: number, signal: AbortSignal): Promise<Moved> {
  const noise = randomBytes(PIECES.most)
  const { bytes, ms } = await pump(most, signal, async (at, length) => {
    await file.write(at, noise.subarray(0, length))
    return length
  })
  const began = now()
  await file.flush()
  return { bytes, ms: ms + now() - began }
}

function read(file: OpenFile, most: number, signal: AbortSignal): Promise<Moved> {
  return pump(most, signal, async (at, length) => (await file.read(at, length)).length)
}

interface Moved {
  readonly bytes: number
  readonly ms: number
}

/** Moves bytes until there are no more, or it has taken long enough to tell the speed. */
async function pump(most: number, signal: AbortSignal, move: (at: number, length: number) => Promise<number>): Promise<Moved> {
  const began = now()
  let at = 0
  for (let piece: number = PIECES.first; at < most && now() - began < LONG_ENOUGH_MS; piece = Math.min(piece * 2, PIECES.most)) {
    signal.throwIfAborted()
    const moved = await move(at, Math.min(piece, most - at))
    if (moved === 0) break
    at += moved
  }
  return { bytes: at, ms: now() - began }
}

function told({ bytes, ms }: Moved): Seen {
  const bytesPerSecond = ms === 0 ? 0 : Math.round((bytes / ms) * 1000)
  return { ms, ...ok(`${size(bytesPerSecond)}/s (${size(bytes)} in ${spell(ms)})`, { bytes, bytesPerSecond }) }
}

/** The longest file of the share's root. */
async function readWhatIsThere(files: Files, signal: AbortSignal): Promise<Seen> {
  const about = { check: 'read' }
  try {
    const folder = await files.open('', { read: true, directory: true })
    const longest = await withOpen(folder, longestOf)
    if (longest === undefined || longest.size === 0) return { ...about, state: 'skipped', text: 'there is no file to read' }
    const file = await files.open(longest.name, { read: true, directory: false })
    return { ...about, ...told(await withOpen(file, open => read(open, Math.min(longest.size, MOST_BYTES), signal))) }
  } catch (thrown) {
    signal.throwIfAborted()
    return { ...about, ...failed(thrown) }
  }
}

async function longestOf(folder: OpenFile): Promise<DirEntry | undefined> {
  let longest: DirEntry | undefined
  let seen = 0
  for (let batch = await folder.entries(true); batch.length > 0 && seen < MOST_ENTRIES; batch = await folder.entries(false)) {
    seen += batch.length
    for (const entry of batch) if (!entry.directory && entry.size > (longest?.size ?? 0)) longest = entry
  }
  return longest
}

/** Whether the server knows a file by its name in other letters, too. */
async function cases(files: Files, name: string): Promise<Seen> {
  const began = now()
  const same = await files.stat(name.toUpperCase()).then(
    () => true,
    () => false,
  )
  return { ms: now() - began, ...ok(same ? 'A.TXT and a.txt are one file' : 'A.TXT and a.txt are two files', { sensitive: !same }) }
}

/** `12.3 MB`, in powers of ten as speeds are told. */
export function size(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB']
  const at = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3))
  const value = bytes / 1000 ** at
  return `${at === 0 || value >= 100 ? Math.round(value) : Math.round(value * 10) / 10} ${units[at]}`
}
