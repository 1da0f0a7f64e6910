import { join } from 'node:path'
import { allQueues, draftsIn, isPrivate, removeIfEmpty, removeTicket, ticketsIn } from './folder.ts'
import { reach } from './neighbour.ts'

/**
 * Takes away the tickets of the dead in every line of this user, and the folders of lines in which nobody stands. The living sweep what is ahead of them
 * themselves: each line is looked at from its end, up to the first who lives. Resolves to how many tickets were taken away; never rejects.
 */
export async function sweepLines(runtimeDir: string | undefined): Promise<number> {
  const swept = await Promise.all(allQueues(runtimeDir).filter(isPrivate).map(sweep))
  return swept.reduce((sum, n) => sum + n, 0)
}

async function sweep(folder: string): Promise<number> {
  let swept = 0
  const isDead = async (name: string): Promise<boolean> => {
    const reached = await reach(join(folder, name))
    if (typeof reached !== 'string') reached.destroy()
    if (reached !== 'dead') return false
    removeTicket(folder, name)
    swept++
    return true
  }
  // a live one that is not listening yet is taken for dead: it takes another place then
  for (const name of draftsIn(folder)) await isDead(name)
  for (const name of ticketsIn(folder).reverse()) if (!(await isDead(name))) return swept
  removeIfEmpty(folder)
  return swept
}
