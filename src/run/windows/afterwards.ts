// A process of its own, which the guardian starts when nbtrun is dead: it gives back what the journal says of that run, and of no other. Its last word is the
// run's id. Nobody reads what it says, so it says nothing.
import { randomBytes } from 'node:crypto'
import { now, pause } from '../../base/time.ts'
import { Journal } from '../journal/journal.ts'
import { reapPlace } from '../reap.ts'
import { locate } from './locate.ts'

/** Windows ends the programs of the job one after the other, and they close their files; whoever has some open after this is left to `nbtrun reap`, ms. */
const LONGEST_MS = 30_000
const AGAIN_MS = 250

const run = process.argv.at(-1) ?? ''

void giveBack()

async function giveBack(): Promise<void> {
  await locate()
  const { env } = process
  const journal = new Journal({ run: randomBytes(4).toString('hex'), shares: [], program: 'nbtrun', env, warn: () => {} }) // whoever claims has an entry
  const { place } = journal
  try {
    for (const dueAt = now() + LONGEST_MS; place !== undefined && now() < dueAt; await pause(AGAIN_MS)) {
      const left = journal.others().filter(({ name, entry }) => name.split('~', 1)[0] === run && (entry?.connections.length ?? 0) > 0)
      if (left.length === 0) return
      await reapPlace(place, left, { by: journal.run, env })
    }
  } finally {
    journal.end()
  }
}
