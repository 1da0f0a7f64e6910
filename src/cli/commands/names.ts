import type { Argv } from 'yargs'
import { NbtrunError } from '../../base/errors.ts'
import { type NbtOptions, nodeStatus, query, withNames } from '../../nbt/api.ts'
import { limited } from '../../nbt/dial.ts'
import { addressTowards } from '../../nbt/endpoint.ts'
import { type Claim, DEFAULT_TTL } from '../../nbt/name-messages.ts'
import { type NetbiosName, parseName, spellName, SUFFIX } from '../../nbt/names.ts'
import { type NameNetwork, type NodeStatus, spellAttempts, lookUpName } from '../../nbt/queries.ts'
import { refreshAt, registerName, releaseName } from '../../nbt/registrations.ts'
import { resolveHost } from '../../nbt/resolve.ts'
import { settle } from '../../profile/settings.ts'
import { shown, timeout as parseTimeout } from '../../profile/values.ts'
import { output } from '../report.ts'
import { rawFrom } from '../yargs.ts'

const ACTIONS = {
  status: 'ask a host (name or IP address) for its names, as nbtstat -A does',
  query: 'ask who has a name: the name servers of --wins, or by broadcast',
  register: 'write a name down at a name server; nobody defends it',
  refresh: 'prolong a name of this host at the name server',
  release: 'give a name of this host back at the name server',
} as const
type Action = keyof typeof ACTIONS

export function options(y: Argv): Argv {
  const actions = Object.entries(ACTIONS).map(([name, about]) => `${name.padEnd(9)}${about}`)
  return y
    .usage(`nbtrun names ACTION HOST|NAME[#SUFFIX] [options]\n\n${actions.join('\n')}`)
    .positional('action', { type: 'string', describe: Object.keys(ACTIONS).join(', ') })
    .positional('name', { type: 'string', describe: 'a host (status), or a name such as PAYROLL#20' })
    .option('wins', { type: 'string', nargs: 1, requiresArg: true, describe: 'name servers: IP addresses with commas between, the first one first' })
    .option('group', { type: 'boolean', describe: 'register: a group name' })
    .option('scope', { type: 'string', nargs: 1, requiresArg: true, describe: 'NetBIOS scope' })
    .option('timeout', { type: 'string', nargs: 1, requiresArg: true, default: '20s', describe: 'for everything' })
    .option('json', { type: 'boolean', describe: 'write one JSON object' })
}

/** What came of it: for people and for programs. */
interface Report {
  readonly text: string
  readonly json: object
}

export async function run(given: Readonly<Record<string, unknown>>): Promise<void> {
  const { action, name } = given
  if (Array.isArray(given['timeout'])) throw new NbtrunError('USAGE', '--timeout is given twice')
  if (typeof action !== 'string' || !Object.hasOwn(ACTIONS, action))
    throw new NbtrunError('USAGE', `names ${shown(String(action))} is no action`, { hint: `one of ${Object.keys(ACTIONS).join(', ')}` })
  if (typeof name !== 'string' || name === '') throw new NbtrunError('USAGE', `names ${action} needs a ${action === 'status' ? 'host' : 'name'}`)
  const ms = judged('timeout', given['timeout'], parseTimeout) ?? 0
  const { wins = [], scope } = settle(rawFrom({ wins: given['wins'], scope: given['scope'] }), process.env)
  const group = given['group'] === true
  const { text, json } = await limited(undefined, ms, `names ${action}`, signal =>
    ACT[action as Action](name, { wins, signal, ...(scope === undefined ? {} : { scope }) }, group),
  )
  output(given['json'] === true ? JSON.stringify(json) : text)
}

/** What the parsers of the option table throw goes on after the option's name. */
function judged<T>(option: string, value: unknown, parse: (text: string) => T): T | undefined {
  if (typeof value !== 'string') return undefined
  try {
    return parse(value)
  } catch (thrown) {
    throw thrown instanceof NbtrunError ? new NbtrunError('USAGE', `--${option} ${thrown.message}`) : thrown
  }
}

