import { isIP, type Socket } from 'node:net'
import { hostname } from 'node:os'
import { asError, errnoOf, NbtrunError } from '../base/errors.ts'
import { now, spell } from '../base/time.ts'
import { callSession } from './call.ts'
import { dial, limited } from './dial.ts'
import type { Peer } from './endpoint.ts'
import { nameKey, type NetbiosName, parseName, SMBSERVER, spellName, SUFFIX } from './names.ts'
import { type NodeStatus, serverNameIn } from './queries.ts'
import { REFUSALS } from './session.ts'

/** How a server is called that is known by its address: `*SMBSERVER` and then by its node status, or by the node status alone, as NT 4.0 SP5 did (Q251166). */
export type ByAddress = 'auto' | 'status'

export interface LadderOptions {
  /** As the user wrote it: a NetBIOS name, a DNS name, an IP address. */
  readonly host: string
  /** Where it is. */
  readonly address: string
  readonly port: number
  /** The one name to call: `NAME` or `NAME#suffix`. Without it the ladder. */
  readonly calledName?: string | undefined
  readonly callingName?: string | undefined
  readonly scope?: string | undefined
  readonly byAddress?: ByAddress | undefined
  /** For everything. */
  readonly timeoutMs: number
  /** A connection to that address that nobody has used yet, for the first call. */
  readonly socket?: Socket | undefined
  /** Asks the node for its names; undefined when it does not answer. */
  readonly status: (address: string, signal: AbortSignal) => Promise<NodeStatus | undefined>
  /** Told of each attempt as it ends. */
  readonly trace?: ((attempt: CallAttempt) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** One thing that was tried. */
export interface CallAttempt {
  readonly what: 'call' | 'node status'
  readonly address: string
  /** Of a call. */
  readonly port?: number
  /** `SRV<20>`: the name that was called, or that the node status gave. */
  readonly name?: string
  readonly outcome: 'taken' | 'answered' | `refused: 0x${string}` | `retargeted to ${string}` | `failed: ${string}`
  /** Of a refusal: RFC 1002 section 4.3.4. */
  readonly reason?: number
  readonly ms: number
}

export interface Called {
  /** Stands after its positive session response; bytes behind it are still to be read. */
  readonly socket: Socket
  /** Where it leads: another place than asked for after a RETARGET. */
  readonly address: string
  readonly port: number
  readonly called: NetbiosName
  readonly attempts: readonly CallAttempt[]
}

/** A server that does not answer a call has this long when there is another name to try. */
const IMPATIENCE_MS = 2500

/** The names to call, in order: RFC 1001 leaves that to the implementation, Q161431 tells the order. */
function rungsOf({ host, calledName, scope = '', byAddress = 'auto' }: LadderOptions): readonly (NetbiosName | 'node status')[] {
  if (calledName !== undefined) return [parseName(calledName, SUFFIX.SERVER, scope)]
  const any = { ...SMBSERVER, scope: scope.toUpperCase() }
  if (isIP(host) !== 0) return byAddress === 'status' ? ['node status'] : [any, 'node status']
  const label = host.split('.', 1)[0] ?? ''
  return /^[\w-]{1,15}$/.test(label) ? [parseName(label, SUFFIX.SERVER, scope), any, 'node status'] : [any, 'node status']
}

/** This machine's name as NetBIOS can say it. */
export function ownName(): string {
  const label = hostname().split('.', 1)[0] ?? ''
  return label.replace(/[^\w-]/g, '').slice(0, 15) || 'NBTRUN'
}

/**
 * Calls a server under one name after the other until one is taken, each on a connection of its own. A RETARGET is followed once. Rejects with
 * CALLED_NAME_REFUSED, naming every attempt (`facts.called`, `facts.reason`: those of the last refusal), CONNECT_FAILED, CONNECTION_LOST, TIMED_OUT, WIRE or the
 * signal's reason; no connection is left then.
 */
export function climb(options: LadderOptions): Promise<Called> {
  const { address, timeoutMs, signal } = options
  return limited(signal, timeoutMs, `the session request to ${address}`, async limit => {
    const ladder = new Ladder(options, limit)
    try {
      return await ladder.climb()
    } catch (thrown) {
      // a caller's own deadline is no other than ours: what was tried is worth more than that time is over
      const cancelled = signal?.aborted === true && !(signal.reason instanceof NbtrunError && signal.reason.code === 'TIMED_OUT')
      if (cancelled) signal.throwIfAborted()
      throw limit.aborted ? ladder.failure() : thrown
    }
  })
}

class Ladder {
  readonly #options: LadderOptions
  readonly #limit: AbortSignal
  readonly #calling: NetbiosName
  readonly #attempts: CallAttempt[] = []
  readonly #refused = new Set<string>()
  readonly #dueAt: number
  #first: Socket | undefined
  #retargeted = false
  #last: NbtrunError | undefined
  #refusal: NbtrunError | undefined

  constructor(options: LadderOptions, limit: AbortSignal) {
    this.#options = options
    this.#limit = limit
    this.#first = options.socket
    this.#calling = parseName(options.callingName ?? ownName(), SUFFIX.WORKSTATION, options.scope)
    this.#dueAt = now() + options.timeoutMs
  }

  async climb(): Promise<Called> {
    const { address, port } = this.#options
    const rungs = rungsOf(this.#options)
    try {
      for (const [i, rung] of rungs.entries()) {
        const name = rung === 'node status' ? await this.#askName() : rung
        if (name === undefined || this.#refused.has(nameKey(name))) continue
        const called = await this.#call({ address, port }, name, i === rungs.length - 1)
        if (called !== undefined) return called
      }
    } finally {
      this.#first?.destroy()
    }
    throw this.failure()
  }

  #note(attempt: CallAttempt): void {
    this.#attempts.push(attempt)
    this.#options.trace?.(attempt)
  }

  async #askName(): Promise<NetbiosName | undefined> {
    const { address, status, scope = '' } = this.#options
    // the server may drop a connection that says nothing for so long
    this.#first?.destroy()
    this.#first = undefined
    const began = now()
    const note = (outcome: CallAttempt['outcome'], name?: NetbiosName): undefined => {
      this.#note({ what: 'node status', address, outcome, ms: now() - began, ...(name === undefined ? {} : { name: spellName(name) }) })
    }
    try {
      const answer = await status(address, this.#limit)
      if (answer === undefined) return note(`failed: no answer within ${spell(now() - began)}`)
      const name = serverNameIn(answer)
      if (name === undefined) return note('failed: it has no name with the suffix 20')
      note('answered', name)
      return { ...name, scope: scope.toUpperCase() }
    } catch (thrown) {
      note(this.#limit.aborted ? `failed: no answer within ${spell(now() - began)}` : `failed: ${asError(thrown).message}`)
      this.#limit.throwIfAborted()
      return undefined
    }
  }

  /** Undefined when another name may do better. */
  async #call(to: Peer, called: NetbiosName, last: boolean): Promise<Called | undefined> {
    const left = Math.max(1, this.#dueAt - now())
    const began = now()
    const note = (outcome: CallAttempt['outcome'], reason?: number): void => {
      const { address, port } = to
      this.#note({ what: 'call', address, port, name: spellName(called), outcome, ms: now() - began, ...(reason === undefined ? {} : { reason }) })
    }
    let socket: Socket
    try {
      socket = this.#first ?? (await dial(to.address, to.port, this.#limit))
    } catch (thrown) {
      note(this.#limit.aborted ? `failed: no connection within ${spell(now() - began)}` : `failed: ${errnoOf(thrown) ?? asError(thrown).message}`)
      this.#limit.throwIfAborted()
      // the first port that refuses a connection refuses the next one, too; the place of a RETARGET is another one
      if (this.#retargeted) return undefined
      throw new NbtrunError('CONNECT_FAILED', `cannot connect to ${to.address} port ${to.port}: ${errnoOf(thrown) ?? 'failed'}`, { cause: thrown })
    }
    this.#first = undefined
    try {
      await callSession(socket, { called, calling: this.#calling }, last ? left : Math.min(left, IMPATIENCE_MS), this.#limit)
      note('taken')
      return { socket, address: to.address, port: to.port, called, attempts: this.#attempts }
    } catch (thrown) {
      socket.destroy()
      if (this.#limit.aborted) {
        this.#last = new NbtrunError('TIMED_OUT', `called name ${spellName(called)}: no answer within ${spell(now() - began)}`)
        note(`failed: no answer within ${spell(now() - began)}`)
        throw this.#last
      }
      return this.#refusedCall(asError(thrown), to, called, last, note)
    }
  }

  async #refusedCall(
    error: NbtrunError,
    to: Peer,
    called: NetbiosName,
    last: boolean,
    note: (outcome: CallAttempt['outcome'], reason?: number) => void,
  ): Promise<Called | undefined> {
    this.#last = error
    if (error.code !== 'CALLED_NAME_REFUSED') {
      note(`failed: ${error.message}`)
      if (error.code === 'TIMED_OUT' || error.code === 'CONNECTION_LOST') return undefined
      throw error
    }
    this.#refusal = error
    const { reason, retarget } = error.facts
    if (typeof retarget === 'string') {
      const [address = '', port = ''] = retarget.split(':')
      note(`retargeted to ${retarget}`)
      if (this.#retargeted) return undefined
      this.#retargeted = true
      return this.#call({ address, port: Number(port) }, called, last)
    }
    const code = Number(reason)
    note(`refused: 0x${code.toString(16).padStart(2, '0')} (${REFUSALS.get(code) ?? 'a reason RFC 1002 does not know'})`, code)
    if (to.address === this.#options.address) this.#refused.add(nameKey(called))
    // who has no room under one name has none under another
    if (code === NO_ROOM) throw this.failure()
    return undefined
  }

  /** One line that names every attempt. */
  failure(): NbtrunError {
    const tried = this.#attempts.map(spellAttempt).join(', ')
    const error = this.#refusal ?? this.#last
    if (this.#attempts.length === 1 && error !== undefined) {
      if (error.code !== 'CALLED_NAME_REFUSED') return error
      return new NbtrunError('CALLED_NAME_REFUSED', `${this.#options.address}: ${error.message}`, { cause: error, facts: error.facts, hint: HINT })
    }
    return new NbtrunError(error?.code ?? (this.#limit.aborted ? 'TIMED_OUT' : 'CALLED_NAME_REFUSED'), `${this.#options.address}: ${tried}`, {
      cause: error,
      facts: error?.facts ?? {},
      hint: HINT,
    })
  }
}

const NO_ROOM = 0x83
const HINT = 'give the name the server answers to with --called-name'

/** `called name SRV<20> refused: 0x82`, `node status: no answer within 1.8 s`. */
export function spellAttempt({ what, name, outcome }: CallAttempt): string {
  const shown = outcome.replace(/^failed: /, '')
  if (what === 'node status') return `node status: ${shown}${name === undefined ? '' : ` ${name}`}`
  return outcome.startsWith('failed') ? `called name ${name ?? ''}: ${shown}` : `called name ${name ?? ''} ${shown}`
}
