import { Resource } from '../../base/resource.ts'
import { decode } from '../../base/wire.ts'
import { atMost, type Pipe } from '../rpc/pipe.ts'
import { ALREADY_GONE, refused, STATUS } from '../status.ts'
import { closeRequest } from './create.ts'
import { readRequest, readResponse, writeRequest, writeResponse } from './io.ts'
import { empty } from './simple.ts'
import { TRANSACT_NMPIPE } from './transaction.ts'
import type { Tree } from './tree.ts'

const ENDED: ReadonlySet<number> = new Set([STATUS.END_OF_FILE, STATUS.PIPE_DISCONNECTED, STATUS.PIPE_BROKEN])

/** A pipe on IPC$. Closing it sends CLOSE. */
export class NamedPipe extends Resource implements Pipe {
  readonly #tree: Tree
  readonly #fid: number

  constructor(tree: Tree, name: string, fid: number) {
    super(`${tree.label}/${name}`, tree)
    this.#tree = tree
    this.#fid = fid
  }

  /** TRANS_TRANSACT_NMPIPE, [MS-CIFS] 2.2.5.6, where the message fits one request. */
  async transact(message: Buffer, room: number): Promise<Buffer> {
    this.requireOpen()
    if (message.length > this.#tree.session.connection.maxTransceive) {
      await this.write(message)
      return this.read(room)
    }
    const what = { setup: [TRANSACT_NMPIPE, this.#fid], name: '\\PIPE\\', data: message, maxParameters: 0, maxData: room }
    const { data } = await this.#tree.transact('TRANSACTION', what, `asking ${this.label}`)
    return atMost(room, data, this.label)
  }

  async write(message: Buffer): Promise<void> {
    this.requireOpen()
    const body = { fid: this.#fid, offset: 0, data: message, wide: this.#tree.session.connection.wide }
    const { count } = await this.#tree.ask({ command: 'WRITE_ANDX', codec: writeRequest, body }, writeResponse, `writing to ${this.label}`)
    if (count !== message.length) throw refused(STATUS.UNSUCCESSFUL, `writing to ${this.label} (${count} of ${message.length} bytes taken)`)
  }

  async read(room: number): Promise<Buffer> {
    this.requireOpen()
    const body = { fid: this.#fid, offset: 0, length: room, wide: this.#tree.session.connection.wide }
    const { header, body: answer } = await this.#tree.request({ command: 'READ_ANDX', codec: readRequest, body, room })
    if (ENDED.has(header.status)) return Buffer.alloc(0)
    if (header.status !== STATUS.SUCCESS && header.status !== STATUS.BUFFER_OVERFLOW) throw refused(header.status, `reading ${this.label}`)
    return atMost(room, decode(readResponse, answer).data, this.label)
  }

  protected override async goodbye(): Promise<void> {
    const { header, body } = await this.#tree.farewellRequest({ command: 'CLOSE', codec: closeRequest, body: { fid: this.#fid } })
    if (ALREADY_GONE.has(header.status) || header.status === STATUS.INVALID_HANDLE) return
    if (header.status !== STATUS.SUCCESS) throw refused(header.status, `closing ${this.label}`)
    decode(empty, body)
  }

  protected override drop(): void {
    // nothing local is held: the server frees the FID with CLOSE or with the tree
  }
}
