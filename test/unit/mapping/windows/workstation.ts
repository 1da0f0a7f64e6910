import type { Book } from '../../../../src/mapping/windows/held.ts'
import { type Connection, type Network, WindowsError } from '../../../../src/mapping/windows/network.ts'

/** A peer in place of Windows: connections without a letter are counted, as LanmanWorkstation does. */
export class Workstation implements Network {
  readonly way = 'wnet'
  readonly counts = new Map<string, number>()
  /** So many tries to end one find files open. */
  inUse = 0
  async connect({ device, remote }: Connection): Promise<void> {
    const key = `${device} ${remote}`
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1)
  }
  async cancel({ device, remote }: Connection, force: boolean): Promise<void> {
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
    return [...this.counts.keys()].map(key => ({ device: key.slice(0, key.indexOf(' ')), remote: key.slice(key.indexOf(' ') + 1) }))
  }
}

/** The journals of some runs on one machine. */
export class Machine {
  readonly lines = new Map<string, Map<string, boolean>>()
  book(run: string): Book {
    const own = new Map<string, boolean>()
    this.lines.set(run, own)
    const key = ({ device, remote }: Connection): string => `${device} ${remote}`
    return {
      taking: (connection, made) => void own.set(key(connection), made),
      gone: connection => void own.delete(key(connection)),
      others: connection => {
        const made = [...this.lines].filter(([other]) => other !== run).flatMap(([, lines]) => lines.get(key(connection)) ?? [])
        return made.length === 0 ? 'nobody' : made.includes(true) ? 'made' : 'used'
      },
    }
  }
}
