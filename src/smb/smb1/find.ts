import { type Codec, Reader, WireError } from '../../base/wire.ts'
import type { DirEntry } from '../files.ts'
import { isDirectory } from '../fscc.ts'
import { SEARCH_ALL } from './simple.ts'
import { fromText, getText, putText } from './text.ts'

/** [MS-CIFS] 2.2.8.1, [MS-SMB] 2.2.8.1: what a listing tells of each entry, the best first. */
export const FIND_LEVEL = { ID_FULL_DIRECTORY: 0x0105, FULL_DIRECTORY: 0x0102 } as const
/** Close the search at its end; go on behind the last entry. */
const FLAG = { CLOSE_AT_END: 0x02, CONTINUE: 0x08 } as const
/** Entries in one answer: as many as fit. */
const MANY = 0x1000

export interface FindFirst {
  readonly level: number
  /** `\folder\*`. */
  readonly pattern: string
  readonly unicode: boolean
}

/** FIND_FIRST2, its parameters. [MS-CIFS] 2.2.6.2.1. */
export const findFirst: Codec<FindFirst> = {
  name: 'SMB1 FIND_FIRST2 request',
  put(w, m) {
    const start = w.pos
    w.u16(SEARCH_ALL).u16(MANY).u16(FLAG.CLOSE_AT_END).u16(m.level).u32(0) // SearchStorageType
    putText(w, m.pattern, m.unicode, start)
  },
  get(r) {
    r.skip(6) // SearchAttributes, SearchCount, Flags
    const level = r.u16()
    r.skip(4) // SearchStorageType
    const unicode = r.buf[r.pos + 1] === 0
    return { level, pattern: getText(r, unicode, 0), unicode }
  },
}

export interface FindNext {
  readonly sid: number
  readonly level: number
  /** The last entry of the answer before. */
  readonly after: string
  readonly unicode: boolean
}

/** FIND_NEXT2, its parameters. [MS-CIFS] 2.2.6.3.1. */
export const findNext: Codec<FindNext> = {
  name: 'SMB1 FIND_NEXT2 request',
  put(w, m) {
    const start = w.pos
    w.u16(m.sid)
      .u16(MANY)
      .u16(m.level)
      .u32(0)
      .u16(FLAG.CLOSE_AT_END | FLAG.CONTINUE) // ResumeKey
    putText(w, m.after, m.unicode, start)
  },
  get(r) {
    const sid = r.u16()
    r.skip(2) // SearchCount
    const level = r.u16()
    r.skip(6) // ResumeKey, Flags
    const unicode = r.buf[r.pos + 1] === 0
    return { sid, level, after: getText(r, unicode, 0), unicode }
  },
}

export interface Found {
  /** Names the search in FIND_NEXT2; undefined in its answers. */
  readonly sid: number | undefined
  readonly count: number
  readonly atEnd: boolean
}

/** The parameters of both answers. [MS-CIFS] 2.2.6.2.2 and 2.2.6.3.2. */
export const found: Codec<Found> = {
  name: 'SMB1 FIND response',
  put(w, m) {
    if (m.sid !== undefined) w.u16(m.sid)
    w.u16(m.count)
      .u16(m.atEnd ? 1 : 0)
      .u16(0)
      .u16(0) // EaErrorOffset, LastNameOffset
  },
  get(r) {
    const sid = r.left >= 10 ? r.u16() : undefined
    const count = r.u16()
    const atEnd = r.u16() !== 0
    r.skip(4) // EaErrorOffset, LastNameOffset
    return { sid, count, atEnd }
  },
}

/**
 * The entries of an answer; `.` and `..` are left in. SMB_FIND_FILE_FULL_DIRECTORY_INFO, [MS-CIFS] 2.2.8.1.5, and the same with ids, [MS-SMB] 2.2.8.1.3.
 * `count` is what ends them: Samba's last one points on.
 */
export function entriesOf(data: Buffer, { level, unicode, count }: { readonly level: number; readonly unicode: boolean; readonly count: number }): DirEntry[] {
  const entries: DirEntry[] = []
  let at = 0
  for (let left = count; left > 0; left--) {
    const r = new Reader(data.subarray(at))
    const next = r.u32()
    r.skip(4) // FileIndex
    const [created, accessed, written, changed] = [r.u64(), r.u64(), r.u64(), r.u64()]
    const [size, allocation] = [r.u64n(), r.u64n()]
    const attributes = r.u32()
    const length = r.u32()
    r.skip(4) // EaSize
    let id = 0n
    if (level === FIND_LEVEL.ID_FULL_DIRECTORY) {
      r.skip(4) // Reserved
      id = r.u64()
    }
    const name = fromText(r.bytes(length), unicode).replace(/\0+$/, '')
    entries.push({ name, id, size, allocation, attributes, directory: isDirectory(attributes), created, accessed, written, changed })
    if (left === 1) break
    if (next < r.pos || next > data.length - at) throw new WireError(`directory entry points ${next} bytes on`, at)
    at += next
  }
  return entries
}
