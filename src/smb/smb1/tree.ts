import { Resource } from '../../base/resource.ts'
import { type Codec, decode, encode } from '../../base/wire.ts'
import { opening, PIPE_OPENING, type Opening } from '../access.ts'
import type { FileInfo, OpenOptions, VolumeInfo } from '../files.ts'
import { DELETE_ON_CLOSE, fullSizeInformation } from '../fscc.ts'
import type * as server from '../resources.ts'
import { ALREADY_GONE, refused, saysStatus, STATUS, statusName } from '../status.ts'
import { withOpen } from '../with-open.ts'
import { closeRequest, createRequest, createResponse, type CreateResponse } from './create.ts'
import type { Call, Reply } from './exchange.ts'
import { allInfo, internalInformation, PASSED, pathQuery, QUERY_LEVEL, SET_LEVEL, sizeInfo, volumeQuery } from './information.ts'
import { Open } from './open.ts'
import { wirePath } from './path.ts'
import { NamedPipe } from './pipe.ts'
import { replaceBy } from './replace.ts'
import type { Session } from './session.ts'
import { deleteDirectoryRequest, empty, renameRequest } from './simple.ts'
import { Gathering, TRANS2, type Transacted, transactionRequest, transactionResponse } from './transaction.ts'
import { NO_DISK, treeConnectRequest, treeConnectResponse } from './tree-connect.ts'

/** A transaction, its answer's room included. */
export interface Transaction {
  readonly setup: readonly number[]
  readonly name?: string
  readonly parameters?: Buffer
  readonly data?: Buffer
  readonly maxParameters: number
  readonly maxData: number
}

/** A connection to one share. [MS-CIFS] 3.2.4.2.5. Closing it sends TREE_DISCONNECT. Paths as in `Files`. */
export class Tree extends Resource implements server.Tree {
  readonly session: Session
  readonly share: string
  readonly isDisk: boolean
  readonly cipher = undefined
  farewell: string | undefined
  /** TID, the server's number for it. */
  readonly id: number

  private constructor(session: Session, share: string, tid: number, isDisk: boolean) {
    super(`//${session.connection.host}/${share}`, session)
    this.session = session
    this.share = share
    this.isDisk = isDisk
    this.id = tid
  }

  static async connect(session: Session, share: string): Promise<Tree> {
    const { host, unicode } = session.connection
    const newTree = ({ header, body }: Reply): Tree => new Tree(session, share, header.tid, !NO_DISK.has(decode(treeConnectResponse, body).service))
    const reply = await session.request({
      command: 'TREE_CONNECT_ANDX',
      codec: treeConnectRequest,
      body: { path: `\\\\${host}\\${share}`, unicode },
      onLate: late => {
        if (late.header.status === STATUS.SUCCESS && session.isOpen) void newTree(late).close('nobody waits for it any more')
      },
    })
    if (reply.header.status !== STATUS.SUCCESS) throw refused(reply.header.status, `connecting to //${host}/${share}`, 'tree-connect')
    return newTree(reply)
  }

  /** Of names, in everything that is sent here. */
  get unicode(): boolean {
    return this.session.connection.unicode
  }

  request<T>(call: Call<T>): Promise<Reply> {
    this.requireOpen()
    return this.farewellRequest(call)
  }

  /** For opens that are closed while the tree is closing too. */
  farewellRequest<T>(call: Call<T>): Promise<Reply> {
    return this.session.farewellRequest({ ...call, tid: this.id, ...(this.isOpen ? {} : { parting: true }) })
  }

  /** A path on this share as shown to people. */
  labelOf(path: string): string {
    return `${this.label}/${path.replaceAll('\\', '/')}`
  }

  /** Sends one request and decodes its answer; any other status than success is an error that says what was being done. */
  async ask<T, R>(call: Call<T>, codec: Codec<R>, doing: string): Promise<R> {
    const reply = await this.request(call)
    if (reply.header.status !== STATUS.SUCCESS) throw refused(reply.header.status, doing)
    return decode(codec, reply.body)
  }

  /** An answer that did not fit is told as it is: `more`. */
  async transact(command: 'TRANSACTION' | 'TRANSACTION2', what: Transaction, doing: string): Promise<Transacted & { readonly more: boolean }> {
    const { name = '', parameters = Buffer.alloc(0), data = Buffer.alloc(0), ...rest } = what
    const gathering = new Gathering(what)
    const body = { ...rest, name, parameters, data, unicode: this.unicode }
    const gather = (part: Buffer): boolean => gathering.add(decode(transactionResponse, part))
    const { header } = await this.request({ command, codec: transactionRequest, body, gather, room: what.maxParameters + what.maxData })
    if (header.status !== STATUS.SUCCESS && header.status !== STATUS.BUFFER_OVERFLOW) throw refused(header.status, doing)
    return { ...gathering.done(), more: header.status === STATUS.BUFFER_OVERFLOW }
  }

