import { NbtrunError } from '../base/errors.ts'
import type { NameEntry, NameState } from './name-table.ts'
import type { NetbiosName } from './names.ts'
import type { NameNetwork } from './queries.ts'
import { Refresher } from './refresh.ts'
import { type Registration, type Released, releaseName, type WireClaim } from './registrations.ts'

interface HeldNameParts {
  readonly entry: NameEntry
  /** One for each address under which the name is found, the first one first. */
  readonly claims: readonly [WireClaim, ...WireClaim[]]
  readonly network: NameNetwork
  readonly registration: Registration
  readonly onGone: () => void
}

/** A name that is ours until `release`. Made by `EndNode.register`. */
export class HeldName {
  readonly entry: NameEntry
  readonly registration: Registration
  /** Called once when somebody who may do so takes the name away. */
  onLost: (error: NbtrunError) => void = () => {}
  readonly #parts: HeldNameParts
  readonly #refresher: Refresher
  #released: Promise<readonly Released[]> | undefined
  #lost = false

  constructor(parts: HeldNameParts) {
    this.#parts = parts
    this.entry = parts.entry
    this.registration = parts.registration
    this.#refresher = new Refresher(parts.network, parts.claims, parts.registration, by => this.lose(`the name server ${by} gave it to another host`))
  }

  get name(): NetbiosName {
    return this.entry.name
  }

  /** Under which it is found, the first one first. */
  get addresses(): readonly string[] {
    return this.#parts.claims.map(({ owner }) => owner.address)
  }

  get state(): NameState {
    return this.entry.state
  }

  /** How often the name server prolonged it. */
  get refreshed(): number {
    return this.#refresher.refreshed
  }

  /** For the node: the name is another's from now on. */
  lose(why: string): void {
    if (this.#lost || this.#released !== undefined) return
    this.#lost = true
    this.#refresher.stop()
    this.entry.lose()
    this.onLost(new NbtrunError('NAME_HELD', why))
  }

  /**
   * Deletes the name. With sessions open it is marked, and given back with the last one; without, at once, here and where it is registered. Resolves when that
   * is done, to how; never rejects. The signal cuts the asking of a name server short. A second call waits for the first.
   */
  release(signal?: AbortSignal): Promise<readonly Released[]> {
    return (this.#released ??= this.#release(signal))
  }

  async #release(signal: AbortSignal | undefined): Promise<readonly Released[]> {
    const { entry, claims, network, registration, onGone } = this.#parts
    await entry.delete()
    this.#refresher.stop() // not before: what sessions still use stays ours
    const outcome = this.#lost ? [] : await releaseName(network, claims, registration, signal)
    entry.free()
    onGone()
    return outcome
  }
}
