import { isIPv4 } from 'node:net'
import { now } from '../../base/time.ts'
import { nodeStatus, statusFor } from '../../nbt/api.ts'
import { dial, limited } from '../../nbt/dial.ts'
import { type CallAttempt, climb, spellAttempt } from '../../nbt/ladder.ts'
import { spellName } from '../../nbt/names.ts'
import { serverNameIn } from '../../nbt/queries.ts'
import { type Way, waysOf, whyNot } from '../../smb/transport.ts'
import { type Check, failed, finding, note, ok, type Seen } from './check.ts'
import type { Patient } from './patient.ts'
import { connectMs } from './patience.ts'

const PORT_MS = 5000
/** Of a host with many addresses. */
const MOST_ADDRESSES = 3
const STATUS_MS = 15_000
/** A node that answers does so at once, but datagrams are lost. */
const STATUS_TIMES = { statusTries: 5, statusMs: 1000 }

/** Why there is no address to ask. */
export const notFound = ({ found }: Patient): string | undefined => (found === undefined ? 'the address is not known' : undefined)
const nbtOf = ({ ways }: Patient): Way | undefined => ways?.find(({ kind }) => kind === 'nbt')

/** The ports that a run would try, the names behind 137, and what a server is called on 139. */
export const PORTS: readonly Check[] = [
  {
    group: 'ports',
    check: 'tcp',
    limitMs: MOST_ADDRESSES * PORT_MS + 1000,
    needless: notFound,
    async look(patient, signal) {
      const { settings, found, target } = patient
      const ways = waysOf({ mode: settings.transport, port: settings.port })
      const { addresses, by } = found!
      let seen: readonly Seen[] = []
      for (const address of addresses.slice(0, MOST_ADDRESSES)) {
        const tried = await Promise.all(ways.map(way => knock(address, way, signal)))
        patient.ways = ways.filter((_, i) => tried[i]?.why === undefined)
        seen = judgePorts(target!.host, tried)
        if (patient.ways.length === 0) continue
        patient.found = { by, addresses: [address, ...addresses.filter(other => other !== address)] }
        break
      }
      return seen
    },
  },
  {
    group: 'ports',
    check: 'udp-137',
    limitMs: STATUS_MS,
    needless: patient => {
      if (notFound(patient) !== undefined) return notFound(patient)
      if (!isIPv4(patient.found!.addresses[0] ?? '')) return 'NetBIOS is for IPv4'
      return waysOf({ mode: patient.settings.transport, port: patient.settings.port }).some(({ kind }) => kind === 'nbt') ? undefined : 'port 139 is not tried'
    },
    async look({ found, settings }, signal) {
      const [address = ''] = found!.addresses
      try {
        const status = await nodeStatus(address, { scope: settings.scope, times: STATUS_TIMES, signal })
        const server = serverNameIn(status)
        const names = status.names.map(({ name }) => spellName(name))
        return ok(`${server === undefined ? 'no server' : spellName(server)}, ${names.length} names`, { names })
      } catch (thrown) {
        signal.throwIfAborted()
        return note(failed(thrown).text)
      }
    },
  },
  {
    group: 'ports',
    check: 'call',
    limitMs: 60_000,
    needless: patient => notFound(patient) ?? (nbtOf(patient) === undefined ? 'port 139 is not open' : undefined),
    async look(patient, signal) {
      const { settings, target, found, ways = [] } = patient
      const { port } = nbtOf(patient)!
      const { scope, 'called-name': calledName, 'calling-name': callingName, 'by-address': byAddress } = settings
      const rungs: Seen[] = []
      const trace = (attempt: CallAttempt): void => void rungs.push(rung(attempt))
      const [address = ''] = found!.addresses
      const calling = { host: target!.host, address, port, calledName, callingName, scope, byAddress, timeoutMs: connectMs(settings) }
      try {
        const { socket, called } = await climb({ ...calling, status: statusFor({ scope }), trace, signal })
        socket.destroy()
        patient.calledName = `${called.text}#${called.suffix.toString(16).padStart(2, '0')}`
        return rungs
      } catch (thrown) {
        signal.throwIfAborted()
        const direct = ways.some(({ kind }) => kind === 'tcp')
        if (!direct) patient.ways = []
        return [...rungs, failed(thrown, undefined, direct ? 'note' : 'finding')]
      }
    },
  },
]

interface Knocked {
  readonly way: Way
  readonly ms: number
  /** Undefined where it is open. */
  readonly why: string | undefined
}

async function knock(address: string, way: Way, signal: AbortSignal): Promise<Knocked> {
  const began = now()
  try {
    const socket = await limited(signal, PORT_MS, `connecting to port ${way.port}`, limit => dial(address, way.port, limit))
    socket.destroy()
    return { way, ms: now() - began, why: undefined }
  } catch (thrown) {
    signal.throwIfAborted()
    return { way, ms: now() - began, why: whyNot(thrown, now() - began) }
  }
}

function judgePorts(host: string, tried: readonly Knocked[]): Seen[] {
  const ports = tried.map(({ way }) => way.port).join(' or ')
  const anyOpen = tried.some(({ why }) => why === undefined)
  return tried.map(({ way, ms, why }, i): Seen => {
    const about = { check: `tcp-${way.port}`, ms }
    if (why === undefined) return { ...about, ...ok('open') }
    if (!anyOpen && i === 0)
      return {
        ...about,
        ...finding('CONNECT_FAILED', `${host}: ${why}`, `check that it is on, that it shares files, and that no firewall closes port ${ports}`),
      }
    if (anyOpen && way.port === 445) return { ...about, ...finding('PORT_445_CLOSED', why) }
    return { ...about, ...note(anyOpen ? `${why}; the other one is enough` : why) }
  })
}

function rung(attempt: CallAttempt): Seen {
  const { outcome, ms, reason } = attempt
  const facts = { ...(attempt.name === undefined ? {} : { name: attempt.name }), ...(reason === undefined ? {} : { reason }) }
  const text = spellAttempt(attempt).replace(/^called name /, '')
  return { ms, ...(outcome === 'taken' || outcome === 'answered' ? ok(text, facts) : note(text, undefined, undefined, facts)) }
}
