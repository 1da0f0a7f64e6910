import { NbtrunError } from '../base/errors.ts'
import type { Scope } from '../base/scope.ts'
import { type Held, Holder } from '../nbt/hold.ts'
import { type NetbiosName, parseName, spellName, SUFFIX } from '../nbt/names.ts'
import { PORTS } from '../nbt/ports.ts'
import type { Released } from '../nbt/registrations.ts'
import { BRISK_TIMES } from '../nbt/times.ts'
import type { Settings } from '../profile/settings.ts'
import { handedDownUdp } from './handed-down.ts'
import type { Journal } from './journal/journal.ts'
import { nameId } from './journal/entry.ts'
import type { Record } from './record.ts'

/** How long a name server may take to let a name go, ms. */
const RELEASE_MS = 2000
const CLOSE_MS = 1000

/** The names of `--hold-name`: taken before the first connection, given back after the last. */
export class Names {
  readonly #names: readonly NetbiosName[]
  readonly #settings: Settings
  /** A socket that is ours, though it was open when nbtrun started. */
  readonly #socket: number | undefined
  #warned = false

  constructor(settings: Settings, env: Readonly<{ [name: string]: string | undefined }>) {
    const all = settings['hold-name'].map(written => parseName(written, SUFFIX.SERVER, settings.scope))
    this.#names = [...new Map(all.map(name => [spellName(name), name])).values()]
    this.#settings = settings
    this.#socket = handedDownUdp(env, PORTS.name)
  }

  /** Without the one that is not for the program. */
  without(descriptors: readonly number[]): readonly number[] {
    return descriptors.filter(fd => fd !== this.#socket)
  }

  /** As the journal knows them. */
  get ids(): ReadonlySet<string> {
    return new Set(this.#names.map(nameId))
  }

  /** Holds each name, with its way back in ledger and journal. Rejects with NAME_HELD, telling who has it, PORT_UNAVAILABLE with its cures, or why a name server refused. */
  async hold(scope: Scope, record: Record, journal: Journal): Promise<void> {
    const { wins, scope: netbiosScope } = this.#settings
    record.names = [] // those of a try that failed
    record.node = undefined
    const what = this.#names.map(spellName).join(', ')
    record.tell({ type: 'progress', doing: `registering ${what}` })
    const holder = await scope.acquire('name', 'name service', {
      open: signal => Holder.open({ wins, scope: netbiosScope, times: BRISK_TIMES, nameSocket: this.#socket, signal }).catch(cannotHold(what)),
      undo: (open, signal) => open.close(signal),
      undoMs: CLOSE_MS,
    })
    record.node = holder.node
    for (const name of this.#names) {
      const spelled = spellName(name)
      const { name: held } = await scope.acquire('name', `name ${spelled}`, {
        open: signal => take(holder, name, journal, signal),
        undo: async (open, signal) => {
          const outcome = await giveBack(open, signal)
          journal.nameGone(name)
          return outcome
        },
        undoMs: RELEASE_MS,
        undoName: `RELEASE ${spelled}`,
      })
      const { server = null, broadcast } = held.registration
      const at = record.names.length
      const line = { name: spelled, addresses: held.addresses, server, broadcast, defended: holder.node.isDefended }
      record.names = [...record.names, { ...line, lost: null }]
      held.onLost = ({ message }) => {
        record.names = record.names.with(at, { ...line, lost: message })
        journal.nameGone(name) // it is another host's, and none of ours to give back
        record.tell({ type: 'warning', message, hint: 'whoever calls it now reaches another host' })
      }
    }
    if (holder.undefended !== undefined && !this.#warned) {
      this.#warned = true
      const { message, hint } = holder.undefended
      const why = `nobody defends ${what}, registered at the name server alone: ${message}`
      record.tell({ type: 'warning', message: why, ...(hint === undefined ? {} : { hint }) })
    }
  }
}

/** It is in the journal before anybody can know of it. */
async function take(holder: Holder, name: NetbiosName, journal: Journal, signal: AbortSignal): Promise<Held> {
  const { network, owns } = holder.node
  const line = { ...name, addresses: owns.map(({ address }) => address), wins: network.wins, node: network.nodeType }
  await journal.name(line)
  try {
    const held = await holder.hold(name, { signal })
    const { server } = held.name.registration
    if (server !== undefined) journal.nameAt({ ...line, addresses: held.name.addresses, wins: [server] })
    return held
  } catch (thrown) {
    journal.nameGone(name)
    throw thrown
  }
}

function cannotHold(what: string): (thrown: unknown) => never {
  return thrown => {
    if (!(thrown instanceof NbtrunError) || thrown.code !== 'PORT_UNAVAILABLE') throw thrown
    const { code, message, hint = 'end what has it, or register at a WINS server from another port', facts } = thrown
    throw new NbtrunError(code, `${what} cannot be held: ${message}`, { cause: thrown, facts, hint: `${hint} (--wins ADDRESS)` })
  }
}

/** What the name server answered; a failure where one did not let go. */
async function giveBack(held: Held, signal: AbortSignal): Promise<string> {
  const released = await held.release(signal)
  const failed = released.filter(({ outcome }) => outcome.startsWith('failed'))
  if (failed.length > 0) throw new NbtrunError('SERVER_REFUSED', spell(failed))
  return released.length === 0 ? 'lost before' : spell(released)
}

const spell = (released: readonly Released[]): string => released.map(({ where, outcome }) => `${where}: ${outcome.replace(/^failed: /, '')}`).join(', ')
