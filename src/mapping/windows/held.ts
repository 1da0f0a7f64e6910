import { NbtrunError } from '../../base/errors.ts'
import { now, pause } from '../../base/time.ts'
import { ERROR, explain, isInUse, sameText } from './errors.ts'
import { type Connection, type Login, type Network, WindowsError } from './network.ts'

/** Where it is written down what this run has, and what others have. */
export interface Book {
  /** While no other run of this user looks or writes. */
  alone<T>(work: () => Promise<T>): Promise<T>
  /** It is about to be taken. `made`: when nbtrun first made it, ms since 1970, so that the last run which has it ends it; undefined where others did. */
  taking(connection: Connection, made: number | undefined): void
  gone(connection: Connection): void
  /** When another run made it, be it one that died and whose things were not given back yet; undefined where none did. */
  made(connection: Connection): number | undefined
  /** Whether another run that lives has it. */
  isUsed(connection: Connection): boolean
}

/** How long open files are waited for, ms, and how often it is tried. */
const IN_USE = { ms: 3000, everyMs: 100 } as const
/** Windows counts those who connect without a letter: so often is it told that the last one goes. */
const MOST_COUNTED = 8

export interface EndOptions {
  /** Under whoever has files open. */
  readonly force: boolean
  /** No more waiting for them. */
  readonly hurried?: AbortSignal | undefined
}

/** One connection that this run has. */
export class Held {
  readonly connection: Connection
  readonly #network: Network
  readonly #book: Book
  /** When a run first made it, ms since 1970; undefined where it was there before nbtrun. */
  readonly made: number | undefined

  private constructor(network: Network, book: Book, connection: Connection, made: number | undefined) {
    this.#network = network
    this.#book = book
    this.connection = connection
    this.made = made
  }

  /** Connects. Throws what `connect` throws; nothing is held then. */
  static async take(network: Network, book: Book, connection: Connection, login: Login | undefined): Promise<Held> {
    // whoever ends meanwhile finds it written down, and leaves it; connecting itself may take long, and keeps nobody
    const made = await book.alone(async () => {
      const there = await network.connections()
      // a letter that others have is never ours, also where this run dies before Windows has said so
      if (connection.device !== '' && there.some(({ device }) => sameText(device, connection.device)))
        throw new WindowsError(ERROR.alreadyAssigned, 'WNetAddConnection2')
      const first = isAmong(there, connection) ? book.made(connection) : Date.now()
      book.taking(connection, first)
      return first
    })
    const held = new Held(network, book, connection, made)
    try {
      await network.connect(connection, login)
    } catch (thrown) {
      await held.#forget()
      throw thrown
    }
    return held
  }

  /**
   * Gives it back, where nbtrun made it and no other run has it. Returns how, for the receipt. Throws TEARDOWN_FAILED: files are open in it, or Windows does
   * not let go.
   */
  async end({ force, hurried }: EndOptions): Promise<string> {
    const { device, remote } = this.connection
    const name = device === '' ? remote : device
    for (const dueAt = now() + IN_USE.ms; ; ) {
      try {
        return await this.#book.alone(() => this.#giveBack(force))
      } catch (thrown) {
        if (!isInUse(thrown)) {
          const { message } = explain(thrown, this.connection)
          throw new NbtrunError('TEARDOWN_FAILED', `${name} is not given back: ${message}`, { cause: thrown })
        }
        if (now() > dueAt || hurried?.aborted === true)
          throw new NbtrunError('TEARDOWN_FAILED', `${name} is in use: end the program that has files open in it, then: net use ${name} /delete`, {
            cause: thrown,
          })
        await pause(IN_USE.everyMs, hurried)
      }
    }
  }

  async #giveBack(force: boolean): Promise<string> {
    const { connection } = this
    if (this.made === undefined || this.#isShared()) {
      this.#book.gone(connection)
      return this.made === undefined ? 'was there before' : 'left to another run'
    }
    await letGo(this.#network, connection, force)
    this.#book.gone(connection)
    return 'cancelled'
  }

  /** It was not to be had. What another run has left to this one meanwhile is given back; a letter that is there is somebody else's. */
  async #forget(): Promise<void> {
    const { connection } = this
    try {
      await this.#book.alone(async () => {
        const isLeft = connection.device === '' && this.made !== undefined && !this.#isShared() && isAmong(await this.#network.connections(), connection)
        if (isLeft) await letGo(this.#network, connection, false)
      })
    } catch {} // why it was not to be had is told
    this.#book.gone(connection)
  }

  #isShared(): boolean {
    return this.connection.device === '' && this.#book.isUsed(this.connection)
  }
}

/** Ends it, also where it was connected more than once. Throws a WindowsError. */
export async function letGo(network: Network, connection: Connection, force: boolean): Promise<void> {
  await network.cancel(connection, force)
  for (let i = 1; connection.device === '' && i < MOST_COUNTED && isAmong(await network.connections(), connection); i++) await network.cancel(connection, force)
}

/** Where it is what its own line says, not merely a letter of that name. */
export function isAmong(all: readonly Connection[], { device, remote }: Connection): boolean {
  return all.some(other => sameText(other.device, device) && sameText(other.remote, remote))
}
