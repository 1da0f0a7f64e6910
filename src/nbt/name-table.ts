import { NbtrunError } from '../base/errors.ts'
import { type Deferred, deferred } from '../base/time.ts'
import { nameKey, type NetbiosName, spellName } from './names.ts'
import type { Registration } from './registrations.ts'

/** RFC 1001 section 15.1.3, as a node status shows it. */
export type NameState = 'registering' | 'active' | 'conflict' | 'releasing'

/** Why a name cannot be freed yet. */
export interface Reference {
  /** Who has it: `session from CLIENT<00> at 10.0.0.7:1025`. */
  readonly holder: string
  readonly reason: 'session'
}

export interface NameView {
  readonly name: string
  readonly group: boolean
  readonly state: NameState
  /** Deleted while sessions were open: it goes with the last one. */
  readonly deleted: boolean
  readonly references: readonly Reference[]
  /** How many datagrams came for it. They hold nothing. */
  readonly datagrams: number
}

/** A name in the table, made by `NameTable.add`. */
export class NameEntry {
  readonly name: NetbiosName
  readonly group: boolean
  /** Resolves when the name is out of the table. */
  readonly gone: Promise<void>
  /** Who knows the name, once it is active. */
  registration: Registration | undefined
  datagrams = 0
  #state: NameState = 'registering'
  #deleted = false
  readonly #references = new Set<Reference>()
  readonly #unused: Deferred<void> = deferred()
  readonly #gone: Deferred<void> = deferred()
  readonly #remove: () => void

  constructor(name: NetbiosName, group: boolean, remove: () => void) {
    this.name = name
    this.group = group
    this.gone = this.#gone.promise
    this.#remove = remove
  }

  get state(): NameState {
    return this.#state
  }

  get references(): readonly Reference[] {
    return [...this.#references]
  }

  /** Whether it is ours to answer for: also when it is deleted and sessions still use it. */
  get isOwned(): boolean {
    return this.#state === 'active' || (this.#state === 'releasing' && this.#references.size > 0)
  }

  /** Whether new sessions and datagrams are for it. */
  get isOpen(): boolean {
    return this.#state === 'active'
  }

  activate(registration: Registration): void {
    if (this.#state === 'registering') this.#state = 'active'
    this.registration = registration
  }

  /** Somebody who may say so said that it is another's. */
  lose(): void {
    if (this.#state !== 'releasing') this.#state = 'conflict'
  }

  /** For an established session, and for nothing else (Q124565): holds the name until the returned function is called. Throws CLOSED unless the name is active. */
  refer(holder: string): () => void {
    if (!this.isOpen) throw new NbtrunError('CLOSED', `${spellName(this.name)} takes no sessions: it is ${this.#state}`)
    const reference: Reference = { holder, reason: 'session' }
    this.#references.add(reference)
    return () => {
      this.#references.delete(reference)
      if (this.#deleted && this.#references.size === 0) this.#unused.resolve()
    }
  }

  /** Deletes the name: resolves when no session uses it any more, which is at once where none does. Its owner gives it back then, and calls `free`. */
  delete(): Promise<void> {
    this.#deleted = true
    this.#state = 'releasing'
    if (this.#references.size === 0) this.#unused.resolve()
    return this.#unused.promise
  }

  /** Takes it out of the table. */
  free(): void {
    this.#remove()
    this.#gone.resolve()
  }

  view(): NameView {
    const { group, datagrams, references } = this
    return { name: spellName(this.name), group, state: this.#state, deleted: this.#deleted, references, datagrams }
  }
}

/** The names of one node. RFC 1001 section 11. Pure bookkeeping: what goes over the wire is its owner's business. */
export class NameTable {
  readonly #entries = new Map<string, NameEntry>()

  /** A new entry, registering. Throws NAME_HELD when the name is in the table, naming who holds it there. */
  add(name: NetbiosName, group: boolean): NameEntry {
    const key = nameKey(name)
    const there = this.#entries.get(key)
    if (there !== undefined) {
      const holders = there.references.map(({ holder }) => holder)
      const why = holders.length === 0 ? `it is ${there.state}` : `held by ${holders.join(', ')}`
      throw new NbtrunError('NAME_HELD', `the name ${spellName(name)} is in this node's own table: ${why}`, { facts: { name: spellName(name) } })
    }
    const entry = new NameEntry(name, group, () => this.#entries.delete(key))
    this.#entries.set(key, entry)
    return entry
  }

  find(name: NetbiosName): NameEntry | undefined {
    return this.#entries.get(nameKey(name))
  }

  /** A datagram came for the name: counted, and no reference whatever it is about. */
  datagram(name: NetbiosName): NameEntry | undefined {
    const entry = this.find(name)
    if (entry?.isOpen !== true) return undefined
    entry.datagrams++
    return entry
  }

  get entries(): readonly NameEntry[] {
    return [...this.#entries.values()]
  }

  /** For people who look for what holds a name. */
  view(): readonly NameView[] {
    return this.entries.map(entry => entry.view())
  }
}
