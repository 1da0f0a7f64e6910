import { type Codec, WireError } from '../../base/wire.ts'
import { getBlock, putAndX, putBlock, skipAndX } from './block.ts'
import { getText, putText } from './text.ts'

export interface TreeConnectRequest {
  /** `\\host\share`, never with a port. */
  readonly path: string
  readonly unicode: boolean
}

/** Services that hold no files, as servers tell them. [MS-CIFS] 2.2.4.55.2. A disk is `A:`; impacket has the share's name there. */
export const NO_DISK: ReadonlySet<string> = new Set(['IPC', 'LPT1:', 'COMM'])
const ANY_SERVICE = '?????'
/** TREE_CONNECT_ANDX_EXTENDED_RESPONSE. [MS-SMB] 2.2.4.7.1. */
const EXTENDED_RESPONSE = 0x0008

/** TREE_CONNECT_ANDX request. [MS-CIFS] 2.2.4.55.1. The password is the session's: a single zero. */
export const treeConnectRequest: Codec<TreeConnectRequest> = {
  name: 'SMB1 TREE_CONNECT_ANDX request',
  put(w, m) {
    putBlock(
      w,
      () => {
        putAndX(w)
        w.u16(EXTENDED_RESPONSE).u16(1)
      },
      (_, start) => {
        w.u8(0)
        putText(w, m.path, m.unicode, start)
        putText(w, ANY_SERVICE, false, start)
      },
    )
  },
  get(r) {
    const { words, bytes, bytesAt } = getBlock(r, 4)
    skipAndX(words)
    words.skip(2) // Flags
    bytes.skip(words.u16())
    // no path has a zero for its second byte but in Unicode
    const unicode = bytes.buf[bytes.pos + ((bytesAt + bytes.pos) % 2) + 1] === 0
    const path = getText(bytes, unicode, bytesAt)
    if (getText(bytes, false, bytesAt) !== ANY_SERVICE) throw new WireError('the service is named', r.pos)
    return { path, unicode }
  },
}

/** TREE_CONNECT_ANDX response. [MS-CIFS] 2.2.4.55.2, [MS-SMB] 2.2.4.7.2. */
export const treeConnectResponse: Codec<{ readonly service: string }> = {
  name: 'SMB1 TREE_CONNECT_ANDX response',
  put(w, m) {
    putBlock(
      w,
      () => {
        putAndX(w)
        w.u16(1) // OptionalSupport
      },
      (_, start) => putText(w, m.service, false, start),
    )
  },
  get(r) {
    const { words, bytes, bytesAt } = getBlock(r, 2, 3, 7)
    skipAndX(words)
    return { service: getText(bytes, false, bytesAt) }
  },
}
