import { existsSync } from 'node:fs'
import { isIP } from 'node:net'
import { now } from '../../base/time.ts'
import { limited } from '../../nbt/dial.ts'
import { hostFinder, LMHOSTS, type Found } from '../../nbt/find.ts'
import { NAME_SOURCES, type NameSource } from '../../nbt/name-order.ts'
import type { ResolveAttempt } from '../../nbt/resolve.ts'
import { type Check, failed, note, ok, type Seen } from './check.ts'
import type { Patient, Target } from './patient.ts'
import { connectMs } from './patience.ts'

const NAMES_MS = 60_000
/** Sources of NetBIOS share out their time themselves, and then say what each answered; DNS does not. */
const SLACK_MS = 500

/**
 * The name, looked for as a run does, and then wherever that did not ask: who gives different answers should be known. Broadcasts go out only where they were
 * asked for, since anybody may answer them.
 */
export const NAMES: readonly Check[] = [
  {
    group: 'names',
    check: 'address',
    limitMs: NAMES_MS,
    async look(patient, signal) {
      const { target, settings } = patient
      const { host } = target!
      if (isIP(host) !== 0) {
        patient.found = { addresses: [host], by: 'address' }
        return ok(`${host} is one`, { addresses: [host], by: 'address' })
      }
      const began = now()
      const said = new Map<NameSource, Said>()
      let why: unknown
      try {
        patient.found = await ask(patient, host, settings['name-order'], said, signal)
      } catch (thrown) {
        signal.throwIfAborted()
        why = thrown
      }
      for (const source of NAME_SOURCES) {
        if (said.has(source) || whyNot(source, patient, target!) !== undefined) continue
        await ask(patient, host, [source], said, signal).catch(() => signal.throwIfAborted()) // what it said is noted
      }
      return [...rows(said, patient), { ms: now() - began, ...verdict(patient.found, why, said) }]
    },
  },
]

export type Said = { readonly outcome: ResolveAttempt['outcome']; readonly ms: number; readonly addresses: readonly string[] }

async function ask({ settings }: Patient, host: string, order: readonly NameSource[], said: Map<NameSource, Said>, signal: AbortSignal): Promise<Found> {
  const { wins, scope } = settings
  const trace = ({ source, outcome, ms }: ResolveAttempt): void => {
    if (source !== 'cache') said.set(source, { outcome, ms, addresses: [] })
  }
  const timeoutMs = connectMs(settings)
  const find = hostFinder({ order, wins, scope })
  const found = await limited(signal, timeoutMs + SLACK_MS, `finding ${host}`, limit => find(host, { timeoutMs, signal: limit, trace }))
  for (const source of NAME_SOURCES) {
    const own = said.get(source)
    if (own !== undefined && source === found.by) said.set(source, { ...own, addresses: found.addresses })
  }
  return found
}

/** Why a source is not asked; undefined where it is. */
function whyNot(source: NameSource, { settings }: Patient, { host }: Target): string | undefined {
  if (source !== 'dns' && host.includes('.')) return 'a name with dots is for DNS alone'
  if (source === 'lmhosts' && !existsSync(LMHOSTS)) return `there is no ${LMHOSTS}`
  if (source === 'wins' && (settings.wins ?? []).length === 0) return 'no name server is known: --wins ADDRESS'
  if (source === 'bcast' && !settings['name-order'].includes('bcast')) return 'anybody may answer: --name-order bcast asks'
  return undefined
}

function rows(said: ReadonlyMap<NameSource, Said>, patient: Patient): Seen[] {
  return NAME_SOURCES.map(source => {
    const own = said.get(source)
    if (own === undefined) return { check: source, state: 'skipped', text: whyNot(source, patient, patient.target!) ?? 'not asked' }
    const { outcome, ms, addresses } = own
    if (outcome === 'found') return { check: source, ms, ...ok(addresses.join(', '), { addresses }) }
    return { check: source, ms, ...note(outcome.replace(/^(?:failed|passed over): /, '')) }
  })
}

/** What a run would take, and who says otherwise. */
export function verdict(found: Found | undefined, why: unknown, said: ReadonlyMap<NameSource, Said>): Seen {
  const others = [...said].filter(([, { addresses }]) => addresses.length > 0)
  if (found === undefined) {
    const unused = others.map(([source, { addresses }]) => `${source} knows ${addresses.join(', ')}: --name-order ${source}`)
    const seen = failed(why)
    return unused.length === 0 ? seen : { ...seen, cure: unused.join('; or ') }
  }
  const { addresses, by } = found
  const facts = { addresses, by }
  const against = others.filter(([, other]) => !other.addresses.some(address => addresses.includes(address)))
  if (against.length === 0) return ok(`${addresses.join(', ')} by ${by}`, facts)
  const told = against.map(([source, other]) => `${source} says ${other.addresses.join(', ')}`).join(', ')
  return note(`${by} says ${addresses.join(', ')}, but ${told}`, 'NAMES_DISAGREE', undefined, facts)
}
