import type { Codec } from '../../base/wire.ts'
import { HEADER_SIZE } from './header.ts'
import { bodySpan } from './negotiate.ts'

export interface TreeConnectRequest {
  readonly flags: number
  /** `\\host\share`, never with a port. */
  readonly path: string
}

export const SHARE_TYPE = { DISK: 1, PIPE: 2, PRINT: 3 } as const
export const SHARE_FLAG = { ENCRYPT_DATA: 0x8000 } as const

export interface TreeConnectResponse {
  readonly shareType: number
  readonly shareFlags: number
  readonly capabilities: number
  readonly maximalAccess: number
}

/** TREE_CONNECT request. [MS-SMB2] 2.2.9. */
export const treeConnectRequest: Codec<TreeConnectRequest> = {
  name: 'SMB2 TREE_CONNECT request',
  put(w, m) {
    w.u16(9).u16(m.flags)
    w.u16(HEADER_SIZE + 8)
      .u16(2 * m.path.length)
      .utf16(m.path)
  },
  get(r) {
    r.fixed('StructureSize', 9, r.u16())
    const flags = r.u16()
    const offset = r.u16()
    const length = r.u16()
    return { flags, path: bodySpan(r, offset, length).toString('utf16le') }
  },
}

/** TREE_CONNECT response. [MS-SMB2] 2.2.10. */
export const treeConnectResponse: Codec<TreeConnectResponse> = {
  name: 'SMB2 TREE_CONNECT response',
  put(w, m) {
    w.u16(16).u8(m.shareType).u8(0).u32(m.shareFlags).u32(m.capabilities).u32(m.maximalAccess)
  },
  get(r) {
    r.fixed('StructureSize', 16, r.u16())
    const shareType = r.u8()
    r.skip(1) // Reserved
    return { shareType, shareFlags: r.u32(), capabilities: r.u32(), maximalAccess: r.u32() }
  },
}

/** LOGOFF, TREE_DISCONNECT, ECHO, and the answers to FLUSH and LOCK: a size and two reserved bytes. [MS-SMB2] 2.2.7 and others. */
export const empty: Codec<null> = {
  name: 'SMB2 message without a body',
  put(w) {
    w.u16(4).u16(0)
  },
  get(r) {
    r.fixed('StructureSize', 4, r.u16())
    r.skip(2) // Reserved
    return null
  },
}
