import { asError, NbtrunError } from '../../base/errors.ts'
import { Resource } from '../../base/resource.ts'
import { decode, type Codec } from '../../base/wire.ts'
import { confirmNegotiation } from './confirm.ts'
import type { Cipher, Sealer } from '../crypto/sealer.ts'
import type { FileInfo, OpenOptions, VolumeInfo } from '../files.ts'
import { Open, openingRequest } from './open.ts'
import { NamedPipe } from './pipe.ts'
import type * as server from '../resources.ts'
import type { Session } from './session.ts'
import { createRequest, createResponse } from './create.ts'
import type { Call, Reply } from './exchange.ts'
import { allInformation, FILE_CLASS, FILESYSTEM_CLASS, fullSizeInformation } from '../fscc.ts'
import { INFO } from './info.ts'
import { closeRequest } from './io.ts'
import { SECURITY_MODE } from './negotiate.ts'
import { empty, SHARE_FLAG, SHARE_TYPE, treeConnectRequest, treeConnectResponse, type TreeConnectResponse } from './tree-connect.ts'
import { ALREADY_GONE, refused, STATUS, statusName } from '../status.ts'
import { deletion, queryInfo, renaming } from './steps.ts'
import { visit } from './visit.ts'

/** A connection to one share. [MS-SMB2] 3.2.4.2.4. Closing it sends TREE_DISCONNECT. Paths as in `Files`. */
export class Tree extends Resource implements server.Tree {
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

  /** Connects, and on the first share of a connection before 3.1.1 has the server confirm what was negotiated: DOWNGRADE ends the connection. */
  static async connect(session: Session, share: string): Promise<Tree> {
    const { connection } = session
    const label = `//${connection.host}/${share}`
    const newTree = ({ header, body }: Reply): Tree => new Tree(session, share, header.treeId, decode(treeConnectResponse, body))
    const reply = await session.request({
      command: 'TREE_CONNECT',
      codec: treeConnectRequest,
      body: { flags: 0, path: `\\\\${connection.host}\\${share}` },
      onLate: late => {
        if (late.header.status === STATUS.SUCCESS && session.isOpen) void newTree(late).close('nobody waits for it any more')
      },
    })
    if (reply.header.status !== STATUS.SUCCESS) throw treeRefused(reply.header.status, label, session)
    const tree = newTree(reply)
    if ((tree.connected.shareFlags & SHARE_FLAG.ENCRYPT_DATA) !== 0 && session.sealer === undefined) {
      await tree.close('it must be encrypted')
      throw new NbtrunError('ENCRYPTION_REQUIRED', `${label} takes encrypted requests only, which this session cannot send (SMB ${connection.dialect})`)
    }
    if (connection.mustConfirm && session.signer !== undefined) await tree.#confirm()
    return tree
  }

  async #confirm(): Promise<void> {
    const { connection } = this.session
    connection.confirmation ??= confirmNegotiation(connection, this)
    try {
      await connection.confirmation
    } catch (thrown) {
      // what was negotiated is not to be used, but the session was granted and is given back
      if (asError(thrown).code === 'DOWNGRADE') await connection.close('its negotiation was tampered with')
      else {
        connection.confirmation = undefined // nothing is known: the next share asks again
        await this.close('the negotiation could not be confirmed')
      }
      throw thrown
    }
  }

  /** What everything on this share is encrypted with; undefined where it is not. */
  get cipher(): Cipher | undefined {
    return this.#sealer?.cipher
  }

  /** For the whole session's sake, or because this share alone demands it. [MS-SMB2] 3.2.4.1.8. */
  get #sealer(): Sealer | undefined {
    const { encrypted, sealer } = this.session
    return encrypted || (this.connected.shareFlags & SHARE_FLAG.ENCRYPT_DATA) !== 0 ? sealer : undefined
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
    return this.session.farewellRequest(this.#own(this.isOpen ? call : { ...call, parting: true }))
  }

  #own<T>(call: Call<T>): Call<T> {
    const sealer = this.#sealer
    return { ...call, treeId: this.id, ...(sealer === undefined ? {} : { sealer }) }
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

  openPipe(name: string): Promise<NamedPipe> {
    return NamedPipe.open(this, name)
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

/** A refusal that may have to do with how the session is protected says so. */
function treeRefused(status: number, label: string, { connection, signer }: Session): NbtrunError {
  const error = refused(status, `connecting to ${label}`, 'tree-connect')
  if (error.code !== 'ACCESS_DENIED') return error
  const { facts, message } = error
  if (signer === undefined && (connection.negotiated.securityMode & SECURITY_MODE.SIGNING_REQUIRED) !== 0) {
    return new NbtrunError('SIGNING_REQUIRED', `${message}: it requires signed requests, and this session cannot sign`, { facts })
  }
  if (connection.cipher !== undefined) return error
  // [MS-SMB2] 3.3.5.7: so a server refuses who cannot encrypt on a share where everything is encrypted
  return new NbtrunError(error.code, message, { facts, hint: `${error.hint}; or it must be encrypted, which SMB ${connection.dialect} here cannot` })
}
