// A process of its own, which the guardian starts when nbtrun is dead: it gives back what the journal says of that run, and of no other. Its last word is the
// run's id. Nobody reads what it says, so it says nothing.
import { randomBytes } from 'node:crypto'
import { now, pause } from '../../base/time.ts'
import { Place } from '../journal/place.ts'
import { reapPlace } from '../reap.ts'
import { locate } from './locate.ts'

/** Windows ends the programs of the job one after the other, and they close their files; whoever has some open after this is left to `nbtrun reap`, ms. */
const LONGEST_MS = 30_000
const AGAIN_MS = 250

const run = process.argv.at(-1) ?? ''

void giveBack()

async function giveBack(): Promise<void> {
  await locate()
  const place = Place.find(process.env)
  for (const dueAt = now() + LONGEST_MS; place !== undefined && now() < dueAt; await pause(AGAIN_MS)) {
    const left = place.list().filter(({ name, entry }) => name.split('~', 1)[0] === run && (entry?.connections.length ?? 0) > 0)
    if (left.length === 0) return
    await reapPlace(place, left, { by: randomBytes(4).toString('hex'), env: process.env })
  }
}
