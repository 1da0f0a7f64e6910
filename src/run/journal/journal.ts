import { closeSync, fdatasync, fdatasyncSync, fsync, ftruncateSync, openSync, renameSync, writeSync } from 'node:fs'
import { basename } from 'node:path'
import { promisify } from 'node:util'
import type { DriveChange } from '../../app/wine/drive.ts'
import { asError, errnoOf } from '../../base/errors.ts'
import { isWindows } from '../../base/platform.ts'
import { within } from '../../base/time.ts'
import { driveKey, type Head, type Line, type NameLine, nameId, type SessionLine, smb1Id, type Smb1Line } from './entry.ts'
import type { NetbiosName } from '../../nbt/names.ts'
import { type Asked, fallenOf } from './fallen.ts'
import { here } from './origin.ts'
import { type Filed, Place } from './place.ts'

export interface JournalOptions {
  readonly run: string
  /** `//srv/app` */
  readonly shares: readonly string[]
  /** As it was named. */
  readonly program: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Told, once, why nothing is on disk, and what that means. */
  readonly warn: (message: string, hint: string) => void
}

/** An entry that is longer than this is written anew. */
const COMPACT_SIZE = 64 * 1024
const NEWLINE = Buffer.from('\n')

/** A disk that takes longer is not waited for, ms. */
const DISK_MS = 5000

/** A server that lost a connection for itself says so at its second call, which is made after 1 s, ms. */
const FALLEN_MS = 1500

const sync = promisify(fsync)
const syncData = promisify(fdatasync)

/**
 * What this run holds, on disk before it is taken: a file of its own, to which a line is added for each thing and one for each thing given back, and which is
 * removed with the last. A session, or a name, is on the disk itself before it counts, for a server knows nothing of a power cut; the rest falls with this machine's kernel,
 * so that it need only outlive this process. A run whose journal cannot be written goes on: all ends but a power cut are covered without it.
 */
export class Journal {
  readonly run: string
  /** Undefined where there is none. */
  readonly place: Place | undefined
  readonly #warn: JournalOptions['warn']
  #fd: number | undefined
  /** The file's name is on disk. */
  #named: Promise<void> = Promise.resolve()
  #torn = false
  #failed = false
  /** What was not given back: `session 1f`, and the line that says so. */
  readonly #held = new Map<string, Line>()
  #head: Buffer = Buffer.alloc(0)
  #size = 0

  /** Takes no more than a file; the disk is waited for when a session is noted. */
  constructor({ run, shares, program, env, warn }: JournalOptions) {
    this.run = run
    this.#warn = warn
    const head: Head = { journal: 1, run, origin: here(), began: Date.now(), shares, program: basename(program) }
    try {
      this.place = Place.make(env)
      this.#fd = openSync(this.place.file(run), 'ax', 0o600)
      this.#put(head)
      this.#head = bytesOf(head)
      this.#named = syncFolder(this.place.path)
      this.#named.catch(() => {}) // told by whoever waits for it
    } catch (thrown) {
      this.end() // without its first line it is no entry
      this.#fail(thrown)
    }
  }

  /** The other entries; none where there is no journal. */
  others(): readonly Filed[] {
    return this.place?.list().filter(({ name }) => name !== this.run) ?? []
  }

  /** Resolves when it is on the disk. */
  async session(line: Omit<SessionLine, 'what' | 'at'>): Promise<void> {
    this.#take({ what: 'session', ...line, at: Date.now() }, `session ${line.id}`)
    await this.#onDisk()
  }

  /** Resolves when it is on the disk. */
  async name(line: Omit<NameLine, 'what' | 'at'>): Promise<void> {
    this.nameAt(line)
    await this.#onDisk()
  }

  /** The same name, of which more is known. */
  nameAt(line: Omit<NameLine, 'what' | 'at'>): void {
    this.#take({ what: 'name', ...line, at: Date.now() }, `name ${nameId(line)}`)
  }

  nameGone({ text, suffix, scope }: NetbiosName): void {
    const name = { text, suffix, scope }
    this.#give({ what: 'no-name', ...name }, `name ${nameId(name)}`)
  }

