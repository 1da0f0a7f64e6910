import { asError, type NbtrunError } from '../../base/errors.ts'
import type { DirEntry, OpenFile } from '../../smb/files.ts'
import type { Ask } from './desk.ts'
import { fault } from './errno.ts'
import type { Node, Nodes } from './nodes.ts'

/** A file that a program opened. */
export class FileHandle {
  readonly fh: number
  readonly node: Node
  readonly file: OpenFile
  readonly readable: boolean
  readonly writable: boolean
  /** A lock taken through it is gone for good, so nothing read or written through it can be relied on. */
  lost = false
  /** Writes that the server has not answered, whether or not their program still waits. */
  readonly writes = new Map<Ask, Promise<void>>()

  constructor(fh: number, node: Node, file: OpenFile, readable: boolean, writable: boolean) {
    this.fh = fh
    this.node = node
    this.file = file
    this.readable = readable
    this.writable = writable
  }

  /**
   * Before another change: a write given up by a deadline or a signal may still be under way, and must not land on top of what follows. A write that is itself
   * among them waits for those before it alone; for itself it would wait for ever.
   */
  async calm(self?: Ask): Promise<void> {
    const before: Promise<void>[] = []
    for (const [ask, write] of this.writes) {
      if (ask === self) break
      if (ask.ended) before.push(write)
    }
    await Promise.allSettled(before)
  }

  /** Until the writes somebody waits for are answered. Those given up were reported as failed when that happened. */
  async answered(): Promise<void> {
    await Promise.allSettled([...this.writes].filter(([ask]) => !ask.ended).map(([, write]) => write))
  }

  /** Until the server has answered every write. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.writes.values())
  }
}

/** A directory being listed. */
export class DirHandle {
  readonly fh: number
  readonly node: Node
  readonly file: OpenFile
  #entries: DirEntry[] = []
  #started = false
  #complete = false
  #turn: Promise<unknown> = Promise.resolve()

  constructor(fh: number, node: Node, file: OpenFile) {
    this.fh = fh
    this.node = node
    this.file = file
  }

  /** What was fetched so far. It stays, because seekdir(3) may go back to any of it. */
  get entries(): readonly DirEntry[] {
    return this.#entries
  }

  /** Fetches until there is an entry `index`, or the listing ends. `restart` begins anew. */
  fetch(index: number, restart: boolean): Promise<void> {
    const fetched = this.#turn.then(() => this.#fetch(index, restart))
    this.#turn = fetched.catch(() => {})
    return fetched
  }

  async #fetch(index: number, restart: boolean): Promise<void> {
    if (restart && this.#started) {
      this.#entries = []
      this.#started = this.#complete = false
    }
    while (!this.#complete && this.#entries.length <= index) {
      const batch = await this.file.entries(!this.#started)
      this.#started = true
      this.#complete = batch.length === 0
      for (const entry of batch) this.#entries.push(entry)
    }
  }
}

/** What is open. Handles and closings belong here until the server has acknowledged the close. */
export class Handles {
  readonly #nodes: Nodes
  readonly #warn: (message: string) => void
  readonly #files = new Map<number, FileHandle>()
  readonly #directories = new Map<number, DirHandle>()
  /** Releases under way, and those of them whose CLOSE was sent. */
  readonly #releasing = new Set<Promise<void>>()
  readonly #closing = new Set<Promise<void>>()
  #lastFh = 0
  #silenceTold = false

  constructor(nodes: Nodes, warn: (message: string) => void) {
    this.#nodes = nodes
    this.#warn = warn
  }

  addFile(node: Node, file: OpenFile, readable: boolean, writable: boolean): FileHandle {
    const handle = new FileHandle(++this.#lastFh, node, file, readable, writable)
    file.onStale = () => void node.locks?.forsake(handle)
    this.#files.set(handle.fh, handle)
    node.handles.add(handle)
    return handle
  }

  addDirectory(node: Node, file: OpenFile): DirHandle {
    const handle = new DirHandle(++this.#lastFh, node, file)
    this.#directories.set(handle.fh, handle)
    return handle
  }

  file(fh: number): FileHandle {
    const handle = this.#files.get(fh)
    if (handle === undefined) throw fault('EBADF', `file handle ${fh}`)
    return handle
  }

  directory(fh: number): DirHandle {
    const handle = this.#directories.get(fh)
    if (handle === undefined) throw fault('EBADF', `directory handle ${fh}`)
    return handle
  }

  get files(): readonly FileHandle[] {
    return [...this.#files.values()]
  }

  /** Closes on the server once all writes were answered and no lock of others stands on it any more. Never rejects: failures are warned of. */
  releaseFile(handle: FileHandle): Promise<void> {
    const { node } = handle
    this.#files.delete(handle.fh)
    node.handles.delete(handle)
    return track(this.#releasing, async () => {
      await node.locks?.leave(handle)
      await track(this.#closing, async () => {
        await handle.settled()
        await this.close(handle.file, node.name)
      })
      if (node.handles.size === 0) node.unhide()
      this.#nodes.prune(node)
    })
  }

  releaseDirectory(handle: DirHandle): Promise<void> {
    this.#directories.delete(handle.fh)
    return track(this.#releasing, () => track(this.#closing, () => this.close(handle.file, handle.node.name)))
  }

  /** Closes what nobody got to use, or nobody uses any more. */
  async close(file: OpenFile, name: string): Promise<void> {
    const end = await file.close()
    if (end.how === 'clean') this.#silenceTold = false
    if (end.how !== 'forced') return
    const error = end.error === undefined ? undefined : asError(end.error)
    this.#complain(`closing ${name}: ${error?.message ?? end.why}`, error)
  }

  /** Closing everything took longer than it may. */
  late(error: NbtrunError): void {
    this.#complain(error.line, error)
  }

  /** A silent server is told once until it answers again: it would be the same of every file. */
  #complain(line: string, error: NbtrunError | undefined): void {
    if (error?.code === 'TIMED_OUT') {
      if (this.#silenceTold) return
      this.#silenceTold = true
    }
    this.#warn(line)
  }

  /** Until the closes under way are acknowledged: a program that closed a file must not meet its own open when it removes or renames it. */
  async closed(): Promise<void> {
    if (this.#closing.size > 0) await Promise.all(this.#closing)
  }

  /** Closes everything; resolves when all of it was acknowledged. */
  async releaseAll(): Promise<void> {
    for (const handle of this.#files.values()) handle.node.locks?.abandon()
    for (const handle of this.#files.values()) void this.releaseFile(handle)
    for (const handle of this.#directories.values()) void this.releaseDirectory(handle)
    await Promise.all(this.#releasing)
  }
}

async function track(set: Set<Promise<void>>, work: () => Promise<void>): Promise<void> {
  const going = work()
  set.add(going)
  await going
  set.delete(going)
}
