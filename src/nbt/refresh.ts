import { NbtrunError } from '../base/errors.ts'
import type { Claim } from './name-messages.ts'
import type { NameNetwork } from './queries.ts'
import { refreshAt, type Registration } from './registrations.ts'

/** setTimeout takes 31 bits; a name server may promise more. */
const LONGEST_TIMER_MS = 2 ** 31 - 1
/** However short the life that a name server gives. */
const SHORTEST_MS = 250

/**
 * Keeps a name alive at its name server: asks when half of its life is over, and, unanswered, when half of the rest is. A life of 0 has no end and needs
 * nothing. Its owner stops it.
 */
export class Refresher {
  readonly #network: NameNetwork
  readonly #claims: readonly Claim[]
  readonly #server: string
  readonly #onLost: (by: string) => void
  readonly #stop = new AbortController()
  #timer: NodeJS.Timeout | undefined
  /** How often the name server said yes. */
  refreshed = 0

  constructor(network: NameNetwork, claims: readonly Claim[], { server, ttl }: Registration, onLost: (by: string) => void) {
    this.#network = network
    this.#claims = claims
    this.#server = server ?? ''
    this.#onLost = onLost
    if (server !== undefined && ttl > 0) this.#arm(ttl * 500, ttl * 500)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#stop.abort(new NbtrunError('CLOSED', 'the name is given back'))
  }

  /** `left`: ms of life after that. */
  #arm(ms: number, left: number): void {
    this.#timer = setTimeout(() => void this.#refresh(left), Math.min(Math.max(ms, SHORTEST_MS), LONGEST_TIMER_MS))
  }

  async #refresh(left: number): Promise<void> {
    const signal = this.#stop.signal
    try {
      let ttl = 0
      for (const claim of this.#claims) ttl = await refreshAt(this.#network, this.#server, claim, signal)
      if (signal.aborted) return
      this.refreshed++
      if (ttl > 0) this.#arm(ttl * 500, ttl * 500)
    } catch (thrown) {
      if (signal.aborted) return
      if (thrown instanceof NbtrunError && thrown.code === 'NAME_HELD') return this.#onLost(this.#server)
      this.#arm(left / 2, left / 2)
    }
  }
}
