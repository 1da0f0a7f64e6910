import type { Codec } from '../../base/wire.ts'
import type { Sealer } from '../crypto/sealer.ts'
import type { Signer } from '../crypto/signer.ts'
import type { CommandName, Header } from './header.ts'

export interface Call<T> {
  readonly command: CommandName
  readonly codec: Codec<T>
  readonly body: T
  readonly sessionId?: bigint
  readonly treeId?: number
  /** Signs the request; the answer must then be signed too. */
  readonly signer?: Signer
  /** Encrypts the request, which is then not signed; the answer must come encrypted with the same session's key. */
  readonly sealer?: Sealer
  /** The larger of what is sent and what may come back, in bytes; it decides the credits, and a larger answer is refused. */
  readonly payload?: number
  /** For ever: `Infinity`. Default: the exchange's limit. */
  readonly timeoutMs?: number
  /** Aborting sends CANCEL; the request then ends as the server says. */
  readonly cancel?: AbortSignal
  /** Sees the bytes that were sent, for the preauth hash. */
  readonly onSent?: (message: Buffer) => void
  /** Said while what it ends is being given back: an answer that is not the server's fails this request alone, and what else is to be said is said. */
  readonly parting?: boolean
  /** Gets the final answer that came after the deadline: what it granted must be given back. */
  readonly onLate?: (reply: Reply) => void
}

export interface Reply {
  readonly header: Header
  /** Behind the header, as a view. */
  readonly body: Buffer
  /** The whole message. */
  readonly message: Buffer
}

/** One frame of requests. */
export interface Frame {
  readonly requests: readonly Pending[]
  /** Each request but the first goes on with the session, the tree and the file of the one before. [MS-SMB2] 3.2.4.1.4. */
  readonly related: boolean
  /** Credits for all of it. */
  readonly charge: number
  /** What it moves, in either direction. */
  readonly bytes: number
}

/** A request on its way. */
export interface Pending {
  readonly call: Call<unknown>
  readonly charge: number
  readonly bytes: number
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: unknown) => void
  /** Known once it is sent. */
  messageId: number
  dueAt: number
  /** From its interim answer. */
  asyncId: bigint | undefined
  onCancel: (() => void) | undefined
}
