import type { Reader } from '../../base/wire.ts'
import type { FileInfo, Files, OpenFile, OpenOptions } from '../../smb/files.ts'
import { attributesOf, type Owner } from './attributes.ts'
import type { Ask } from './desk.ts'
import { fault } from './errno.ts'
import { Handles } from './handles.ts'
import { MARKER } from './marker.ts'
import { toServer } from './names.ts'
import { type Node, Nodes } from './nodes.ts'
import type { Attributes } from './protocol/attributes.ts'
import { getName } from './protocol/names.ts'

/** What one request does. It reads its message before its first await, and answers through the ask; what it throws becomes the errno. */
export type Operation = (ask: Ask, r: Reader) => Promise<void> | void
export type Operations = Readonly<Record<number, Operation>>

/** A share as the kernel's requests see it: the server's files, and what the kernel holds of them. */
export class Share {
  readonly files: Files
  readonly owner: Owner
  readonly warn: (message: string) => void
  readonly nodes = new Nodes()
  readonly handles: Handles
  readonly counters = { bytesRead: 0, bytesWritten: 0 }
  /** Every directory has the entry of marker.ts. */
  marked = false

  constructor(files: Files, owner: Owner, warn: (message: string) => void) {
    this.files = files
    this.owner = owner
    this.warn = warn
    this.handles = new Handles(this.nodes, warn)
  }

  mayWrite(): void {
    if (this.owner.readOnly) throw fault('EROFS', `changing ${this.files.label}`)
  }

  /** Whether this name is no file on the server but our mark. */
  marks(name: string): boolean {
    return this.marked && name === MARKER
  }

  attributes(node: Node, info: FileInfo): Attributes {
    return attributesOf(info, node.id, node.linked, this.owner)
  }

  /** The directory a request is about, the name in it as the server knows it, and the path of both. */
  place(ask: Ask, r: Reader): { parent: Node; name: string; path: string } {
    return this.placeIn(this.nodes.get(ask.header.nodeId), getName(r))
  }

  placeIn(parent: Node, local: Buffer): { parent: Node; name: string; path: string } {
    const name = toServer(local)
    if (this.marks(name)) throw fault('EPERM', `changing ${name}`)
    if (parent.hidden.has(name)) throw fault('ENOENT', name)
    return { parent, name, path: this.nodes.pathOf(parent, name) }
  }

  /** Opens for one step. */
  async withOpen<T>(path: string, options: OpenOptions, work: (file: OpenFile) => Promise<T>): Promise<T> {
    const file = await this.files.open(path, options)
    try {
      return await work(file)
    } finally {
      await this.handles.close(file, path)
    }
  }
}
