import { NbtrunError } from '../../base/errors.ts'
import { now, pause } from '../../base/time.ts'
import { explain, isInUse, sameText } from './errors.ts'
import type { Connection, Login, Network } from './network.ts'

/** Where it is written down what this run has, and what others have. */
export interface Book {
  /** It is about to be taken. `made`: by nbtrun, so that the last run which has it ends it. */
  taking(connection: Connection, made: boolean): void
  gone(connection: Connection): void
  /** Whether another run that lives has it, and whether runs made it. */
  others(connection: Connection): 'nobody' | 'made' | 'used'
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
  readonly #made: boolean

  private constructor(network: Network, book: Book, connection: Connection, made: boolean) {
    this.#network = network
    this.#book = book
    this.connection = connection
    this.#made = made
  }

  /** Connects. Throws what `connect` throws; nothing is held then. */
  static async take(network: Network, book: Book, connection: Connection, login: Login | undefined): Promise<Held> {
    const wasThere = connection.device === '' && isAmong(await network.connections(), connection)
    const made = !wasThere || book.others(connection) === 'made'
    book.taking(connection, made)
    try {
      await network.connect(connection, login)
    } catch (thrown) {
      book.gone(connection)
      throw thrown
    }
    return new Held(network, book, connection, made)
  }

  /**
   * Gives it back, where nbtrun made it and no other run has it. Returns how, for the receipt. Throws TEARDOWN_FAILED: files are open in it, or Windows does
   * not let go.
   */
  async end({ force, hurried }: EndOptions): Promise<string> {
    const { connection } = this
    const others = connection.device === '' ? this.#book.others(connection) : 'nobody'
    if (others !== 'nobody' || !this.#made) {
      this.#book.gone(connection)
      return this.#made ? 'left to another run' : 'was there before'
    }
    await this.#cancel(force, hurried)
    for (let i = 1; connection.device === '' && i < MOST_COUNTED && isAmong(await this.#network.connections(), connection); i++)
      await this.#cancel(force, hurried)
    this.#book.gone(connection)
    return 'cancelled'
  }

  async #cancel(force: boolean, hurried: AbortSignal | undefined): Promise<void> {
    const { device, remote } = this.connection
    const name = device === '' ? remote : device
    for (const dueAt = now() + IN_USE.ms; ; ) {
      try {
        return await this.#network.cancel(this.connection, force)
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
}

/** Where it is what its own line says, not merely a letter of that name. */
export function isAmong(all: readonly Connection[], { device, remote }: Connection): boolean {
  return all.some(other => sameText(other.device, device) && sameText(other.remote, remote))
}
