import { lookup } from 'node:dns/promises'
import { within } from '../../base/time.ts'
import { sameText, serverOf } from '../../mapping/windows/errors.ts'
import type { Network } from '../../mapping/windows/network.ts'
import type { Journal } from '../journal/journal.ts'
import { sameUser } from '../ours.ts'

/** A name that nobody knows in this time leads nowhere, ms. */
const LOOKUP_MS = 1000

export interface Around {
  readonly network: Network
  readonly journal: Journal
  /** The server, as this run named it, and where it was found, once it was. */
  readonly host: string
  readonly address: string | undefined
  /** Whose sessions would end. */
  readonly who: string
}

/**
 * Who else on this machine uses the server in the same user's name, in people's words: a connection of this logon session, under whatever name of the server,
 * or another run. Undefined where nobody does.
 */
export async function neighbour({ network, journal, host, address, who }: Around): Promise<string | undefined> {
  const here = (await network.connections()).map(({ device, remote }) => ({ server: serverOf(remote), by: `${device} ${remote}`.trim() }))
  const runs = journal.others().flatMap(({ entry, verdict }) => {
    if (entry === undefined || verdict.state === 'dead') return []
    const own = [...entry.sessions, ...entry.smb1].filter(({ user }) => sameUser(user, who)).map(({ server }) => server)
    return [...own, ...entry.connections.map(({ remote }) => serverOf(remote))].map(server => ({ server, by: `run ${entry.run}` }))
  })
  const all = [...here, ...runs]
  const named = all.find(({ server }) => sameText(server, host))
  if (named !== undefined || address === undefined) return named?.by
  const found = await Promise.all(all.map(async ({ server, by }) => ((await addressesOf(server)).includes(address) ? by : undefined)))
  return found.find(by => by !== undefined)
}

async function addressesOf(host: string): Promise<readonly string[]> {
  try {
    return (await within(LOOKUP_MS, () => lookup(host, { all: true }))).map(({ address }) => address)
  } catch {
    return []
  }
}
