import { decode, encode, WireError } from '../../base/wire.ts'
import type { DirEntry } from '../files.ts'
import { refused, saysStatus, STATUS } from '../status.ts'
import { handleRequest } from './create.ts'
import { entriesOf, FIND_LEVEL, findFirst, findNext, found } from './find.ts'
import { joined, wirePath } from './path.ts'
import { TRANS2, type Transacted } from './transaction.ts'
import type { Tree } from './tree.ts'

/** A listing of a folder: FIND_FIRST2, then FIND_NEXT2 to its end. [MS-CIFS] 3.2.4.14. The server closes the search at its end, we do before. */
export class Listing {
  readonly #tree: Tree
  readonly #path: string
  readonly #label: string
  /** Windows 2000 and Samba tell ids; NT 4.0 has no such level. */
  #level: number = FIND_LEVEL.ID_FULL_DIRECTORY
  #search: { readonly sid: number; readonly after: string } | undefined
  #begun = false

  constructor(tree: Tree, path: string) {
    this.#tree = tree
    this.#path = path
    this.#label = tree.labelOf(path)
  }

  /** The next entries, `.` and `..` left out; none at the end. */
  async next(restart: boolean): Promise<readonly DirEntry[]> {
    if (restart) {
      await this.end()
      this.#begun = false
    }
    // a batch of dots alone is not the end, but there are only two of them
    for (let dots = 0; dots < 3; dots++) {
      const batch = await this.#batch()
      const named = batch.filter(e => e.name !== '.' && e.name !== '..')
      if (named.length > 0 || batch.length === 0) return named
    }
    throw new WireError(`listing ${this.#label}: nothing but dots`, 0)
  }

  /** Ends what is under way. */
  async end(): Promise<void> {
    const search = this.#search
    this.#search = undefined
    if (search === undefined) return
    const { header } = await this.#tree.farewellRequest({ command: 'FIND_CLOSE2', codec: handleRequest, body: { handle: search.sid } })
    if (header.status !== STATUS.SUCCESS && header.status !== STATUS.INVALID_HANDLE) throw refused(header.status, `listing ${this.#label}`)
  }

  async #batch(): Promise<readonly DirEntry[]> {
    if (this.#begun && this.#search === undefined) return []
    try {
      return this.#search === undefined ? await this.#first() : await this.#more(this.#search)
    } catch (thrown) {
      if (saysStatus(thrown, STATUS.NO_MORE_FILES, STATUS.NO_SUCH_FILE)) {
        this.#begun = true
        this.#search = undefined
        return []
      }
      if (this.#begun || this.#level !== FIND_LEVEL.ID_FULL_DIRECTORY || !saysStatus(thrown, ...UNKNOWN_LEVEL)) throw thrown
      this.#level = FIND_LEVEL.FULL_DIRECTORY
      return this.#batch()
    }
  }

  async #first(): Promise<readonly DirEntry[]> {
    const { unicode } = this.#tree
    wirePath(this.#path, this.#label) // the folder's own name has no wildcards
    const answer = await this.#find(TRANS2.FIND_FIRST2, encode(findFirst, { level: this.#level, pattern: `\\${joined(this.#path, '*')}`, unicode }), 10)
    const { sid } = decode(found, answer.parameters)
    if (sid === undefined) throw new WireError('SMB1 FIND_FIRST2 response: no search in it', 0)
    this.#begun = true
    return this.#taken(sid, answer)
  }

  async #more({ sid, after }: { readonly sid: number; readonly after: string }): Promise<readonly DirEntry[]> {
    const { unicode } = this.#tree
    return this.#taken(sid, await this.#find(TRANS2.FIND_NEXT2, encode(findNext, { sid, level: this.#level, after, unicode }), 8))
  }

  #find(subcommand: number, parameters: Buffer, maxParameters: number): Promise<Transacted> {
    const maxData = this.#tree.session.connection.maxTransact
    return this.#tree.transact('TRANSACTION2', { setup: [subcommand], parameters, maxParameters, maxData }, `listing ${this.#label}`)
  }

  #taken(sid: number, { parameters, data }: Transacted): readonly DirEntry[] {
    const { count, atEnd } = decode(found, parameters)
    const entries = entriesOf(data, { level: this.#level, unicode: this.#tree.unicode, count })
    const last = entries.at(-1)
    this.#search = atEnd || last === undefined ? undefined : { sid, after: last.name }
    return entries
  }
}

const UNKNOWN_LEVEL = [STATUS.INVALID_LEVEL, STATUS.OS2_INVALID_LEVEL, STATUS.NOT_SUPPORTED, STATUS.INVALID_INFO_CLASS, STATUS.NOT_IMPLEMENTED]