const ACT: Readonly<Record<Action, (name: string, options: NbtOptions, group: boolean) => Promise<Report>>> = {
  async status(host, nbt) {
    const { address } = await firstAddress(host, nbt)
    const status = await nodeStatus(address, nbt)
    return { text: table(address, status), json: { address, ...status, names: status.names.map(line => ({ ...line, name: spellName(line.name) })) } }
  },
  async query(name, nbt) {
    const { name: found, group, owners, ttl, by, from } = await query(name, nbt)
    const lines = owners.map(({ address }) => `${address} ${spellName(found)}${group ? ' group' : ''}`)
    return { text: lines.join('\n'), json: { name: spellName(found), group, addresses: owners.map(({ address }) => address), ttl, by, from } }
  },
  register: (name, nbt, group) =>
    atServers(name, nbt, group, async (network, claim) => {
      const { server, ttl } = await registerName(network, [claim], nbt.signal)
      const life = ttl === 0 ? 'without end' : `for ${ttl} s`
      return {
        text: `${spellName(claim.name)} is registered at ${server ?? ''} ${life}; nobody defends it`,
        json: { name: spellName(claim.name), server, ttl },
      }
    }),
  refresh: (name, nbt, group) =>
    atServers(name, nbt, group, async (network, claim) => {
      const { server } = await ownRegistration(network, claim)
      const ttl = await refreshAt(network, server, claim, nbt.signal)
      return { text: `${spellName(claim.name)} is prolonged at ${server} for ${ttl} s`, json: { name: spellName(claim.name), server, ttl } }
    }),
  release: (name, nbt, group) =>
    atServers(name, nbt, group, async (network, claim) => {
      const all = await Promise.all(network.wins.map(server => releaseName(network, [claim], { server, broadcast: false, ttl: 0 }, nbt.signal)))
      const results = all.flat()
      const failed = results.filter(({ outcome }) => outcome.startsWith('failed'))
      const text = results.map(({ where, outcome }) => `${where}: ${outcome.replace(/^failed: /, '')}`).join('\n')
      if (failed.length === results.length) throw new NbtrunError('SERVER_REFUSED', `${spellName(claim.name)} is not released (${text.replaceAll('\n', ', ')})`)
      return { text, json: { name: spellName(claim.name), results } }
    }),
}

async function firstAddress(host: string, { wins = [], scope, signal, ports, times }: NbtOptions): Promise<{ address: string }> {
  const nbt: NbtOptions = { wins, scope, ports, times, nodeType: 'P' }
  const { addresses } = await withNames(nbt, network => resolveHost(host, { order: ['dns', 'wins'], network, scope, signal, timeoutMs: 10_000 }))
  const address = addresses.find(each => !each.includes(':'))
  if (address === undefined) throw new NbtrunError('HOST_NOT_FOUND', `${host} has no IPv4 address, and NetBIOS knows no other`)
  return { address }
}

/** Work at name servers in the name of this host. */
async function atServers(name: string, nbt: NbtOptions, group: boolean, work: (network: NameNetwork, claim: Claim) => Promise<Report>): Promise<Report> {
  const [server] = nbt.wins ?? []
  if (server === undefined) throw new NbtrunError('USAGE', 'no name server is named', { hint: 'add --wins ADDRESS' })
  const owner = { group, nodeType: 'P', address: await addressTowards(server) } as const
  const wanted: NetbiosName = parseName(name, SUFFIX.SERVER, nbt.scope)
  return withNames({ ...nbt, nodeType: 'P' }, network => work(network, { name: wanted, owner, ttl: DEFAULT_TTL }))
}

/** The name server that has the name as this host's: a refresh of a name that is not there would register it. */
async function ownRegistration(network: NameNetwork, { name, owner }: Claim): Promise<{ server: string }> {
  const { found, attempts } = await lookUpName(network, name)
  if (found === undefined) throw new NbtrunError('HOST_NOT_FOUND', spellAttempts(name, attempts))
  if (!found.owners.some(({ address }) => address === owner.address)) {
    const by = found.owners.map(({ address }) => address).join(', ')
    throw new NbtrunError('NAME_HELD', `the name ${spellName(name)} is held by ${by}`, { facts: { name: spellName(name), by } })
  }
  return { server: found.from }
}

function table(address: string, { names, unitId, truncated }: NodeStatus): string {
  const lines = names.map(({ name, group, active, conflict, releasing }) => {
    const state = conflict ? 'in conflict' : releasing ? 'being released' : active ? 'active' : 'inactive'
    return `${spellName(name).padEnd(20)}${group ? 'group ' : 'unique'}  ${state}`
  })
  return [`Names of ${address}, network card ${unitId}`, ...lines, ...(truncated ? ['... and more, which did not fit the answer'] : [])].join('\n')
}
