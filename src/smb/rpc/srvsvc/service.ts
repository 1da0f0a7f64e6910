import { asError, NbtrunError } from '../../../base/errors.ts'
import { now } from '../../../base/time.ts'
import { WireError, type Codec } from '../../../base/wire.ts'
import type { Tree } from '../../resources.ts'
import { RpcClient } from '../client.ts'
import type { Shape, Struct } from '../struct.ts'
import { heldSessions, sharedThing, type HeldConnection, type HeldFile, type HeldSession, type SessionLevel, type SharedThing } from './accounts.ts'
import { enumResponse, type EnumRequest } from './enumeration.ts'
import { isDenied, isUnknownLevel, NERR, serviceError } from './errors.ts'
import { CONNECTION, FILE, SESSION, SHARE, type ServerInfo, type ServerLevel } from './levels.ts'
import {
  connectionEnumRequest,
  fileCloseRequest,
  fileEnumRequest,
  OPNUM,
  serverGetInfoRequest,
  serverGetInfoResponse,
  serverSetInfoRequest,
  serverSetInfoResponse,
  sessionDelRequest,
  sessionEnumRequest,
  shareEnumRequest,
  SRVSVC,
  statusResponse,
} from './messages.ts'

/** A server may give a list in pieces; in no more than these, which are no longer together. */
const MAX_PIECES = 256
const MAX_ENTRIES = 100_000
const MAX_BYTES = 16 * 1024 * 1024
/** From the most that a session is told about to the least. */
const SESSION_LEVELS = [502, 10, 2, 1, 0] as const satisfies readonly SessionLevel[]
/** For one call with all its fragments, and for a list with all its pieces, in answers' patience. */
const CALL_PATIENCE = 3
const LIST_PATIENCE = 6

export interface SessionList {
  /** What the server could be asked at. */
  readonly level: SessionLevel
  readonly sessions: readonly HeldSession[]
}

/** The server service at the end of its pipe on IPC$: the server's own account of who uses it. [MS-SRVS]. */
export class ServerService {
  readonly #rpc: RpcClient
  readonly #host: string
  readonly #patienceMs: number

  private constructor(rpc: RpcClient, host: string, patienceMs: number) {
    this.#rpc = rpc
    this.#host = host
    this.#patienceMs = patienceMs
  }

  /** `ipc` is the server's IPC$; the pipe is closed with it, or by `close`. */
  static async open(ipc: Tree): Promise<ServerService> {
    const { host, ioTimeoutMs } = ipc.session.connection
    const pipe = await ipc.openPipe('srvsvc')
    return new ServerService(await RpcClient.bind(pipe, `the server service of ${host}`, SRVSVC, CALL_PATIENCE * ioTimeoutMs), host, ioTimeoutMs)
  }

  close(): Promise<unknown> {
    return this.#rpc.close()
  }

