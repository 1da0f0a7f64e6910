import { sameText } from '../../mapping/windows/errors.ts'
import type { Book } from '../../mapping/windows/held.ts'
import type { Connection } from '../../mapping/windows/network.ts'
import type { Journal } from '../journal/journal.ts'
import { connectionsOf } from '../reap.ts'
import { inTurn } from './turn.ts'

/** What is written down of it, and what other runs have. */
export function bookOf(journal: Journal): Book {
  const { place, run } = journal
  const others = ({ device, remote }: Connection, which: 'living' | 'all'): ReturnType<typeof connectionsOf> =>
    (place === undefined ? [] : connectionsOf(place, run, which)).filter(other => sameText(other.device, device) && sameText(other.remote, remote))
  return {
    alone: work => inTurn(place, work),
    taking: ({ device, remote }, made) => journal.connection(device, remote, made),
    gone: ({ device, remote }) => journal.connectionGone(device, remote),
    made: connection =>
      others(connection, 'all')
        .filter(({ made }) => made)
        .map(({ since = Date.now() }) => since)
        .sort((a, b) => a - b)[0],
    isUsed: connection => others(connection, 'living').length > 0,
  }
}
