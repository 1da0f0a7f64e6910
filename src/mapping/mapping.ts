import type { Files } from '../smb/files.ts'

/** One share and the folder where the program will see it. */
export interface Point {
  readonly files: Files
  /** Absolute path of an existing directory. */
  readonly path: string
  readonly readOnly: boolean
}

/** One that can see the mapping, for people. */
export interface User {
  /** Of its program. */
  readonly name: string
  /** What it has open: paths below the points asked about, where this machine tells. */
  readonly files: readonly string[]
}

/**
 * What makes shares visible to a program. It is taken before the program starts and ends with its last user, or when `end` is called.
 */
export interface Mapping {
  /** For the receipt: how the program sees the share. */
  readonly kind: 'private' | 'shared' | 'drive' | 'none'
  /** For the receipt: the technical way taken, such as `b2` or `root`. */
  readonly way: string
  /** The words that must stand before the program's own so that it sees the mapping; each execs the next, so the pid is the program's. */
  enter(cwd: string): readonly string[]
  /**
   * Call once the program was spawned by the words of `enter`: resolves when it is inside (and so keeps the mapping), or when it is gone. `exited` resolves when its
   * own process is gone: no look for an end is worth its cost before.
   */
  entered(pid: number, exited?: Promise<unknown>): Promise<void>
  /** Resolves when no process can see the mapping any more. Never rejects. */
  readonly unused: Promise<void>
  /** Every process that can see the mapping now. */
  users(): Promise<readonly number[]>
  /** Who one of them is. Undefined when it is gone, or kept from us. Where there may be any users. */
  readonly describe?: ((pid: number, points: readonly string[]) => Promise<User | undefined>) | undefined
  /** Asks all of them to end, as their user would; to be called again until they are gone. `heard`: those of our console had a Ctrl-C. Where there is `endUsers`. */
  readonly askUsers?: ((heard: boolean) => void) | undefined
  /** Ends all of them at once, where the system has a way of its own for that. */
  readonly endUsers?: (() => void) | undefined
  /** Tells Wine which servers compare names without case, so that it need not. Where we serve the files. */
  readonly tellWine?: (() => Promise<void>) | undefined
  /** Takes the mapping away under whoever still uses it; idempotent. May say how, for the receipt. */
  end(): Promise<string | void>
}
