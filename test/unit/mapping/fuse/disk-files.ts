import { constants, existsSync, statSync, type BigIntStats } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, readdir, rename, rm, rmdir, stat, statfs, utimes } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { errnoOf, NbtrunError } from '../../../../src/base/errors.ts'
import type { Closed } from '../../../../src/base/resource.ts'
import type { DirEntry, FileInfo, Files, FileTimes, LockRange, OpenFile, OpenOptions, VolumeInfo } from '../../../../src/smb/files.ts'

/**
 * A folder of this machine as if it were a share: mandatory byte-range locks that belong to an open, removal that waits for the last close, a
 * READONLY attribute (kept here, by inode) that forbids writing and removing, replacing only of closed files.
 */
const READONLY = 0x1
const DIRECTORY = 0x10
const ARCHIVE = 0x20

const STATUS = {
  EACCES: 0xc0000022,
  LOCK_NOT_GRANTED: 0xc0000055,
  FILE_LOCK_CONFLICT: 0xc0000054,
  RANGE_NOT_LOCKED: 0xc000007e,
  CANCELLED: 0xc0000120,
  SHARING: 0xc0000043,
} as const

function refused(errno: string, doing: string, status = 0xc0000001): NbtrunError {
  return new NbtrunError('FILE_ERROR', `${doing}: ${errno}`, { facts: { errno, status } })
}

/** What node:fs throws, as the share's error. */
async function tell<T>(doing: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (error instanceof NbtrunError) throw error
    throw refused(errnoOf(error) ?? 'EIO', doing)
  }
}

const filetime = (ns: bigint): bigint => ns / 100n + 116_444_736_000_000_000n
const seconds = (time: bigint): number => Number(time - 116_444_736_000_000_000n) / 1e7

interface DiskLock extends LockRange {
  readonly open: DiskOpen
  readonly exclusive: boolean
}

const meets = (a: LockRange, b: LockRange): boolean => a.offset < b.offset + b.length && b.offset < a.offset + a.length

/** One file as a server keeps it, whoever has it open. */
class Inode {
  readonly opens = new Set<DiskOpen>()
  attributes: number = ARCHIVE
  locks: DiskLock[] = []
  waiters = new Set<() => void>()
  /** Where it lies, once it is to be removed with the last close. */
  doomed: string | undefined
}

export class DiskFiles implements Files {
  readonly label = '//disk/share'
  readonly root: string
  readonly #inodes = new Map<bigint, Inode>()
  /** Every call, for tests that count. */
  readonly calls: string[] = []

  constructor(root: string) {
    this.root = root
  }

  at(path: string): string {
    return join(this.root, ...path.split('\\'))
  }

  inode(ino: bigint): Inode {
    let inode = this.#inodes.get(ino)
    if (inode === undefined) this.#inodes.set(ino, (inode = new Inode()))
    return inode
  }

  info(s: BigIntStats): FileInfo {
    const directory = s.isDirectory()
    return {
      id: s.ino,
      size: directory ? 0 : Number(s.size),
      allocation: Number(s.blocks) * 512,
      attributes: directory ? DIRECTORY : this.inode(s.ino).attributes,
      directory,
      created: filetime(s.birthtimeNs),
      accessed: filetime(s.atimeNs),
      written: filetime(s.mtimeNs),
      changed: filetime(s.ctimeNs),
    }
  }

  async open(path: string, options: OpenOptions): Promise<OpenFile> {
    this.calls.push(`open ${path}`)
    return tell(`opening ${path}`, this.#open(path, options))
  }

  async #open(path: string, { read = false, write = false, directory, disposition = 'open' }: OpenOptions): Promise<OpenFile> {
    const file = this.at(path)
    const exists = existsSync(file)
    if (exists) {
      const s = statSync(file, { bigint: true })
      const inode = this.inode(s.ino)
      if (inode.doomed !== undefined) throw refused('ENOENT', `opening the removed ${path}`, 0xc0000056)
      if (s.isDirectory()) {
        if (directory === false) throw refused('EISDIR', `opening ${path}`)
        return new DiskOpen(this, inode, file, undefined, this.info(s), read, write)
      }
      if (directory === true) throw refused('ENOTDIR', `opening ${path}`)
      if ((write || disposition.startsWith('overwrite')) && (inode.attributes & READONLY) !== 0) throw refused('EACCES', `opening ${path}`, STATUS.EACCES)
    }
    const O = constants
    const how = { open: 0, create: O.O_CREAT | O.O_EXCL, 'open-or-create': O.O_CREAT, overwrite: O.O_TRUNC, 'overwrite-or-create': O.O_CREAT | O.O_TRUNC }[
      disposition
    ]
    const handle = await open(file, (exists && !write && how === 0 ? O.O_RDONLY : O.O_RDWR) | how, 0o666)
    const s = await handle.stat({ bigint: true })
    if (!exists) this.#inodes.delete(s.ino) // the number of an older file
    return new DiskOpen(this, this.inode(s.ino), file, handle, this.info(s), read, write)
  }