  /** NetrShareEnum. With uses and limits where we may know them, which administrators do. */
  async shares(): Promise<readonly SharedThing[]> {
    const doing = `asking ${this.#host} for its shares`
    try {
      return (await this.#list(OPNUM.SHARE_ENUM, shareEnumRequest, {}, 2, SHARE[2], doing)).map(sharedThing)
    } catch (thrown) {
      if (!isDenied(thrown) && !isUnknownLevel(thrown)) throw thrown
      return (await this.#list(OPNUM.SHARE_ENUM, shareEnumRequest, {}, 1, SHARE[1], doing)).map(sharedThing)
    }
  }

  /** NetrSessionEnum, at the best level that the server grants. */
  async sessions(): Promise<SessionList> {
    let denied: NbtrunError | undefined
    let unknown: NbtrunError | undefined
    for (const level of SESSION_LEVELS) {
      try {
        return { level, sessions: heldSessions(await this.#sessionsAt(level)) }
      } catch (thrown) {
        if (isDenied(thrown)) denied ??= asError(thrown)
        else if (isUnknownLevel(thrown)) unknown ??= asError(thrown)
        else throw thrown
      }
    }
    throw denied ?? unknown ?? new NbtrunError('INTERNAL', 'no level was asked for')
  }

  #sessionsAt<L extends SessionLevel>(level: L): Promise<Struct<(typeof SESSION)[L]>[]> {
    const filters = { client: null, user: null }
    return this.#list(OPNUM.SESSION_ENUM, sessionEnumRequest, filters, level, SESSION[level], `asking ${this.#host} for its sessions`)
  }

  /** NetrSessionDel: ends every session of the pair. One of the two may be null, which means all. */
  async endSessions(client: string | null, user: string | null): Promise<void> {
    if (!client && !user) throw new NbtrunError('USAGE', 'neither a client nor a user is named, which would end every session')
    const value = { server: this.#server, client: client === null ? null : `\\\\${client.replace(/^\\+/, '')}`, user }
    const status = await this.#rpc.call(OPNUM.SESSION_DEL, sessionDelRequest, value, statusResponse)
    const whose = [user ?? 'everybody', client === null ? 'everywhere' : `on ${client}`].join(' ')
    if (status !== NERR.SUCCESS)
      throw serviceError(status, `ending the sessions of ${whose}`, "log in as an administrator of the server; Samba wants one of 'admin users', too")
  }

  /** NetrConnectionEnum. `qualifier`: a share's name, or `\\client`. Samba fills in no names: those are null then. */
  async connections(qualifier: string): Promise<readonly HeldConnection[]> {
    const doing = `asking ${this.#host} who uses ${qualifier}`
    const rows = await this.#list(OPNUM.CONNECTION_ENUM, connectionEnumRequest, { qualifier }, 1, CONNECTION[1], doing)
    const ofClient = qualifier.startsWith('\\\\')
    return rows.map(({ user, name, opens, seconds }) => {
      const isTold = user !== SAMBA_NOBODY
      return {
        user: isTold ? user : null,
        client: ofClient ? qualifier.replace(/^\\+/, '') : isTold ? name.replace(/^\\+/, '') : null,
        share: ofClient ? (isTold ? name : null) : qualifier,
        opens,
        seconds,
      }
    })
  }

  /** NetrFileEnum: what is open. */
  async files(user: string | null = null): Promise<readonly HeldFile[]> {
    const rows = await this.#list(OPNUM.FILE_ENUM, fileEnumRequest, { path: null, user }, 3, FILE[3], `asking ${this.#host} for its open files`)
    return rows.map(({ id, path, user: who, locks }) => ({ id, path, user: who, locks }))
  }

  /** NetrFileClose. */
  async closeFile(id: number): Promise<void> {
    const status = await this.#rpc.call(OPNUM.FILE_CLOSE, fileCloseRequest, { server: this.#server, id }, statusResponse)
    if (status !== NERR.SUCCESS) throw serviceError(status, `closing file ${id} on ${this.#host}`)
  }

  /** NetrServerGetInfo. */
  async info<L extends ServerLevel>(level: L): Promise<ServerInfo<L>> {
    const { info, status } = await this.#rpc.call(OPNUM.SERVER_GET_INFO, serverGetInfoRequest, { server: this.#server, level }, serverGetInfoResponse(level))
    const doing = `asking ${this.#host} for its settings (level ${level})`
    if (status !== NERR.SUCCESS) throw serviceError(status, doing)
    if (info === null) throw new WireError(`${doing}: it says yes, but no more`, 0)
    return info
  }

  /** NetrServerSetInfo. A refusal says which member the server did not like. */
  async setInfo<L extends ServerLevel>(level: L, info: ServerInfo<L>): Promise<void> {
    const value = { server: this.#server, info, parmErr: 0 }
    const { status, parmErr } = await this.#rpc.call(OPNUM.SERVER_SET_INFO, serverSetInfoRequest(level), value, serverSetInfoResponse)
    const member = parmErr === null || parmErr === 0 ? '' : ` (member ${parmErr})`
    if (status !== NERR.SUCCESS) throw serviceError(status, `changing settings of ${this.#host}, level ${level}${member}`)
  }

  /** All of a list, however many pieces it comes in. */
  async #list<Filter extends string, S extends Shape>(
    opnum: number,
    codec: Codec<EnumRequest<Filter>>,
    filters: { readonly [F in Filter]: string | null },
    level: number,
    shape: S,
    doing: string,
  ): Promise<Struct<S>[]> {
    const all: Struct<S>[] = []
    let resume = 0
    const before = this.#rpc.received
    const dueAt = now() + LIST_PATIENCE * this.#patienceMs
    for (let piece = 0; piece < MAX_PIECES; piece++) {
      const request = { server: this.#server, level, resume, ...filters } as EnumRequest<Filter>
      const answer = await this.#rpc.call(opnum, codec, request, enumResponse(codec.name, level, shape))
      const { entries, status } = answer
      if (status !== NERR.SUCCESS && status !== NERR.MORE_DATA) throw serviceError(status, doing)
      all.push(...entries)
      if (status === NERR.SUCCESS) return all
      if (entries.length === 0 || answer.resume === null || answer.resume === resume) break // more, but not from here
      if (all.length > MAX_ENTRIES || this.#rpc.received - before > MAX_BYTES || now() > dueAt) break
      resume = answer.resume
    }
    throw new WireError(`${doing}: it goes on without end`, 0)
  }

  get #server(): string {
    return `\\\\${this.#host}`
  }
}

/** What Samba's NetrConnectionEnum calls everybody. */
const SAMBA_NOBODY = 'dummy_user'
