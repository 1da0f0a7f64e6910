import type { FileInfo } from '../../smb/files.ts'
import { fault } from './errno.ts'
import type { FileHandle } from './handles.ts'
import type { LockTable } from './locks.ts'
import { ROOT_ID } from './protocol/constants.ts'

/** The number of the entry in marker.ts. It has no node, and the kernel may remember or forget it as it likes. */
export const MARKER_ID = ROOT_ID + 1

/** A file or directory that the kernel knows by number. Its path follows from where it hangs, so a directory takes all below along. */
export class Node {
  readonly id: number
  readonly directory: boolean
  /** Undefined for the root, and for what was removed or replaced: it lives on in its open handles alone. */
  parent: Node | undefined
  /** As the server knows it. */
  name: string
  /** How often the kernel was told this number and did not forget it yet. */
  lookups = 0
  readonly children = new Map<string, Node>()
  /** Open files; not directories. */
  readonly handles = new Set<FileHandle>()
  /** Names in this directory that removed files have until they are closed: not shown. */
  readonly hidden = new Set<string>()
  #hiddenBy: { readonly parent: Node; readonly name: string } | undefined
  /** There once the file was locked. */
  locks: LockTable | undefined
  /** The last append here; the next one waits for it. */
  appending: Promise<unknown> = Promise.resolve()

  constructor(id: number, directory: boolean, parent: Node | undefined, name: string) {
    this.id = id
    this.directory = directory
    this.parent = parent
    this.name = name
  }

  get linked(): boolean {
    return this.parent !== undefined || this.id === ROOT_ID
  }

  /** It was removed while open and has another name in its directory until it is closed. */
  hide(parent: Node, name: string): void {
    parent.hidden.add(name)
    this.#hiddenBy = { parent, name }
  }

  unhide(): void {
    this.#hiddenBy?.parent.hidden.delete(this.#hiddenBy.name)
  }

  /** Any open handle; all of them are the same file. */
  get anyHandle(): FileHandle | undefined {
    for (const handle of this.handles) return handle
    return undefined
  }
}

/** The tree of nodes. It holds what the kernel holds: a node leaves when it was forgotten, is closed, and nothing hangs below it. */
export class Nodes {
  readonly root = new Node(ROOT_ID, true, undefined, '')
  readonly #byId = new Map<number, Node>([[ROOT_ID, this.root]])
  #lastId = MARKER_ID

  get size(): number {
    return this.#byId.size
  }

  get(id: number): Node {
    const node = this.#byId.get(id)
    if (node === undefined) throw fault('ESTALE', `node ${id}`)
    return node
  }

  /** Path on the server. ESTALE when the node, or a directory above, hangs nowhere any more. */
  path(node: Node): string {
    const { names, top } = climb(node)
    if (top !== this.root) throw fault('ESTALE', `the removed ${top.name}`)
    return names.join('\\')
  }

  /** Path for people, of removed files too. */
  shown(node: Node): string {
    const { names, top } = climb(node)
    return top === this.root ? names.join('/') : `${[top.name, ...names].join('/')} (removed)`
  }

  pathOf(parent: Node, name: string): string {
    const above = this.path(parent)
    return above === '' ? name : `${above}\\${name}`
  }

  /**
   * The node for what the server has under this name, counted as one more lookup. When something else took the place of the file that is open
   * here, it gets a node of its own, so that each handle keeps to its own file.
   */
  enter(parent: Node, name: string, info: FileInfo): Node {
    const known = parent.children.get(name)
    if (known !== undefined) {
      if (known.directory === info.directory && !this.isOther(known, info)) {
        known.lookups++
        return known
      }
      this.detach(known)
    }
    const node = new Node(++this.#lastId, info.directory, parent, name)
    node.lookups = 1
    parent.children.set(name, node)
    this.#byId.set(node.id, node)
    return node
  }

  forget(node: Node, lookups: number): void {
    node.lookups = Math.max(0, node.lookups - lookups)
    this.prune(node)
  }

  forgetId(id: number, lookups: number): void {
    const node = this.#byId.get(id)
    if (node !== undefined) this.forget(node, lookups)
  }

  /** Lets go of a node that nothing holds, and of those above that it alone held. */
  prune(node: Node): void {
    for (let at: Node | undefined = node; at !== undefined && at !== this.root; ) {
      if (at.lookups > 0 || at.children.size > 0 || at.handles.size > 0) return
      const above: Node | undefined = at.parent
      this.#byId.delete(at.id)
      this.detach(at)
      at = above
    }
  }

  /** It was renamed; what stood there before hangs nowhere now. */
  move(node: Node, parent: Node, name: string): void {
    const before = parent.children.get(name)
    if (before !== undefined && before !== node) this.detach(before)
    const left = node.parent
    this.detach(node)
    node.parent = parent
    node.name = name
    parent.children.set(name, node)
    if (left !== undefined) this.prune(left)
  }

  /** It was removed or replaced. */
  detach(node: Node): void {
    if (node.parent?.children.get(node.name) === node) node.parent.children.delete(node.name)
    node.parent = undefined
  }

  /** What is open under this node is another file than this one. */
  isOther(node: Node, info: FileInfo): boolean {
    const id = node.anyHandle?.file.info.id ?? 0n
    return id !== 0n && info.id !== 0n && id !== info.id
  }
}

/** The names from below the topmost node that `node` hangs on. */
function climb(node: Node): { names: string[]; top: Node } {
  const names: string[] = []
  let top = node
  for (; top.parent !== undefined; top = top.parent) names.push(top.name)
  return { names: names.reverse(), top }
}
