import type { Resource } from '../base/resource.ts'
import type { Credentials } from './auth/credentials.ts'
import type { Cipher } from './crypto/sealer.ts'
import type { SigningAlgorithm } from './crypto/signer.ts'
import type { Dialect } from './dialect.ts'
import type { Files, OpenFile, OpenOptions } from './files.ts'
import type { Pipe } from './rpc/pipe.ts'
import type { Terms } from './terms.ts'
import type { Transport, TransportOptions } from './transport.ts'

/*
 * What is held at a server, whichever dialect it speaks: Connection → Session → Tree, each the owner of the next. `smb1/` and `smb2/` have one
 * class for each; nothing above them knows which.
 */

export interface ConnectionOptions extends Partial<Terms> {
  /** The server's name as the user wrote it. */
  readonly host: string
  /** How long one request may take, ms. */
  readonly ioTimeoutMs: number
  /** 16 bytes, random for each run. [MS-SMB2] 2.2.3: ClientGuid. */
  readonly clientGuid?: Buffer
  /** Begin with an SMB1 NEGOTIATE that asks for SMB2: SMB1_ONLY is then the answer of a server that has none. */
  readonly multiProtocol?: boolean
}

/** A negotiated connection. It owns its transport: closing it ends with FIN, both ways. */
export interface Connection extends Resource {
  /** The server's name as the user wrote it. */
  readonly host: string
  readonly transport: Transport
  readonly dialect: Dialect
  /** How long one request may take, ms. */
  readonly ioTimeoutMs: number
  /** Whether the server demands signed messages, can sign them, or cannot. */
  readonly signs: 'required' | 'enabled' | 'no'
  /** What a session or a share is encrypted with when it is; undefined where nothing can be. */
  readonly cipher: Cipher | undefined
  /** The server's clock at the negotiation, FILETIME; 0n when it does not tell. */
  readonly serverTime: bigint
  /** By what the server is known again; absent where its sessions have no ids that a later connection could name. */
  readonly serverId?: ServerId | undefined
  /** Answers that nobody waited for. */
  readonly unasked: number
  /** Asks whether the server is there, in the name of no session where the dialect allows that. `onSent` is called once the question went out. */
  echo(timeoutMs: number, onSent?: () => void): Promise<void>
  /** Logs in, once. The credentials stay their owner's. */
  logIn(credentials: Credentials, options: SessionOptions): Promise<Session>
}

export interface ServerId {
  /** ServerGuid, 16 bytes; zeros where it has none. [MS-SMB2] 2.2.4 */
  readonly guid: Buffer
  /** Since when it runs, FILETIME; 0n where it does not tell. */
  readonly started: bigint
}

export interface SessionOptions {
  /** Whose session it is, as shown to people: `alice`, `DOM/alice`. */
  readonly who: string
  /** Guest or anonymous were asked for: the session may then be unsigned. */
  readonly allowUnsigned?: boolean
  /** Added to a refused login. */
  readonly logonHint?: string
  /**
   * A session of the same user that the server shall end: one that is proven to be ours and dead. [MS-SMB2] 2.2.5. SMB1 has no such word: there the
   * server ends it when it notices.
   */
  readonly previousSessionId?: bigint
  /** SMB1: the server shall end every other session of this machine's address, whoever's they are. */
  readonly resetClient?: boolean
  /** Told the session's id when the server has named it; the login goes on once this resolves, and only then counts. */
  readonly taking?: (id: bigint) => Promise<void>
}

/** A logged-in user on a connection. Closing it sends LOGOFF and checks the answer. */
export interface Session extends Resource {
  readonly connection: Connection
  /** As shown to people: `alice`, `DOM/alice`. */
  readonly who: string
  /** The server's name for it: SessionId, in SMB1 the UID. */
  readonly id: bigint
  readonly guest: boolean
  readonly anonymous: boolean
  /** What its messages are signed with; undefined where they are not. */
  readonly signing: SigningAlgorithm | 'MD5' | undefined
  /** What the server answered to LOGOFF. */
  readonly farewell: string | undefined
  /** Connects to a share: `app`, `IPC$`. */
  connect(share: string): Promise<Tree>
  /** Asks whether the server is there, in the session's name. */
  echo(timeoutMs: number): Promise<void>
  /** What will tell later whether the server still has this session; undefined where nothing can. */
  proof(): SessionProof | undefined
}

/**
 * `hangs`: the server never said that it ended the session, and it answers other clients, but not the one whose session it was, which it gives to a process
 * that it still has for it.
 */
export type Proven = 'gone' | 'there' | 'hangs'

/** Asks later, on a connection of its own, whether the server still has a session. It keeps no key and holds nothing secret. */
export interface SessionProof {
  /** `to` must lead to the same server. A server that cannot be asked, or answers something else, is an error that says why. */
  ask(to: TransportOptions): Promise<Proven>
}

/** A connection to one share. Closing it sends TREE_DISCONNECT. Paths as in `Files`. */
export interface Tree extends Resource, Files {
  readonly session: Session
  readonly share: string
  /** Whether it holds files: it may be a printer, or IPC$. */
  readonly isDisk: boolean
  /** What everything on it is encrypted with; undefined where it is not. */
  readonly cipher: Cipher | undefined
  /** What the server answered to TREE_DISCONNECT. */
  readonly farewell: string | undefined
  open(path: string, options: OpenOptions): Promise<OpenFile & Resource>
  /** Opens a named pipe of IPC$; `name` without `\PIPE\`: `srvsvc`. */
  openPipe(name: string): Promise<Pipe & Resource>
}
