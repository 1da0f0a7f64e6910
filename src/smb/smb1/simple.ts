import type { Codec } from '../../base/wire.ts'
import { getBlock, putAndX, putBlock } from './block.ts'
import { getText, putText } from './text.ts'

/** TREE_DISCONNECT and NT_CANCEL, and the answers to these and to CLOSE, FLUSH, RENAME, FIND_CLOSE2. [MS-CIFS] 2.2.4.51 and others. */
export const empty: Codec<null> = {
  name: 'SMB1 message without anything',
  put(w) {
    putBlock(w, () => {})
  },
  get(r) {
    getBlock(r, 0)
    return null
  },
}

/** LOGOFF_ANDX, and its answer. [MS-CIFS] 2.2.4.54. */
export const andX: Codec<null> = {
  name: 'SMB1 message with no more than the next command',
  put(w) {
    putBlock(w, () => putAndX(w))
  },
  get(r) {
    getBlock(r, 2)
    return null
  },
}

/** ECHO, and its answer: once, with a byte to send back. [MS-CIFS] 2.2.4.39. */
export const echo: Codec<null> = {
  name: 'SMB1 ECHO',
  put(w) {
    putBlock(
      w,
      () => w.u16(1),
      () => w.u8(0),
    )
  },
  get(r) {
    const { words } = getBlock(r, 1)
    words.fixed('EchoCount', 1, words.u16())
    return null
  },
}

export interface RenameRequest {
  readonly from: string
  readonly to: string
  readonly unicode: boolean
}

/** Of SMB_FILE_ATTRIBUTES: hidden, system, directories, or what has none of these. [MS-CIFS] 2.2.1.2.4. */
export const SEARCH_ALL = 0x16
const STRING = 0x04

/** RENAME request. [MS-CIFS] 2.2.4.8.1. Wildcards in it would rename much: nobody may send them. */
export const renameRequest: Codec<RenameRequest> = {
  name: 'SMB1 RENAME request',
  put(w, m) {
    putBlock(
      w,
      () => w.u16(SEARCH_ALL),
      (_, start) => {
        for (const name of [m.from, m.to]) {
          w.u8(STRING)
          putText(w, name, m.unicode, start)
        }
      },
    )
  },
  get(r) {
    const { bytes, bytesAt } = getBlock(r, 1)
    bytes.fixed('BufferFormat1', STRING, bytes.u8())
    const unicode = bytes.buf[bytes.pos + ((bytesAt + bytes.pos) % 2) + 1] === 0
    const from = getText(bytes, unicode, bytesAt)
    bytes.fixed('BufferFormat2', STRING, bytes.u8())
    return { from, to: getText(bytes, unicode, bytesAt), unicode }
  },
}

/** DELETE_DIRECTORY request. [MS-CIFS] 2.2.4.2.1. */
export const deleteDirectoryRequest: Codec<{ readonly name: string; readonly unicode: boolean }> = {
  name: 'SMB1 DELETE_DIRECTORY request',
  put(w, m) {
    putBlock(
      w,
      () => {},
      (_, start) => {
        w.u8(STRING)
        putText(w, m.name, m.unicode, start)
      },
    )
  },
  get(r) {
    const { bytes, bytesAt } = getBlock(r, 0)
    bytes.fixed('BufferFormat', STRING, bytes.u8())
    const unicode = bytes.buf[bytes.pos + ((bytesAt + bytes.pos) % 2) + 1] === 0
    return { name: getText(bytes, unicode, bytesAt), unicode }
  },
}
