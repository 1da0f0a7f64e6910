import { asError } from '../../base/errors.ts'
import { Resource } from '../../base/resource.ts'
import type { Credentials } from '../auth/credentials.ts'
import { type Chance, freshChance } from '../auth/ntlm.ts'
import type * as server from '../resources.ts'
import type { SessionOptions } from '../resources.ts'
import { ALREADY_GONE, refused, STATUS, statusName } from '../status.ts'
import type { Connection } from './connection.ts'
import type { Call, Reply } from './exchange.ts'
import { establish, type Granted, requireGoodEnough } from './login.ts'
import { andX } from './simple.ts'
import { Tree } from './tree.ts'

/** How long a server may take to end a session that it granted and we refuse, ms. */
const REFUSAL_MS = 1000

/** A logged-in user on a connection. [MS-CIFS] 3.2.4.2.4. Closing it sends LOGOFF_ANDX, after its trees: on Samba they would outlive it. */
export class Session extends Resource implements server.Session {
  readonly connection: Connection
  readonly who: string
  readonly guest: boolean
  readonly anonymous: boolean
  readonly signing: 'MD5' | undefined
  farewell: string | undefined
  readonly #uid: number

  private constructor(connection: Connection, who: string, { uid, guest, signer }: Granted, anonymous: boolean) {
    super(`session of ${who} on ${connection.host}`, connection)
    this.connection = connection
    this.who = who
    this.guest = guest
    this.anonymous = anonymous
    this.signing = signer === undefined ? undefined : 'MD5'
    this.#uid = uid
  }

  /** Logs in, once; a session that is granted but not good enough is logged off. */
  static async setup(connection: Connection, credentials: Credentials, options: SessionOptions, chance: Chance = freshChance()): Promise<Session> {
    const anonymous = credentials.key === undefined
    try {
      const granted = await establish(connection, credentials, options, chance)
      if (granted.signer !== undefined) connection.signWith(granted.signer)
      try {
        requireGoodEnough(connection, granted, anonymous, options)
        return new Session(connection, options.who, granted, anonymous)
      } catch (thrown) {
        await connection.request({ command: 'LOGOFF_ANDX', codec: andX, body: null, uid: granted.uid, timeoutMs: REFUSAL_MS }).catch(() => {})
        throw thrown
      }
    } catch (thrown) {
      throw asError(thrown)
    }
  }

  get id(): bigint {
    return BigInt(this.#uid)
  }

  connect(share: string): Promise<Tree> {
    return Tree.connect(this, share)
  }

  echo(timeoutMs: number): Promise<void> {
    return this.connection.echo(timeoutMs)
  }

  /** SMB1 has no request that tells whether another connection's session is there. */
  proof(): undefined {
    return undefined
  }

  request<T>(call: Call<T>): Promise<Reply> {
    this.requireOpen()
    return this.farewellRequest(call)
  }

  /** For children that say goodbye while the session is closing too. */
  farewellRequest<T>(call: Call<T>): Promise<Reply> {
    return this.connection.request({ ...call, uid: this.#uid, ...(this.isOpen ? {} : { parting: true }) })
  }

  protected override async goodbye(): Promise<void> {
    const { header } = await this.farewellRequest({ command: 'LOGOFF_ANDX', codec: andX, body: null })
    this.farewell = statusName(header.status)
    if (header.status !== STATUS.SUCCESS && !ALREADY_GONE.has(header.status)) throw refused(header.status, `logging off from ${this.connection.host}`)
  }

  protected override drop(): void {
    // the key belongs to the connection, which signs with it to its end
  }
}
