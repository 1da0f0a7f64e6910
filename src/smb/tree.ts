import { NbtrunError } from '../base/errors.ts'
import { Resource } from '../base/resource.ts'
import { decode, type Codec } from '../base/wire.ts'
import type { FileInfo, Files, OpenOptions, VolumeInfo } from './files.ts'
import { Open, openingRequest } from './open.ts'
import { ALREADY_GONE, type Session } from './session.ts'
import { createRequest, createResponse } from './smb2/create.ts'
import type { Call, Reply } from './smb2/exchange.ts'
import { allInformation, FILE_CLASS, FILESYSTEM_CLASS, fullSizeInformation } from './smb2/fscc.ts'
import { INFO } from './smb2/info.ts'
import { closeRequest } from './smb2/io.ts'
import { empty, SHARE_FLAG, SHARE_TYPE, treeConnectRequest, treeConnectResponse, type TreeConnectResponse } from './smb2/tree-connect.ts'
import { refused, STATUS, statusName } from './status.ts'
import { deletion, queryInfo, renaming } from './steps.ts'
import { visit } from './visit.ts'

/** A connection to one share. [MS-SMB2] 3.2.4.2.4. Closing it sends TREE_DISCONNECT. Paths as in `Files`. */
export class Tree extends Resource implements Files {
  readonly session: Session
  readonly share: string
  readonly id: number
  readonly connected: TreeConnectResponse
  /** What the server answered to TREE_DISCONNECT. */
  farewell: string | undefined
  /** Whether CREATE's answers lack the id on disk: not every file system has one to tell. */
  #untold = false

  private constructor(session: Session, share: string, id: number, connected: TreeConnectResponse) {
    super(`//${session.connection.host}/${share}`, session)
    this.session = session
    this.share = share
    this.id = id
    this.connected = connected
  }

  static async connect(session: Session, share: string): Promise<Tree> {
    const { host } = session.connection
    const label = `//${host}/${share}`
    const reply = await session.request({
      command: 'TREE_CONNECT',
      codec: treeConnectRequest,
      body: { flags: 0, path: `\\\\${host}\\${share}` },
      onLate: ({ header: { status, treeId } }) => {
        if (status === STATUS.SUCCESS) session.farewellRequest({ command: 'TREE_DISCONNECT', codec: empty, body: null, treeId }).catch(() => {})
      },
    })
    if (reply.header.status !== STATUS.SUCCESS) throw refused(reply.header.status, `connecting to ${label}`, 'tree-connect')
    const connected = decode(treeConnectResponse, reply.body)
    const tree = new Tree(session, share, reply.header.treeId, connected)
    if ((connected.shareFlags & SHARE_FLAG.ENCRYPT_DATA) !== 0) {
      await tree.close('it must be encrypted')
      throw new NbtrunError('ENCRYPTION_REQUIRED', `${label} takes encrypted requests only, which this version cannot send`, {
        hint: "ask the server's admin for a share without SMB encryption",
      })
    }
    return tree
  }

  get isDisk(): boolean {
    return this.connected.shareType === SHARE_TYPE.DISK
  }

  request<T>(call: Call<T>): Promise<Reply> {
    this.requireOpen()
    return this.session.request(this.#own(call))
  }

  /** Several requests in one frame: see Exchange. */
  requestAll(calls: readonly Call<unknown>[], options: { readonly related: boolean }): Promise<Reply>[] {
    this.requireOpen()
    return this.session.requestAll(
      calls.map(call => this.#own(call)),
      options,
    )
  }

  affords(requests: number): boolean {
    return this.session.connection.affords(requests)
  }

  /** For opens that are closed while the tree is closing too. */
  farewellRequest<T>(call: Call<T>): Promise<Reply> {
    return this.session.farewellRequest(this.#own(call))
  }

  #own<T>(call: Call<T>): Call<T> {
    return { ...call, treeId: this.id }
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

  async open(path: string, options: OpenOptions): Promise<Open> {
    const call = { command: 'CREATE', codec: createRequest, body: openingRequest(path, options), onLate: (reply: Reply) => this.#closeLate(reply) } as const
    const response = await this.ask(call, createResponse, `opening ${this.labelOf(path)}`)
    return new Open(this, path, response)
  }

  /** Asks for the id on disk by itself where CREATE does not tell it. */
  async stat(path: string): Promise<FileInfo> {
    if (!this.#untold) {
      const { info } = await visit(this, path, {})
      if (info.id !== 0n) return info
      this.#untold = true
    }
    const { values } = await visit(this, path, {}, queryInfo(INFO.FILE, FILE_CLASS.ALL, allInformation))
    return values[0]
  }

  /** Opened after the deadline: nobody has it, so nobody else will close it. */
  #closeLate({ header: { status }, body }: Reply): void {
    if (status !== STATUS.SUCCESS) return
    const { fileId } = decode(createResponse, body)
    this.farewellRequest({ command: 'CLOSE', codec: closeRequest, body: { fileId } }).catch(() => {})
  }

  async makeDirectory(path: string): Promise<FileInfo> {
    return (await visit(this, path, { directory: true, disposition: 'create' })).info
  }

  async remove(path: string, directory: boolean): Promise<void> {
    await visit(this, path, { remove: true, directory }, deletion)
  }

  async rename(from: string, to: string, replace: boolean): Promise<void> {
    await visit(this, from, { remove: true }, renaming(to, replace))
  }

  async volume(): Promise<VolumeInfo> {
    return (await visit(this, '', { directory: true }, queryInfo(INFO.FILESYSTEM, FILESYSTEM_CLASS.FULL_SIZE, fullSizeInformation))).values[0]
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
