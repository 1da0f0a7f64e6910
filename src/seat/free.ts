import { join } from 'node:path'
import { pause } from '../base/time.ts'
import { isPrivate, removeIfEmpty, removeTicket, ticketsIn } from './folder.ts'
import { reach } from './neighbour.ts'
import { FREE } from './ticket.ts'

/** Who does not take the news by then will find out by trying, ms. */
const TELL_MS = 100

/** A seat was given back: the first in line need not wait until its next try. The tickets of the dead before it are swept away. Never rejects. */
export async function tellFree(folder: string): Promise<void> {
  if (!isPrivate(folder)) return
  for (const name of ticketsIn(folder)) {
    const socket = await reach(join(folder, name))
    if (socket === 'dead') removeTicket(folder, name)
    if (typeof socket === 'string') continue
    await Promise.race([new Promise<void>(resolve => socket.end(FREE, () => resolve())), pause(TELL_MS)])
    socket.destroy()
    return
  }
  removeIfEmpty(folder)
}
