import type { Book } from '../../../../src/mapping/windows/held.ts'
import { type Connection, type Network, WindowsError } from '../../../../src/mapping/windows/network.ts'

/** A peer in place of Windows: connections without a letter are counted, as LanmanWorkstation does. */
export class Workstation implements Network {
  readonly way = 'wnet'
  readonly counts = new Map<string, number>()
  /** So many tries to end one find files open. */
  inUse = 0
  userOf: Network['userOf'] = async () => undefined
  /** What answers are waited for: a turn of the event loop unless told. */
  slowly = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
  async connect({ device, remote }: Connection): Promise<void> {
    await this.slowly()
    const key = `${device} ${remote}`
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1)
  }
  async cancel({ device, remote }: Connection, force: boolean): Promise<void> {
    await this.slowly()
    if (this.inUse > 0 && !force) {
      this.inUse--
      throw new WindowsError(2401, 'WNetCancelConnection2')
    }
    const key = `${device} ${remote}`
    const left = (this.counts.get(key) ?? 0) - 1
    if (left > 0) this.counts.set(key, left)
    else this.counts.delete(key)
  }
  async connections(): Promise<readonly Connection[]> {
    await this.slowly()
    return [...this.counts.keys()].map(key => ({ device: key.slice(0, key.indexOf(' ')), remote: key.slice(key.indexOf(' ') + 1) }))
  }
}

/** The journals of some runs on one machine. */
export class Machine {
  readonly lines = new Map<string, Map<string, number | undefined>>()
  /** Runs that were killed: nobody counts them, and what they made is still written down. */
  readonly dead = new Set<string>()
  #turn: Promise<unknown> = Promise.resolve()

  book(run: string): Book {
    const own = new Map<string, number | undefined>()
    this.lines.set(run, own)
    const key = ({ device, remote }: Connection): string => `${device} ${remote}`
    const others = (connection: Connection): [string, number | undefined][] =>
      [...this.lines].flatMap(([other, lines]) => (other !== run && lines.has(key(connection)) ? [[other, lines.get(key(connection))]] : []))
    return {
      alone: work => {
        const done = this.#turn.then(work)
        this.#turn = done.catch(() => {})
        return done
      },
      taking: (connection, made) => void own.set(key(connection), made),
      gone: connection => void own.delete(key(connection)),
      made: connection => others(connection).find(([, made]) => made !== undefined)?.[1],
      isUsed: connection => others(connection).some(([other]) => !this.dead.has(other)),
    }
  }
}
