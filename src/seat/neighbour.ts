import { connect, type Socket } from 'node:net'
import { errnoOf } from '../base/errors.ts'
import { Awake, pause } from '../base/time.ts'
import type { Lack } from './lack.ts'

/** What the one ahead says of itself: its place in the line, and what it waits for, once that is known. */
export interface Standing {
  readonly place: number
  readonly lack: Lack | undefined
}

/** How often a standing is repeated, and after how much silence its sender counts as stopped, ms. */
export const REPEAT_MS = 2000
const SILENT_MS = 10_000
const LOOK_MS = 1000

/** Nobody has more to say than this at once. */
const LONGEST_LINE = 64

export function spellStanding({ place, lack }: Standing): string {
  return `${place} ${lack ?? '-'}\n`
}

function standingOf(line: string): Standing | undefined {
  const [, place, lack] = /^(\d{1,6}) (seat|network|name|-)$/.exec(line) ?? []
  return place === undefined ? undefined : { place: Number(place), lack: lack === '-' ? undefined : (lack as Lack) }
}

/** Connects to a ticket. `dead`: nobody holds it any more; `deaf`: somebody may, who does not listen. */
export function reach(path: string): Promise<Socket | 'dead' | 'deaf'> {
  return new Promise(resolve => {
    const socket = connect({ path })
    socket.once('connect', () => resolve(socket))
    socket.on('error', error => resolve(errnoOf(error) === 'ECONNREFUSED' || errnoOf(error) === 'ENOENT' ? 'dead' : 'deaf'))
  })
}

/**
 * Listens to the one ahead as long as it is there: the kernel ends the connection with its holder, however that ends. Resolves to `gone`, or to `silent` for
 * one that is stopped and must not keep others; ends early when the signal aborts.
 */
export async function follow(socket: Socket, hear: (standing: Standing) => void, signal: AbortSignal): Promise<'gone' | 'silent'> {
  const clock = new Awake()
  const over = new AbortController()
  const end = (): void => over.abort()
  let heard = clock.ms
  let line = ''
  socket.setEncoding('latin1').on('data', (text: string) => {
    heard = clock.ms
    const lines = (line + text).split('\n')
    line = (lines.pop() ?? '').slice(-LONGEST_LINE)
    const standing = standingOf(lines.at(-1) ?? '')
    if (standing !== undefined) hear(standing)
  })
  socket.once('close', end)
  signal.addEventListener('abort', end, { once: true })
  try {
    while (!socket.destroyed && !signal.aborted) {
      if (clock.ms - heard > SILENT_MS) return 'silent'
      await pause(LOOK_MS, over.signal)
    }
    return 'gone'
  } finally {
    signal.removeEventListener('abort', end)
    socket.destroy()
  }
}