  /** One piece of information, by a subcommand of TRANSACTION2. */
  async query<R>(subcommand: number, parameters: Buffer, codec: Codec<R>, doing: string): Promise<R> {
    const { data } = await this.transact('TRANSACTION2', { setup: [subcommand], parameters, maxParameters: 2, maxData: 1024 }, doing)
    return decode(codec, data)
  }

  async open(path: string, options: OpenOptions): Promise<Open> {
    const response = await this.create(wirePath(path, this.labelOf(path)), opening(options), `opening ${this.labelOf(path)}`)
    const open = new Open(this, path, response)
    await open.learnId()
    return open
  }

  /** NT_CREATE_ANDX. What is opened after the deadline is closed: nobody has it. */
  create(name: string, how: Opening, doing: string): Promise<CreateResponse> {
    const onLate = ({ header: { status }, body }: Reply): void => {
      if (status !== STATUS.SUCCESS) return
      const { fid } = decode(createResponse, body)
      this.farewellRequest({ command: 'CLOSE', codec: closeRequest, body: { fid } }).catch(() => {})
    }
    return this.ask({ command: 'NT_CREATE_ANDX', codec: createRequest, body: { ...how, name, unicode: this.unicode }, onLate }, createResponse, doing)
  }

  async openPipe(name: string): Promise<NamedPipe> {
    const { fid } = await this.create(`\\${name}`, PIPE_OPENING, `opening ${this.label}/${name}`)
    return new NamedPipe(this, name, fid)
  }

  async stat(path: string): Promise<FileInfo> {
    const doing = `asking about ${this.labelOf(path)}`
    const name = wirePath(path, this.labelOf(path))
    const ask = <R>(level: number, codec: Codec<R>): Promise<R> =>
      this.query(TRANS2.QUERY_PATH_INFORMATION, encode(pathQuery, { level, path: name, unicode: this.unicode }), codec, doing)
    const [info, id] = await Promise.all([
      ask(QUERY_LEVEL.ALL, allInfo),
      this.session.connection.has('INFOLEVEL_PASSTHRU') ? ask(PASSED.INTERNAL, internalInformation).catch(noId) : 0n,
    ])
    return { ...info, id }
  }

  async makeDirectory(path: string): Promise<FileInfo> {
    return withOpen(await this.open(path, { directory: true, disposition: 'create' }), async ({ info }) => info)
  }

  /** Files by the mark that CLOSE heeds: DELETE would be for many. */
  async remove(path: string, directory: boolean): Promise<void> {
    if (directory) {
      const body = { name: wirePath(path, this.labelOf(path)), unicode: this.unicode }
      return void (await this.ask({ command: 'DELETE_DIRECTORY', codec: deleteDirectoryRequest, body }, empty, `removing ${this.labelOf(path)}`))
    }
    await withOpen(await this.open(path, { remove: true, directory }), open => open.set(SET_LEVEL.DISPOSITION, DELETE_ON_CLOSE, 'removing'))
  }

  /** RENAME replaces nothing; where it must, that takes more than one request. */
  async rename(from: string, to: string, replace: boolean): Promise<void> {
    try {
      await this.move(from, to)
    } catch (thrown) {
      if (!replace || !saysStatus(thrown, STATUS.OBJECT_NAME_COLLISION)) throw thrown
      await replaceBy(this, from, to)
    }
  }

  /** RENAME. [MS-CIFS] 2.2.4.8. */
  async move(from: string, to: string): Promise<void> {
    const label = this.labelOf(from)
    const body = { from: wirePath(from, label), to: wirePath(to, this.labelOf(to)), unicode: this.unicode }
    await this.ask({ command: 'RENAME', codec: renameRequest, body }, empty, `renaming ${label}`)
  }

  volume(): Promise<VolumeInfo> {
    const passes = this.session.connection.has('INFOLEVEL_PASSTHRU')
    const [level, codec] = passes ? [PASSED.FS_FULL_SIZE, fullSizeInformation] : [QUERY_LEVEL.FS_SIZE, sizeInfo]
    return this.query(TRANS2.QUERY_FS_INFORMATION, volumeQuery(level), codec, `asking about ${this.label}`)
  }

  protected override async goodbye(): Promise<void> {
    const { status } = (await this.farewellRequest({ command: 'TREE_DISCONNECT', codec: empty, body: null })).header
    this.farewell = statusName(status)
    if (status !== STATUS.SUCCESS && !ALREADY_GONE.has(status)) throw refused(status, `disconnecting from ${this.label}`)
  }

  protected override drop(): void {
    // nothing local but its opens, which are its children
  }
}

/** A file system that has no ids to tell. */
export function noId(thrown: unknown): bigint {
  if (saysStatus(thrown, STATUS.INVALID_LEVEL, STATUS.OS2_INVALID_LEVEL, STATUS.NOT_SUPPORTED, STATUS.INVALID_INFO_CLASS, STATUS.NOT_IMPLEMENTED)) return 0n
  throw thrown
}
