import { NbtrunError } from '../../base/errors.ts'
import { type Closed, Resource } from '../../base/resource.ts'
import { pause } from '../../base/time.ts'
import { type Codec, decode } from '../../base/wire.ts'
import { ATTRIBUTE } from '../access.ts'
import type { DirEntry, FileInfo, FileTimes, LockRange, OpenFile } from '../files.ts'
import { basicInformation, endOfFile } from '../fscc.ts'
import { inPieces } from '../pieces.ts'
import { ALREADY_GONE, refused, saysStatus, STATUS } from '../status.ts'
import { closeRequest, type CreateResponse, handleRequest } from './create.ts'
import { allInfo, fileQuery, fileSetting, internalInformation, PASSED, QUERY_LEVEL, SET_LEVEL } from './information.ts'
import { FOR_EVER, lockRequest, type LockRequest, MAX_32, readRequest, readResponse, writeRequest, writeResponse } from './io.ts'
import { andX, empty } from './simple.ts'
import { Listing } from './listing.ts'
import { TRANS2 } from './transaction.ts'
import { noId, type Tree } from './tree.ts'

/** Where no request may wait at the server, it is asked again so often, ms. */
const AGAIN_MS = 200

/** An open file or directory. [MS-CIFS] 3.2.4.4. Closing it sends CLOSE. */
export class Open extends Resource implements OpenFile {
  readonly path: string
  readonly #tree: Tree
  readonly #fid: number
  #info: FileInfo
  #listing: Listing | undefined

  constructor(tree: Tree, path: string, { fid, created, accessed, written, changed, attributes, allocation, size, directory }: CreateResponse) {
    super(tree.labelOf(path), tree)
    this.#tree = tree
    this.path = path
    this.#fid = fid
    this.#info = { id: 0n, size, allocation, attributes, directory, created, accessed, written, changed }
  }

  get info(): FileInfo {
    return this.#info
  }

  /** NT_CREATE_ANDX does not tell it. The open is closed when that fails. */
  async learnId(): Promise<void> {
    try {
      this.#info = { ...this.#info, id: await this.#id() }
    } catch (thrown) {
      await this.close('nobody gets it')
      throw thrown
    }
  }

