import { Resource, type Closed } from '../../base/resource.ts'
import { decode, WireError } from '../../base/wire.ts'
import { ATTRIBUTE, opening } from '../access.ts'
import type { DirEntry, FileInfo, FileTimes, LockRange, OpenFile, OpenOptions } from '../files.ts'
import { inPieces } from '../pieces.ts'
import { onDiskId, QUERY_ON_DISK_ID, type CreateRequest, type CreateResponse } from './create.ts'
import { allInformation, basicInformation, directoryEntries, endOfFile, FILE_CLASS, isDirectory } from '../fscc.ts'
import { bufferResponse, INFO, QUERY_DIRECTORY_FLAG, queryDirectoryRequest } from './info.ts'
import { closeRequest, closeResponse, flushRequest, LOCK_FLAG, lockRequest, readRequest, readResponse, writeRequest, writeResponse } from './io.ts'
import { empty } from './tree-connect.ts'
import { ALREADY_GONE, refused, saysStatus, STATUS } from '../status.ts'
import { queryInfo, setInfo, type Step } from './steps.ts'
import type { Tree } from './tree.ts'

/** What CREATE must say for these options. */
export function openingRequest(path: string, options: OpenOptions): CreateRequest {
  return { ...opening(options), name: path, contexts: [QUERY_ON_DISK_ID] }
}

/** What CREATE's answer says of the file. */
export function infoOf(response: CreateResponse): FileInfo {
  const { size, allocation, attributes, created, accessed, written, changed } = response
  return { id: onDiskId(response.contexts), size, allocation, attributes, directory: isDirectory(attributes), created, accessed, written, changed }
}

/** An open file or directory. [MS-SMB2] 3.2.4.3. Closing it sends CLOSE. */
export class Open extends Resource implements OpenFile {
  readonly info: FileInfo
  readonly path: string
  readonly #tree: Tree
  readonly #fileId: Buffer

  constructor(tree: Tree, path: string, response: CreateResponse) {
    super(tree.labelOf(path), tree)
    this.#tree = tree
    this.path = path
    this.#fileId = response.fileId
    this.info = infoOf(response)
  }

  stat(): Promise<FileInfo> {
    return this.take(queryInfo(INFO.FILE, FILE_CLASS.ALL, allInformation))
  }

  /** Takes one step on this file. */
  async take<R>(step: Step<R>): Promise<R> {
    return step.result(await this.#tree.request(step.call(this.#fileId)), `${step.doing} ${this.label}`)
  }

  /** Large reads go out in pieces, several at once. */
  async read(offset: number, length: number): Promise<Buffer> {
    let first: Buffer | undefined
    let whole: Buffer | undefined
    const got = await inPieces(length, this.#tree.session.connection.maxRead, async (at, left) => {
      const part = await this.#readOnce(offset + at, left)
      if (at === 0 && first === undefined) first = part
      else if (part.length > 0) part.copy((whole ??= Buffer.allocUnsafe(length)), at) // not kept: a view may hold more than it shows
      return part.length
    })
    if (whole === undefined) return first?.subarray(0, got) ?? Buffer.alloc(0)
    first?.copy(whole)
    return whole.subarray(0, got)
  }

