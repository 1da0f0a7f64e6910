/** A network connection of this logon session. */
export interface Connection {
  /** `P:`; empty where it has no letter. */
  readonly device: string
  /** `\\srv\app` */
  readonly remote: string
}

/** Who connects: nobody said means the user who is logged in to Windows. */
export interface Login {
  /** `DOM\alice`, `alice@dom`, `alice` */
  readonly user: string
  /** UTF-16LE without a terminator. Its owner zeroes it. */
  readonly password: Buffer
}

/**
 * Windows' own client, as far as it is driven from here. What fails throws a WindowsError with the number that Windows gave; it blocks nobody meanwhile.
 * Connections made here are never remembered by the user's profile.
 */
export interface Network {
  /** For the receipt. */
  readonly way: 'wnet' | 'net-use'
  connect(connection: Connection, login: Login | undefined): Promise<void>
  /** `force`: under whoever has files open. A connection that is gone already is no error. */
  cancel(connection: Connection, force: boolean): Promise<void>
  /** All of this logon session, whoever made them. */
  connections(): Promise<readonly Connection[]>
  /** In whose name a connection was made; undefined where that is not told. */
  userOf(connection: Connection): Promise<string | undefined>
}

/** A number of winerror.h or lmerr.h, and which call gave it. */
export class WindowsError extends Error {
  readonly number: number
  /** What the provider says about it, where it does. */
  readonly detail: string

  constructor(number: number, call: string, detail = '') {
    super(`${call}: error ${number}${detail === '' ? '' : ` (${detail})`}`)
    this.number = number
    this.detail = detail
  }
}
