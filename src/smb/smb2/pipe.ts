import { Resource } from '../../base/resource.ts'
import { decode } from '../../base/wire.ts'
import { PIPE_OPENING } from '../access.ts'
import { atMost, type Pipe } from '../rpc/pipe.ts'
import { createRequest, createResponse } from './create.ts'
import type { Reply } from './exchange.ts'
import { FSCTL, ioctlRequest, ioctlResponse } from './ioctl.ts'
import { closeRequest, closeResponse, readRequest, readResponse, writeRequest, writeResponse } from './io.ts'
import { ALREADY_GONE, refused, STATUS } from '../status.ts'
import type { Tree } from './tree.ts'

/** There is more of this message: what came is no less true. */
const MORE: number = STATUS.BUFFER_OVERFLOW
const ENDED: ReadonlySet<number> = new Set([STATUS.END_OF_FILE, STATUS.PIPE_DISCONNECTED, STATUS.PIPE_BROKEN])

/** A pipe on IPC$. [MS-SMB2] 3.2.4.3.3. Closing it sends CLOSE. */
export class NamedPipe extends Resource implements Pipe {
  readonly #tree: Tree
  readonly #fileId: Buffer

  private constructor(tree: Tree, name: string, fileId: Buffer) {
    super(`${tree.label}/${name}`, tree)
    this.#tree = tree
    this.#fileId = fileId
  }

  /** `name` without `\PIPE\`: `srvsvc`. */
  static async open(tree: Tree, name: string): Promise<NamedPipe> {
    const body = { ...PIPE_OPENING, name, contexts: [] }
    const onLate = ({ header: { status }, body: late }: Reply): void => {
      if (status !== STATUS.SUCCESS) return
      const { fileId } = decode(createResponse, late)
      tree.farewellRequest({ command: 'CLOSE', codec: closeRequest, body: { fileId } }).catch(() => {})
    }
    const { fileId } = await tree.ask({ command: 'CREATE', codec: createRequest, body, onLate }, createResponse, `opening ${tree.label}/${name}`)
    return new NamedPipe(tree, name, fileId)
  }

  /** FSCTL_PIPE_TRANSCEIVE. [MS-SMB2] 3.3.5.15.10. */
  async transact(message: Buffer, room: number): Promise<Buffer> {
    const body = { code: FSCTL.PIPE_TRANSCEIVE, fileId: this.#fileId, input: message, maxOutput: room }
    const reply = await this.#request({ command: 'IOCTL', codec: ioctlRequest, body, payload: Math.max(message.length, room) })
    const { status } = reply.header
    if (status !== STATUS.SUCCESS && status !== MORE) throw refused(status, `asking ${this.label}`)
    return atMost(room, decode(ioctlResponse, reply.body).output, this.label)
  }

  async write(message: Buffer): Promise<void> {
    const call = { command: 'WRITE', codec: writeRequest, body: { fileId: this.#fileId, offset: 0, data: message }, payload: message.length } as const
    const { count } = await this.#tree.ask(call, writeResponse, `writing to ${this.label}`)
    if (count !== message.length) throw refused(STATUS.UNSUCCESSFUL, `writing to ${this.label} (${count} of ${message.length} bytes taken)`)
  }

  async read(room: number): Promise<Buffer> {
    const reply = await this.#request({ command: 'READ', codec: readRequest, body: { fileId: this.#fileId, offset: 0, length: room }, payload: room })
    const { status } = reply.header
    if (ENDED.has(status)) return Buffer.alloc(0)
    if (status !== STATUS.SUCCESS && status !== MORE) throw refused(status, `reading ${this.label}`)
    return atMost(room, decode(readResponse, reply.body).data, this.label)
  }

  #request: Tree['request'] = call => {
    this.requireOpen()
    return this.#tree.request(call)
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