  async stat(path: string): Promise<FileInfo> {
    this.calls.push(`stat ${path}`)
    const s = await tell(`asking about ${path}`, stat(this.at(path), { bigint: true }))
    if (this.inode(s.ino).doomed !== undefined) throw refused('ENOENT', `asking about ${path}`, 0xc0000056)
    return this.info(s)
  }

  async makeDirectory(path: string): Promise<FileInfo> {
    await tell(`making ${path}`, mkdir(this.at(path)))
    return this.stat(path)
  }

  async remove(path: string, directory: boolean): Promise<void> {
    const file = this.at(path)
    const s = await tell(`removing ${path}`, lstat(file, { bigint: true }))
    if (directory) return tell(`removing ${path}`, rmdir(file))
    if (s.isDirectory()) throw refused('EISDIR', `removing ${path}`)
    const inode = this.inode(s.ino)
    if ((inode.attributes & READONLY) !== 0) throw refused('EACCES', `removing ${path}`, 0xc0000121)
    if (inode.opens.size > 0) inode.doomed = file
    else await tell(`removing ${path}`, rm(file))
  }

  async rename(from: string, to: string, replace: boolean): Promise<void> {
    this.calls.push(`rename ${from}`)
    const [source, target] = [this.at(from), this.at(to)]
    if (existsSync(target) && source !== target) {
      const there = statSync(target, { bigint: true })
      const inode = this.inode(there.ino)
      if (!replace) throw refused('EEXIST', `renaming to ${to}`)
      if (there.isDirectory() || inode.opens.size > 0 || (inode.attributes & READONLY) !== 0) throw refused('EACCES', `replacing ${to}`, STATUS.EACCES)
    }
    await tell(`renaming ${from}`, rename(source, target))
  }

  async volume(): Promise<VolumeInfo> {
    const s = await statfs(this.root)
    return { totalBytes: s.blocks * s.bsize, freeBytes: s.bfree * s.bsize, availableBytes: s.bavail * s.bsize, unitBytes: s.bsize }
  }
}

export class DiskOpen implements OpenFile {
  readonly info: FileInfo
  readonly #files: DiskFiles
  readonly inode: Inode
  readonly #path: string
  readonly #handle: FileHandle | undefined
  readonly #may: { readonly read: boolean; readonly write: boolean }
  #batches: DirEntry[][] | undefined
  #closed = false

  constructor(files: DiskFiles, inode: Inode, path: string, handle: FileHandle | undefined, info: FileInfo, read: boolean, write: boolean) {
    this.#files = files
    this.inode = inode
    this.#path = path
    this.#handle = handle
    this.info = info
    this.#may = { read, write }
    inode.opens.add(this)
  }

  get #file(): FileHandle {
    if (this.#handle === undefined || this.#closed) throw refused('EBADF', `using ${basename(this.#path)}`)
    return this.#handle
  }

  async stat(): Promise<FileInfo> {
    return this.#files.info(await (this.#handle === undefined ? stat(this.#path, { bigint: true }) : this.#file.stat({ bigint: true })))
  }

