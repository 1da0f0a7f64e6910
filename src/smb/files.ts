import type { NbtrunError } from '../base/errors.ts'
import type { Closed } from '../base/resource.ts'

/**
 * The small interface through which everything above the client reaches files on a share. Paths are relative to the share's root, separated by
 * backslashes, without one in front; the empty path is the root. Times are FILETIME (100 ns since 1601), sizes bytes. Failures are
 * NbtrunError with `facts.status` (NTSTATUS number) and `facts.errno` (a name such as ENOENT).
 */
export interface FileInfo {
  /** The file's id on the server's disk (QFid); 0n when the server names none. */
  readonly id: bigint
  readonly size: number
  readonly allocation: number
  /** FILE_ATTRIBUTE_* bits, [MS-FSCC] 2.6. */
  readonly attributes: number
  readonly directory: boolean
  readonly created: bigint
  readonly accessed: bigint
  readonly written: bigint
  readonly changed: bigint
}

export interface DirEntry extends FileInfo {
  readonly name: string
}

export interface VolumeInfo {
  readonly totalBytes: number
  readonly freeBytes: number
  /** Free to this user, where quotas apply. */
  readonly availableBytes: number
  readonly unitBytes: number
}

export type Disposition = 'open' | 'create' | 'open-or-create' | 'overwrite' | 'overwrite-or-create'

export interface OpenOptions {
  readonly read?: boolean
  readonly write?: boolean
  /** For changing times and attributes. */
  readonly writeAttributes?: boolean
  readonly remove?: boolean
  /** Must be a directory (true) or must not be one (false). Undefined: either. */
  readonly directory?: boolean
  readonly disposition?: Disposition
}

export interface FileTimes {
  readonly created?: bigint
  readonly accessed?: bigint
  readonly written?: bigint
}

export interface LockRange {
  readonly offset: bigint
  readonly length: bigint
}

/** An open file or directory on the server. `close` is idempotent. */
export interface OpenFile {
  /** What the server said when it was opened. */
  readonly info: FileInfo
  /** Called once when what was open is lost for good while the share is not: every use fails from then on, and its locks are gone. */
  onStale?: (error: NbtrunError) => void
  stat(): Promise<FileInfo>
  /** Up to `length` bytes; fewer only at the end of the file. A view: copy what you keep. */
  read(offset: number, length: number): Promise<Buffer>
  /** Writes all of it; the returned promise means that the server has it. */
  write(offset: number, data: Buffer): Promise<void>
  flush(): Promise<void>
  truncate(size: number): Promise<void>
  setTimes(times: FileTimes): Promise<void>
  setAttributes(attributes: number): Promise<void>
  /** Granted by the server or refused. Without `wait` a conflict is refused at once (errno EAGAIN); with it, aborting the signal sends CANCEL (errno EINTR). */
  lock(range: LockRange, exclusive: boolean, wait?: { readonly signal: AbortSignal }): Promise<void>
  /** `range` must be exactly one that was locked. */
  unlock(range: LockRange): Promise<void>
  /** Entries in batches, `.` and `..` left out. `restart` begins anew. An empty batch is the end. */
  entries(restart: boolean): Promise<readonly DirEntry[]>
  /** Resolves to how it went, and never rejects: `clean` means that the server acknowledged it. */
  close(): Promise<Closed>
}

export interface Files {
  /** Server and share as shown to people, such as `//srv/app`. */
  readonly label: string
  open(path: string, options: OpenOptions): Promise<OpenFile>
  /** One file's particulars without keeping it open. */
  stat(path: string): Promise<FileInfo>
  makeDirectory(path: string): Promise<FileInfo>
  /** Removes a file or an empty directory; `directory` says which it must be. */
  remove(path: string, directory: boolean): Promise<void>
  rename(from: string, to: string, replace: boolean): Promise<void>
  volume(): Promise<VolumeInfo>
}