  async #id(): Promise<bigint> {
    const { connection } = this.#tree.session
    if (!connection.has('INFOLEVEL_PASSTHRU')) return 0n
    return this.#query(PASSED.INTERNAL, internalInformation).catch(noId)
  }

  async stat(): Promise<FileInfo> {
    const info = await this.#query(QUERY_LEVEL.ALL, allInfo)
    return { ...info, id: this.#info.id }
  }

  #query<R>(level: number, codec: Codec<R>): Promise<R> {
    return this.#tree.query(TRANS2.QUERY_FILE_INFORMATION, fileQuery(this.#fid, level), codec, `asking about ${this.label}`)
  }

  /** SET_FILE_INFORMATION. [MS-CIFS] 2.2.6.9. */
  async set(level: number, data: Buffer, doing: string): Promise<void> {
    const what = { setup: [TRANS2.SET_FILE_INFORMATION], parameters: fileSetting(this.#fid, level), data, maxParameters: 2, maxData: 0 }
    await this.#tree.transact('TRANSACTION2', what, `${doing} ${this.label}`)
  }

  /** Large reads go out in pieces, several at once. */
  async read(offset: number, length: number): Promise<Buffer> {
    const parts = Buffer.allocUnsafe(length)
    const got = await inPieces(length, this.#tree.session.connection.maxRead, async (at, left) => {
      const part = await this.#readOnce(offset + at, left)
      return part.copy(parts, at)
    })
    return parts.subarray(0, got)
  }

  async #readOnce(offset: number, length: number): Promise<Buffer> {
    const body = { fid: this.#fid, offset, length, wide: this.#wide(offset + length) }
    const reply = await this.#tree.request({ command: 'READ_ANDX', codec: readRequest, body, room: length })
    if (reply.header.status === STATUS.END_OF_FILE) return Buffer.alloc(0)
    if (reply.header.status !== STATUS.SUCCESS) throw refused(reply.header.status, `reading ${this.label}`)
    const { data } = decode(readResponse, reply.body)
    return data.length > length ? data.subarray(0, length) : data
  }

  /** Large writes go out in pieces, several at once. */
  async write(offset: number, data: Buffer): Promise<void> {
    await inPieces(data.length, this.#tree.session.connection.maxWrite, async (at, left) => {
      const body = { fid: this.#fid, offset: offset + at, data: data.subarray(at, at + left), wide: this.#wide(offset + at + left) }
      const { count } = await this.#tree.ask({ command: 'WRITE_ANDX', codec: writeRequest, body, large: true }, writeResponse, `writing ${this.label}`)
      if (count === 0 || count > left) throw refused(STATUS.UNSUCCESSFUL, `writing ${this.label} (${count} of ${left} bytes taken)`)
      return count
    })
  }

  /** Whether offsets have 64 bits. A server that knows 32 only keeps files that small. */
  #wide(end: number): boolean {
    const { wide, host } = this.#tree.session.connection
    if (!wide && end > MAX_32) throw new NbtrunError('FILE_ERROR', `${this.label}: ${host} has no files above 4 GiB`, { facts: { errno: 'EFBIG' } })
    return wide
  }

  async flush(): Promise<void> {
    await this.#tree.ask({ command: 'FLUSH', codec: handleRequest, body: { handle: this.#fid } }, empty, `flushing ${this.label}`)
  }

  truncate(size: number): Promise<void> {
    return this.set(SET_LEVEL.END_OF_FILE, endOfFile(size), 'setting the size of')
  }
  setTimes(times: FileTimes): Promise<void> {
    return this.set(SET_LEVEL.BASIC, basicInformation(times), 'setting the times of')
  }
  /** Attributes of 0 would mean "leave them": NORMAL is the empty set. */
  setAttributes(attributes: number): Promise<void> {
    return this.set(SET_LEVEL.BASIC, basicInformation({}, attributes === 0 ? ATTRIBUTE.NORMAL : attributes), 'setting the attributes of')
  }

  /** At most so many requests may wait at the server that there is room for those which end the waiting; the others ask again and again. */
  async lock(range: LockRange, exclusive: boolean, wait?: { readonly signal: AbortSignal }): Promise<void> {
    const kind = exclusive ? 'exclusive' : 'shared'
    if (wait === undefined) return this.#lock(range, kind, 0)
    for (;;) {
      const patient = this.#tree.session.connection.hasPatience
      try {
        return await this.#lock(range, kind, patient ? FOR_EVER : 0, patient ? wait.signal : undefined)
      } catch (thrown) {
        if (!saysStatus(thrown, ...CONFLICTS)) throw thrown
        if (wait.signal.aborted) throw refused(STATUS.CANCELLED, `locking ${this.label}`)
        if (patient) throw thrown
        await pause(AGAIN_MS, wait.signal)
      }
    }
  }

  unlock(range: LockRange): Promise<void> {
    return this.#lock(range, 'unlock', 0)
  }

  async #lock({ offset, length }: LockRange, kind: LockRequest['kind'], timeout: number, cancel?: AbortSignal): Promise<void> {
    const { connection } = this.#tree.session
    if (!connection.wide) throw refused(STATUS.NOT_SUPPORTED, `locking ${this.label}`)
    const body = { fid: this.#fid, pid: connection.pid, offset, length, kind, timeout }
    const patience = cancel === undefined ? {} : { timeoutMs: Number.POSITIVE_INFINITY, cancel }
    const doing = `${kind === 'unlock' ? 'unlocking' : 'locking'} ${this.label}`
    await this.#tree.ask({ command: 'LOCKING_ANDX', codec: lockRequest, body, ...patience }, andX, doing)
  }

  entries(restart: boolean): Promise<readonly DirEntry[]> {
    this.#listing ??= new Listing(this.#tree, this.path)
    return this.#listing.next(restart)
  }

  /** As patient as any other request: the server may have much to write before it can answer. */
  override close(why?: string, ms: number = this.#tree.session.connection.ioTimeoutMs): Promise<Closed> {
    return super.close(why, ms)
  }

  protected override async goodbye(): Promise<void> {
    await this.#listing?.end()
    const { header, body } = await this.#tree.farewellRequest({ command: 'CLOSE', codec: closeRequest, body: { fid: this.#fid } })
    if (ALREADY_GONE.has(header.status) || header.status === STATUS.INVALID_HANDLE) return
    if (header.status !== STATUS.SUCCESS) throw refused(header.status, `closing ${this.label}`)
    decode(empty, body)
  }

  protected override drop(): void {
    // nothing local is held: the server frees the FID with CLOSE or with the tree
  }
}

const CONFLICTS = [STATUS.FILE_LOCK_CONFLICT, STATUS.LOCK_NOT_GRANTED, STATUS.CANCELLED]
