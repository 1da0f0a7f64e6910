import { existsSync } from 'node:fs'
import { NbtrunError } from '../../base/errors.ts'
import type { Mapping } from '../mapping.ts'
import { explainOn, isLetterTaken } from './errors.ts'
import { type Book, Held } from './held.ts'
import type { Lifetime } from './lifetime.ts'
import type { Login, Network } from './network.ts'

export interface Wanted {
  /** `\\srv\app`, or a folder below it. */
  readonly remote: string
  /** `P:`; `*` for the first free from Z downwards; empty for none at all. */
  readonly device: string
  readonly login: Login | undefined
}

export interface DriveOptions {
  readonly network: Network
  readonly book: Book
  readonly wanted: readonly Wanted[]
  readonly lifetime: Lifetime
  /** Take them away under whoever has files open. */
  readonly force: boolean
  readonly hurried?: AbortSignal | undefined
  /** Told of each, as soon as it is there. */
  readonly taken?: ((held: Held) => Promise<void>) | undefined
}

export interface Drives extends Mapping {
  /** Where each share is: `P:`, or `\\srv\app` where it has no letter. */
  readonly points: readonly string[]
}

/** Connects every share by Windows' own client. On failure those before it are given back. Throws the typed error of what Windows answered. */
export async function openDrives({ network, book, wanted, lifetime, force, hurried, taken }: DriveOptions): Promise<Drives> {
  const held: Held[] = []
  let ending: Promise<string> | undefined
  const end = async (): Promise<string> => {
    const failures: unknown[] = []
    const how: string[] = []
    for (const one of held.toReversed()) {
      try {
        const { device, remote } = one.connection
        how.push(`${device === '' ? remote : device} ${await one.end({ force, hurried })}`)
      } catch (thrown) {
        failures.push(thrown)
      }
    }
    lifetime.release()
    if (failures.length > 0) throw failures[0]
    return how.join(', ')
  }
  try {
    for (const one of wanted) {
      const connected = await connect(network, book, one)
      held.push(connected)
      await taken?.(connected)
    }
  } catch (thrown) {
    await end().catch(() => {}) // what failed first is told; what stays is in the book
    throw thrown
  }
  return {
    kind: 'drive',
    way: network.way,
    points: held.map(({ connection: { device, remote } }) => (device === '' ? remote : device)),
    enter: () => [],
    entered: pid => lifetime.entered(pid),
    unused: lifetime.unused,
    users: () => lifetime.users(),
    describe: lifetime.describe,
    askUsers: lifetime.askUsers,
    endUsers: lifetime.endUsers,
    end: () => (ending ??= end()),
  }
}

async function connect(network: Network, book: Book, { remote, device, login }: Wanted): Promise<Held> {
  const take = (letter: string): Promise<Held> => Held.take(network, book, { device: letter, remote }, login)
  if (device !== '*') {
    try {
      return await take(device)
    } catch (thrown) {
      throw await explainOn(network, thrown, { device, remote })
    }
  }
  for (const letter of LETTERS) {
    if (existsSync(`${letter}\\`)) continue
    try {
      return await take(letter)
    } catch (thrown) {
      // a letter without a disk in it is not seen, and one that is remembered not either
      if (!isLetterTaken(thrown)) throw await explainOn(network, thrown, { device: letter, remote })
    }
  }
  throw new NbtrunError('POINT_UNUSABLE', `no letter is free for ${remote}`, { hint: 'give one back with net use X: /delete, or use --mapping unc' })
}

/** Windows gives letters from the end, too. */
const LETTERS = Array.from('ZYXWVUTSRQPONMLKJIHGFED', letter => `${letter}:`)