  async #readOnce(offset: number, length: number): Promise<Buffer> {
    const reply = await this.#tree.request({ command: 'READ', codec: readRequest, body: { fileId: this.#fileId, offset, length }, payload: length })
    if (reply.header.status === STATUS.END_OF_FILE) return Buffer.alloc(0)
    if (reply.header.status !== STATUS.SUCCESS) throw refused(reply.header.status, `reading ${this.label}`)
    const { data } = decode(readResponse, reply.body)
    return data.length > length ? data.subarray(0, length) : data
  }

  /** Large writes go out in pieces, several at once. */
  async write(offset: number, data: Buffer): Promise<void> {
    await inPieces(data.length, this.#tree.session.connection.maxWrite, async (at, left) => {
      const part = data.subarray(at, at + left)
      const call = { command: 'WRITE', codec: writeRequest, body: { fileId: this.#fileId, offset: offset + at, data: part }, payload: left } as const
      const { count } = await this.#tree.ask(call, writeResponse, `writing ${this.label}`)
      if (count === 0 || count > left) throw refused(STATUS.UNSUCCESSFUL, `writing ${this.label} (${count} of ${left} bytes taken)`)
      return count
    })
  }

  async flush(): Promise<void> {
    await this.#tree.ask({ command: 'FLUSH', codec: flushRequest, body: { fileId: this.#fileId } }, empty, `flushing ${this.label}`)
  }

  truncate(size: number): Promise<void> {
    return this.take(setInfo(FILE_CLASS.END_OF_FILE, endOfFile(size), 'setting the size of'))
  }
  setTimes(times: FileTimes): Promise<void> {
    return this.take(setInfo(FILE_CLASS.BASIC, basicInformation(times), 'setting the times of'))
  }
  /** Attributes of 0 would mean "leave them": NORMAL is the empty set. */
  setAttributes(attributes: number): Promise<void> {
    return this.take(setInfo(FILE_CLASS.BASIC, basicInformation({}, attributes === 0 ? ATTRIBUTE.NORMAL : attributes), 'setting the attributes of'))
  }

  async lock(range: LockRange, exclusive: boolean, wait?: { readonly signal: AbortSignal }): Promise<void> {
    const flags = (exclusive ? LOCK_FLAG.EXCLUSIVE : LOCK_FLAG.SHARED) | (wait === undefined ? LOCK_FLAG.FAIL_IMMEDIATELY : 0)
    const patience = wait === undefined ? {} : { timeoutMs: Number.POSITIVE_INFINITY, cancel: wait.signal }
    const body = { fileId: this.#fileId, ...range, flags }
    await this.#tree.ask({ command: 'LOCK', codec: lockRequest, body, ...patience }, empty, `locking ${this.label}`)
  }

  async unlock(range: LockRange): Promise<void> {
    const body = { fileId: this.#fileId, ...range, flags: LOCK_FLAG.UNLOCK }
    await this.#tree.ask({ command: 'LOCK', codec: lockRequest, body }, empty, `unlocking ${this.label}`)
  }

  async entries(restart: boolean): Promise<readonly DirEntry[]> {
    // a batch of dots alone is not the end, but there are only two of them
    for (let dots = 0; dots < 3; dots++) {
      const batch = await this.#batch(restart && dots === 0)
      const named = batch.filter(e => e.name !== '.' && e.name !== '..')
      if (named.length > 0 || batch.length === 0) return named
    }
    throw new WireError(`listing ${this.label}: nothing but dots`, 0)
  }

  /** One answer; empty at the end. */
  async #batch(restart: boolean): Promise<readonly DirEntry[]> {
    const maxLength = this.#tree.session.connection.maxTransact
    const body = {
      fileId: this.#fileId,
      infoClass: FILE_CLASS.ID_FULL_DIRECTORY,
      flags: restart ? QUERY_DIRECTORY_FLAG.RESTART_SCANS : 0,
      pattern: '*',
      maxLength,
    }
    const call = { command: 'QUERY_DIRECTORY', codec: queryDirectoryRequest, body, payload: maxLength } as const
    try {
      const { data } = await this.#tree.ask(call, bufferResponse, `listing ${this.label}`)
      return directoryEntries(data)
    } catch (error) {
      if (saysStatus(error, STATUS.NO_MORE_FILES, STATUS.NO_SUCH_FILE)) return []
      throw error
    }
  }

  /** As patient as any other request: the server may have much to write before it can answer. */
  override close(why?: string, ms: number = this.#tree.session.connection.ioTimeoutMs): Promise<Closed> {
    return super.close(why, ms)
  }

  protected override async goodbye(): Promise<void> {
    const reply = await this.#tree.farewellRequest({ command: 'CLOSE', codec: closeRequest, body: { fileId: this.#fileId } })
    const { status } = reply.header
    if (ALREADY_GONE.has(status)) return
    if (status !== STATUS.SUCCESS) throw refused(status, `closing ${this.label}`)
    decode(closeResponse, reply.body)
  }

  protected override drop(): void {
    // nothing local is held: the server frees the FileId with CLOSE or with the session
  }
}
