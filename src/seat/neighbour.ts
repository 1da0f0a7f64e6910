import { connect, type Socket } from 'node:net'
import { errnoOf } from '../base/errors.ts'
import { Awake, pause } from '../base/time.ts'
import { theGround } from './ground.ts'
import type { Lack } from './lack.ts'

/** How often somebody in line says a word, and after how much silence it counts as stopped, ms. */
export const REPEAT_MS = 2000
const SILENT_MS = 10_000
const LOOK_MS = 1000

/** Nobody has more to say than this at once. */
const LONGEST_LINE = 64

const LACKS: readonly Lack[] = ['seat', 'network', 'name']

/** What the line waits for, `-` while it is not known. */
export function spellLack(lack: Lack | undefined): string {
  return `${lack ?? '-'}\n`
}

/** What connecting to somebody says that nobody listens on: the last is one whose holder was just going. unix(7) */
const UNHEARD: ReadonlySet<string | undefined> = new Set(['ECONNREFUSED', 'ENOENT', 'ECONNRESET'])

/** Connects to a ticket, by its file. `dead`: nobody holds it any more; `deaf`: somebody may, who does not listen. */
export async function reach(file: string): Promise<Socket | 'dead' | 'deaf'> {
  const path = theGround().addressOf(file)
  if (path === undefined) return 'dead'
  return new Promise(resolve => {
    const socket = connect({ path })
    socket.once('connect', () => resolve(socket))
    socket.on('error', error => resolve(UNHEARD.has(errnoOf(error)) ? 'dead' : 'deaf'))
  })
}

/**
 * Listens to the one ahead as long as it is there: the kernel ends the connection with its holder, however that ends. Resolves to `gone`, or to `silent` for
 * one that is stopped and must not keep others; ends early when the signal aborts.
 */
export async function follow(socket: Socket, hear: (lack: Lack) => void, signal: AbortSignal): Promise<'gone' | 'silent'> {
  const clock = new Awake()
  const over = new AbortController()
  const end = (): void => over.abort()
  let heard = clock.ms
  let line = ''
  socket.setEncoding('latin1').on('data', (text: string) => {
    heard = clock.ms
    const lines = (line + text).split('\n')
    line = (lines.pop() ?? '').slice(-LONGEST_LINE)
    const lack = LACKS.find(word => word === lines.at(-1))
    if (lack !== undefined) hear(lack)
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