  async read(offset: number, length: number): Promise<Buffer> {
    if (!this.#may.read) throw refused('EACCES', 'reading', STATUS.EACCES)
    this.#checkLocks({ offset: BigInt(offset), length: BigInt(length) }, false)
    const buffer = Buffer.allocUnsafe(length)
    const { bytesRead } = await tell('reading', this.#file.read(buffer, 0, length, offset))
    return buffer.subarray(0, bytesRead)
  }

  async write(offset: number, data: Buffer): Promise<void> {
    if (!this.#may.write) throw refused('EACCES', 'writing', STATUS.EACCES)
    this.#checkLocks({ offset: BigInt(offset), length: BigInt(data.length) }, true)
    const { bytesWritten } = await tell('writing', this.#file.write(data, 0, data.length, offset))
    if (bytesWritten !== data.length) throw refused('ENOSPC', 'writing')
  }

  async flush(): Promise<void> {
    if (!this.#may.write) throw refused('EACCES', 'flushing', STATUS.EACCES)
    await tell('flushing', this.#file.datasync())
  }

  async truncate(size: number): Promise<void> {
    if (!this.#may.write) throw refused('EACCES', 'truncating', STATUS.EACCES)
    await tell('truncating', this.#file.truncate(size))
  }

  async setTimes(times: FileTimes): Promise<void> {
    const now = await this.stat()
    await tell('setting times', utimes(this.#path, seconds(times.accessed ?? now.accessed), seconds(times.written ?? now.written)))
  }

  setAttributes(attributes: number): Promise<void> {
    this.inode.attributes = attributes
    return Promise.resolve()
  }

  async lock(range: LockRange, exclusive: boolean, wait?: { readonly signal: AbortSignal }): Promise<void> {
    for (;;) {
      if (wait?.signal.aborted === true) throw refused('EINTR', 'locking', STATUS.CANCELLED)
      const inTheWay = this.inode.locks.some(l => meets(l, range) && (exclusive || (l.exclusive && l.open !== this)))
      if (!inTheWay) break
      if (wait === undefined) throw refused('EAGAIN', 'locking', STATUS.LOCK_NOT_GRANTED)
      await new Promise<void>(resolve => {
        this.inode.waiters.add(resolve)
        wait.signal.addEventListener('abort', () => resolve(), { once: true })
      })
    }
    this.inode.locks.push({ ...range, open: this, exclusive })
  }

  unlock(range: LockRange): Promise<void> {
    const at = this.inode.locks.findIndex(l => l.open === this && l.offset === range.offset && l.length === range.length)
    if (at < 0) return Promise.reject(refused('EINVAL', 'unlocking', STATUS.RANGE_NOT_LOCKED))
    this.inode.locks.splice(at, 1)
    this.#wake()
    return Promise.resolve()
  }

  #checkLocks(io: LockRange, write: boolean): void {
    if (io.length === 0n) return
    const refusing = this.inode.locks.some(l => meets(l, io) && (l.exclusive ? l.open !== this : write))
    if (refusing) throw refused('EAGAIN', write ? 'writing' : 'reading', STATUS.FILE_LOCK_CONFLICT)
  }

  #wake(): void {
    for (const wake of this.inode.waiters) wake()
    this.inode.waiters.clear()
  }

  async entries(restart: boolean): Promise<readonly DirEntry[]> {
    if (restart || this.#batches === undefined) {
      const names = await tell('listing', readdir(this.#path))
      const entries = await Promise.all(names.map(async name => ({ name, ...this.#files.info(await lstat(join(this.#path, name), { bigint: true })) })))
      this.#batches = []
      for (let at = 0; at < entries.length; at += 100) this.#batches.push(entries.slice(at, at + 100))
    }
    return this.#batches.shift() ?? []
  }

  async close(): Promise<Closed> {
    const end: Closed = { how: 'clean', why: 'owner is done' }
    if (this.#closed) return end
    this.#closed = true
    this.inode.opens.delete(this)
    this.inode.locks = this.inode.locks.filter(l => l.open !== this)
    this.#wake()
    await this.#handle?.close()
    if (this.inode.opens.size === 0 && this.inode.doomed !== undefined) {
      await rm(this.inode.doomed, { force: true })
      this.inode.doomed = undefined
    }
    return end
  }
}

/** `files` with some of its calls replaced, and those of what it opens. */
export function withFaults(files: Files, faults: { files?: Partial<Files>; file?: (file: OpenFile, path: string) => Partial<OpenFile> }): Files {
  const bind = <T extends object>(base: T, over: object): T =>
    new Proxy(base, {
      get(target, key): unknown {
        const value: unknown = Reflect.get(key in over ? over : target, key)
        return typeof value === 'function' ? value.bind(key in over ? over : target) : value
      },
    })
  return bind(files, {
    open: async (path: string, options: OpenOptions) => {
      const file = await files.open(path, options)
      return faults.file === undefined ? file : bind(file, faults.file(file, path))
    },
    ...faults.files,
  })
}
