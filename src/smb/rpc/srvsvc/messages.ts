import type { Codec } from '../../../base/wire.ts'
import { NdrReader, NdrWriter } from '../ndr.ts'
import type { Syntax } from '../pdu.ts'
import { getStructs, putStructs, type Struct } from '../struct.ts'
import { enumRequest } from './enumeration.ts'
import { NERR } from './errors.ts'
import { SERVER, type ServerInfo, type ServerLevel } from './levels.ts'

/** The server service: 4b324fc8-1670-01d3-1278-5a47bf6ee188, version 3.0. [MS-SRVS] 1.9. */
export const SRVSVC: Syntax = { uuid: Buffer.from('c84f324b7016d30112785a47bf6ee188', 'hex'), version: 3 }

/** [MS-SRVS] 3.1.4. */
export const OPNUM = {
  CONNECTION_ENUM: 8,
  FILE_ENUM: 9,
  FILE_CLOSE: 11,
  SESSION_ENUM: 12,
  SESSION_DEL: 13,
  SHARE_ENUM: 15,
  SERVER_GET_INFO: 21,
  SERVER_SET_INFO: 22,
} as const

/** NetrSessionEnum. 3.1.4.5. Clients with their two backslashes. */
export const sessionEnumRequest = enumRequest('NetrSessionEnum', 'client', 'user')
/** NetrConnectionEnum. 3.1.4.1. `qualifier`: a share, or `\\client`. */
export const connectionEnumRequest = enumRequest('NetrConnectionEnum', 'qualifier')
/** NetrFileEnum. 3.1.4.2. */
export const fileEnumRequest = enumRequest('NetrFileEnum', 'path', 'user')
/** NetrShareEnum. 3.1.4.8. */
export const shareEnumRequest = enumRequest('NetrShareEnum')

export interface SessionDel {
  readonly server: string
  /** `\\10.0.0.9`, or null for every client. */
  readonly client: string | null
  /** Or null for every user; the two are never both null. */
  readonly user: string | null
}

/** NetrSessionDel. 3.1.4.6. Its answer is a status. */
export const sessionDelRequest: Codec<SessionDel> = {
  name: 'NetrSessionDel request',
  put(w, m) {
    new NdrWriter(w).uniqueText(m.server).uniqueText(m.client).uniqueText(m.user)
  },
  get(r) {
    const ndr = new NdrReader(r)
    return { server: ndr.uniqueText() ?? '', client: ndr.uniqueText(), user: ndr.uniqueText() }
  },
}

/** NetrFileClose. 3.1.4.4. Its answer is a status. */
export const fileCloseRequest: Codec<{ readonly server: string; readonly id: number }> = {
  name: 'NetrFileClose request',
  put(w, m) {
    new NdrWriter(w).uniqueText(m.server).u32(m.id)
  },
  get(r) {
    const ndr = new NdrReader(r)
    return { server: ndr.uniqueText() ?? '', id: ndr.u32() }
  },
}

/** An answer that is a Win32 error alone. */
export const statusResponse: Codec<number> = {
  name: 'NET_API_STATUS',
  put(w, status) {
    w.u32(status)
  },
  get(r) {
    return r.u32()
  },
}

/** NetrServerGetInfo. 3.1.4.17. */
export const serverGetInfoRequest: Codec<{ readonly server: string; readonly level: number }> = {
  name: 'NetrServerGetInfo request',
  put(w, m) {
    new NdrWriter(w).uniqueText(m.server).u32(m.level)
  },
  get(r) {
    const ndr = new NdrReader(r)
    return { server: ndr.uniqueText() ?? '', level: ndr.u32() }
  },
}

export interface ServerGetInfo<L extends ServerLevel> {
  /** Null where the status says why not. */
  readonly info: ServerInfo<L> | null
  readonly status: number
}

/** The answer at one level; one at another level is taken for INVALID_LEVEL. */
export function serverGetInfoResponse<L extends ServerLevel>(level: L): Codec<ServerGetInfo<L>> {
  const shape: (typeof SERVER)[L] = SERVER[level]
  return {
    name: 'NetrServerGetInfo response',
    put(w, m) {
      const ndr = new NdrWriter(w).u32(level)
      if (ndr.pointer(m.info !== null)) putStructs(ndr, shape, [m.info as Struct<(typeof SERVER)[L]>])
      ndr.u32(m.status)
    },
    get(r) {
      const ndr = new NdrReader(r)
      if (ndr.u32() !== level) return { info: null, status: NERR.INVALID_LEVEL }
      const [info = null] = ndr.pointer() ? getStructs(ndr, shape, 1) : []
      return { info, status: ndr.u32() }
    },
  }
}

export interface ServerSetInfo<L extends ServerLevel> {
  readonly server: string
  readonly info: ServerInfo<L>
  /** A number asks for the one of the member that the server does not like; null does not, but is a parameter too. */
  readonly parmErr: number | null
}

/** NetrServerSetInfo. 3.1.4.18. */
export function serverSetInfoRequest<L extends ServerLevel>(level: L): Codec<ServerSetInfo<L>> {
  const shape: (typeof SERVER)[L] = SERVER[level]
  return {
    name: 'NetrServerSetInfo request',
    put(w, m) {
      const ndr = new NdrWriter(w).uniqueText(m.server).u32(level).u32(level)
      ndr.pointer(true)
      putStructs(ndr, shape, [m.info])
      ndr.uniqueU32(m.parmErr)
    },
    get(r) {
      const ndr = new NdrReader(r)
      const server = ndr.uniqueText() ?? ''
      r.fixed('Level', level, ndr.u32())
      r.fixed('level of the union', level, ndr.u32())
      r.fixed('ServerInfo', 1, Number(ndr.pointer()))
      const [info] = getStructs(ndr, shape, 1)
      return { server, info: info!, parmErr: ndr.uniqueU32() }
    },
  }
}

export interface ServerSetInfoResult {
  /** The number of the member that the server did not like, from 1; null where it was not asked. */
  readonly parmErr: number | null
  readonly status: number
}

export const serverSetInfoResponse: Codec<ServerSetInfoResult> = {
  name: 'NetrServerSetInfo response',
  put(w, m) {
    new NdrWriter(w).uniqueU32(m.parmErr).u32(m.status)
  },
  get(r) {
    const ndr = new NdrReader(r)
    return { parmErr: ndr.uniqueU32(), status: ndr.u32() }
  },
}
