import type { Shape, Struct } from '../struct.ts'

/** What the server service tells, by level: [MS-SRVS] 2.2.4, in the specification's order. Times in seconds. */

const session1 = { client: 'text', user: 'text', opens: 'u32', seconds: 'u32', idle: 'u32', flags: 'u32' } as const

/** SESSION_INFO_*. 2.2.4.11 to 2.2.4.15. */
export const SESSION = {
  0: { client: 'text' },
  1: session1,
  2: { ...session1, clientType: 'text' },
  10: { client: 'text', user: 'text', seconds: 'u32', idle: 'u32' },
  502: { ...session1, clientType: 'text', transport: 'text' },
} as const satisfies Record<number, Shape>

/** CONNECTION_INFO_*. 2.2.4.1, 2.2.4.2. `name` is the share, or, asked about a share, the client. */
export const CONNECTION = {
  0: { id: 'u32' },
  1: { id: 'u32', type: 'u32', opens: 'u32', users: 'u32', seconds: 'u32', user: 'text', name: 'text' },
} as const satisfies Record<number, Shape>

/** FILE_INFO_*. 2.2.4.6, 2.2.4.7. */
export const FILE = {
  2: { id: 'u32' },
  3: { id: 'u32', permissions: 'u32', locks: 'u32', path: 'text', user: 'text' },
} as const satisfies Record<number, Shape>

const share1 = { name: 'text', type: 'u32', remark: 'text' } as const

/** SHARE_INFO_*. 2.2.4.22 to 2.2.4.24. `maxUses` of all ones: as many as come. */
export const SHARE = {
  0: { name: 'text' },
  1: share1,
  2: { ...share1, permissions: 'u32', maxUses: 'u32', uses: 'u32', path: 'text', password: 'text' },
} as const satisfies Record<number, Shape>

/** SHARE_INFO_*: shi1_type, the low bits; and two flags. 2.2.2.4. */
export const SHARE_KIND = ['disk', 'printer', 'device', 'IPC'] as const
export const SHARE_SPECIAL = 0x8000_0000

const server101 = { platform: 'u32', name: 'text', major: 'u32', minor: 'u32', type: 'u32', comment: 'text' } as const

/** SERVER_INFO_*. 2.2.4.40 and following. `disc`: minutes until an idle session is disconnected, all ones for never. */
export const SERVER = {
  101: server101,
  102: { ...server101, users: 'u32', disc: 'u32', hidden: 'u32', announce: 'u32', anndelta: 'u32', licenses: 'u32', userpath: 'text' },
  502: {
    sessopens: 'u32',
    sessvcs: 'u32',
    opensearch: 'u32',
    sizreqbuf: 'u32',
    initworkitems: 'u32',
    maxworkitems: 'u32',
    rawworkitems: 'u32',
    irpstacksize: 'u32',
    maxrawbuflen: 'u32',
    sessusers: 'u32',
    sessconns: 'u32',
    maxpagedmemoryusage: 'u32',
    maxnonpagedmemoryusage: 'u32',
    enablesoftcompat: 'u32',
    enableforcedlogoff: 'u32',
    timesource: 'u32',
    acceptdownlevelapis: 'u32',
    lmannounce: 'u32',
  },
  1010: { disc: 'u32' },
} as const satisfies Record<number, Shape>

export type ServerLevel = keyof typeof SERVER
export type ServerInfo<L extends ServerLevel> = Struct<(typeof SERVER)[L]>