  async #onDisk(): Promise<void> {
    if (this.#fd === undefined) return
    try {
      const fd = this.#fd
      await within(DISK_MS, () => Promise.all([syncData(fd), this.#named]), 'writing it to the disk')
    } catch (thrown) {
      this.#fail(thrown)
    }
  }

  sessionGone(id: string): void {
    this.#give({ what: 'no-session', id }, `session ${id}`)
  }

  /** A session of SMB1. Resolves when it is on the disk. */
  async smb1(line: Omit<Smb1Line, 'what' | 'at'>): Promise<void> {
    this.#take({ what: 'smb1', ...line, at: Date.now() }, `session ${smb1Id(line)}`)
    await this.#onDisk()
  }

  smb1Gone(server: string, uid: number): void {
    this.#give({ what: 'no-smb1', server, uid }, `session ${smb1Id({ server, uid })}`)
  }

  folder(path: string): void {
    this.#take({ what: 'folder', path }, `folder ${path}`)
  }

  foldersGone(): void {
    this.#giveAll('folder')
  }

  mount(path: string): void {
    this.#take({ what: 'mount', path }, `mount ${path}`)
  }

  mountsGone(): void {
    this.#giveAll('mount')
  }

  /** `since`: when a run of nbtrun made it, ms since 1970; undefined where it was there before. */
  connection(device: string, remote: string, since: number | undefined): void {
    const made = since === undefined ? { made: false } : { made: true, since }
    this.#take({ what: 'connection', device, remote, ...made }, `connection ${device} ${remote}`)
  }

  connectionGone(device: string, remote: string): void {
    this.#give({ what: 'no-connection', device, remote }, `connection ${device} ${remote}`)
  }

  drive(change: DriveChange): void {
    this.#take({ what: 'drive', ...change }, driveKey(change))
  }

  driveGone({ prefix, letter }: DriveChange): void {
    this.#give({ what: 'no-drive', prefix, letter }, driveKey({ prefix, letter }))
  }

  /** Asks the servers about connections that were lost: a session whose connection has fallen on their side, too, is not kept. Never rejects. */
  async dropFallen(): Promise<void> {
    const asked: Asked[] = []
    for (const line of this.#held.values()) if (line.what === 'session' && line.ends !== undefined) asked.push({ key: line.id, ends: line.ends })
    const fallen = await fallenOf(asked, FALLEN_MS).catch((): ReadonlySet<string> => new Set()) // who has no descriptor left to ask with keeps it
    for (const id of fallen) this.sessionGone(id)
  }

  /** Takes the entry off the disk, unless something in it was not given back: that is for the next run. `noSessions`: the servers said that they have none. */
  end(noSessions = false): void {
    if (this.#fd === undefined) return
    closeSync(this.#fd)
    this.#fd = undefined
    // one of SMB1 whose connection was lost is nobody's to end
    for (const [key, { what }] of this.#held) if (what === 'smb1' || (noSessions && what === 'session')) this.#held.delete(key)
    if (this.#held.size === 0) this.place?.remove(this.run)
  }

  #take(line: Line, what: string): void {
    this.#held.set(what, line)
    this.#write(line)
  }

  #give(line: Line, what: string): void {
    if (!this.#held.delete(what)) return
    this.#write(line)
    if (this.#size > COMPACT_SIZE || this.#held.size === 0) this.#shorten()
  }

  /** A run that waits for a seat logs in again and again. */
  #shorten(): void {
    if (this.#fd === undefined) return
    try {
      if (this.#held.size === 0) {
        ftruncateSync(this.#fd, this.#head.length)
        this.#size = this.#head.length
        this.#torn = false
      } else this.#rewrite([...this.#held.values()])
    } catch (thrown) {
      this.#fail(thrown)
    }
  }

  /** Puts a file in place of it that says the same in fewer lines: it is there whole, or not at all. */
  #rewrite(lines: readonly Line[]): void {
    const [file, draft] = [this.place!.file(this.run), this.place!.file(`${this.run}~${this.run}`)]
    const bytes = Buffer.concat([this.#head, ...lines.map(bytesOf)])
    const fd = openSync(draft, 'ax', 0o600)
    try {
      if (writeSync(fd, bytes) !== bytes.length) throw new Error('the disk is full')
      fdatasyncSync(fd)
      renameSync(draft, file)
    } catch (thrown) {
      closeSync(fd)
      this.place!.remove(`${this.run}~${this.run}`)
      throw thrown
    }
    closeSync(this.#fd!)
    this.#fd = fd
    this.#size = bytes.length
    this.#torn = false
  }

  #giveAll(kind: 'folder' | 'mount'): void {
    for (const what of this.#held.keys()) if (what.startsWith(`${kind} `)) this.#give({ what: `no-${kind}`, path: what.slice(kind.length + 1) }, what)
  }

  #write(line: Line): void {
    if (this.#fd === undefined) return
    try {
      this.#put(line)
    } catch (thrown) {
      this.#fail(thrown)
    }
  }

  /** Behind one that was cut off a line begins anew. */
  #put(line: Head | Line): void {
    const bytes = this.#torn ? Buffer.concat([NEWLINE, bytesOf(line)]) : bytesOf(line)
    this.#torn = true
    const written = writeSync(this.#fd!, bytes)
    this.#size += written
    if (written !== bytes.length) throw new Error('the disk is full')
    this.#torn = false
  }

  /** What is in it stays, and what comes is tried. */
  #fail(thrown: unknown): void {
    if (this.#failed) return
    this.#failed = true
    this.#warn(
      `the journal cannot be written (${errnoOf(thrown) ?? asError(thrown).message}): should this machine lose its power, the server keeps the seat until it notices`,
      'let XDG_STATE_HOME name a folder of yours on a disk that can be written to',
    )
  }
}

function bytesOf(line: Head | Line): Buffer {
  return Buffer.from(`${JSON.stringify(line)}\n`)
}

/** A name is on disk when its folder is; Windows opens no folder, and writes names at once. */
async function syncFolder(path: string): Promise<void> {
  if (isWindows) return
  const fd = openSync(path, 'r')
  try {
    await sync(fd)
  } finally {
    closeSync(fd)
  }
}
