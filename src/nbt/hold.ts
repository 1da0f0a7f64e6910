import { NbtrunError } from '../base/errors.ts'
import type { NbtOptions } from './api.ts'
import type { Interface } from './endpoint.ts'
import type { HeldName } from './held-name.ts'
import { type NetbiosName, parseName, spellName, SUFFIX } from './names.ts'
import { EndNode } from './node.ts'
import { queryServer } from './queries.ts'
import type { Released } from './registrations.ts'
import { reserve } from './reserve.ts'

export interface HolderOptions extends Omit<NbtOptions, 'broadcasts'> {
  /** Seconds that a name server is asked to keep a name; it is refreshed in time. */
  readonly ttl?: number | undefined
  /** The address under which names are found; all of this machine's unless told. */
  readonly own?: Interface | undefined
  /** A socket that somebody else bound to UDP port 137 for this process: its descriptor. */
  readonly nameSocket?: number | undefined
}

/** A name that is held until it is released. */
export interface Held {
  readonly name: HeldName
  /** Gives the name back. The signal cuts the asking of a name server short. Never rejects. */
  release(signal?: AbortSignal): Promise<readonly Released[]>
}

/** A node that holds names for the life of a program: claimed, defended, refreshed, and calls of them refused as "not listening". Its owner closes it. */
export class Holder {
  readonly node: EndNode
  /** Why nobody defends what is held here: the name server gives it to whoever challenges it. */
  readonly undefended: NbtrunError | undefined
  readonly #held = new Set<Held>()

  private constructor(node: EndNode, undefended: NbtrunError | undefined) {
    this.node = node
    this.undefended = undefended
  }

  /**
   * Where UDP 137 cannot be bound names are registered at the name servers alone, from another port. Rejects with PORT_UNAVAILABLE where none is named,
   * CONNECT_FAILED or the signal's reason; nothing is open then.
   */
  static async open({ nameSocket, ...options }: HolderOptions = {}): Promise<Holder> {
    options.signal?.throwIfAborted()
    try {
      // calls are refused rather than left alone, where port 139 is free
      return new Holder(await EndNode.open({ ...options, nameSocket, sessions: 'if free' }), undefined)
    } catch (thrown) {
      if (!(thrown instanceof NbtrunError && thrown.code === 'PORT_UNAVAILABLE') || (options.wins ?? []).length === 0) throw thrown
      return new Holder(await EndNode.open({ ...options, undefended: true }), thrown)
    }
  }

  /** Claims a name. Rejects with NAME_HELD (`facts.by`), TIMED_OUT, SERVER_REFUSED, CONNECT_FAILED, CLOSED or the signal's reason; it is not held then. */
  async hold(name: NetbiosName, { group, signal }: { readonly group?: boolean | undefined; readonly signal?: AbortSignal | undefined } = {}): Promise<Held> {
    const giveBack = await reserve(name)
    try {
      await this.#refuseNeighbour(name, signal)
      const held: Held = {
        name: await this.node.register(name, { group, signal }),
        release: async until => {
          const outcome = await held.name.release(until)
          await giveBack()
          this.#held.delete(held)
          return outcome
        },
      }
      this.#held.add(held)
      return held
    } catch (thrown) {
      await giveBack()
      throw thrown
    }
  }

  /** Gives every name back and closes. Never rejects. */
  async close(signal?: AbortSignal): Promise<void> {
    await this.node.close(signal)
    await Promise.all([...this.#held].map(each => each.release(signal)))
  }

  /** Another name service on this machine (nmbd) may have the name itself; the name server could not tell the two of us apart. */
  async #refuseNeighbour(name: NetbiosName, signal: AbortSignal | undefined): Promise<void> {
    const { network, owns } = this.node
    const [{ address }] = owns
    // what a name server on this very machine knows of others is no name of the machine
    if (this.undefended?.facts['reason'] !== 'EADDRINUSE' || network.wins.includes(address)) return
    const once = { ...network, times: { ...network.times, unicastTries: 1, unicastMs: Math.min(500, network.times.unicastMs) } }
    const answer = await queryServer(once, address, name, signal)
    if (typeof answer !== 'object' || answer.group || !answer.owners.some(owner => owner.address === address)) return
    throw new NbtrunError('NAME_HELD', `the name ${spellName(name)} is held by the name service of this machine`, {
      facts: { name: spellName(name), by: address },
    })
  }
}

export interface HoldOptions extends Omit<HolderOptions, 'nameSocket'> {
  readonly group?: boolean | undefined
}

/** A name that is held until `close`. */
export interface Hold {
  readonly name: HeldName
  readonly node: EndNode
  /** False where port 137 could not be had: the name stands at the name server, and whoever challenges it gets it. */
  readonly isDefended: boolean
  /** What should be known about that. */
  readonly warning: string | undefined
  /** Gives the name back and closes everything. The signal cuts the asking of a name server short. Never rejects. */
  close(signal?: AbortSignal): Promise<void>
}

/**
 * Holds a name: `PAYROLL#20`. Where UDP 137 cannot be bound it is registered at the name servers alone, with a warning. Rejects with NAME_HELD (`facts.by`),
 * PORT_UNAVAILABLE, TIMED_OUT, SERVER_REFUSED, USAGE, CONNECT_FAILED or the signal's reason; nothing is held then.
 */
export async function hold(name: string | NetbiosName, options: HoldOptions = {}): Promise<Hold> {
  const { signal, group, scope } = options
  const wanted = typeof name === 'string' ? parseName(name, SUFFIX.SERVER, scope) : name
  const holder = await Holder.open(options)
  try {
    const held = await holder.hold(wanted, { group, signal })
    const { node, undefended } = holder
    const warning = undefended === undefined ? undefined : nobodyDefends(wanted, undefended)
    return { name: held.name, node, isDefended: node.isDefended, warning, close: until => holder.close(until) }
  } catch (thrown) {
    await holder.close()
    throw thrown
  }
}

/** The line that says so. */
export function nobodyDefends(name: NetbiosName, why: NbtrunError): string {
  return `nobody defends ${spellName(name)}: ${why.message}; it is registered at the name server alone`
}
