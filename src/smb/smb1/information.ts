import { type Codec, Writer } from '../../base/wire.ts'
import type { FileInfo, VolumeInfo } from '../files.ts'
import { isDirectory } from '../fscc.ts'
import { getText, putText, toText } from './text.ts'

/** [MS-SMB] 2.2.2.3.5: with CAP_INFOLEVEL_PASSTHRU a class of [MS-FSCC] is a level. */
export const PASSTHRU = 1000
/** [MS-FSCC] 2.4: classes that are asked for that way. */
export const PASSED = { INTERNAL: PASSTHRU + 6, RENAME: PASSTHRU + 10, FS_FULL_SIZE: PASSTHRU + 7 } as const
/** [MS-CIFS] 2.2.8.3, 2.2.8.4 and 2.2.8.2. */
export const QUERY_LEVEL = { ALL: 0x0107, FS_SIZE: 0x0103 } as const
export const SET_LEVEL = { BASIC: 0x0101, DISPOSITION: 0x0102, END_OF_FILE: 0x0104 } as const

export interface PathQuery {
  readonly level: number
  readonly path: string
  readonly unicode: boolean
}

/** QUERY_PATH_INFORMATION, its parameters. [MS-CIFS] 2.2.6.6.1. */
export const pathQuery: Codec<PathQuery> = {
  name: 'SMB1 QUERY_PATH_INFORMATION request',
  put(w, m) {
    const start = w.pos
    w.u16(m.level).u32(0)
    putText(w, m.path, m.unicode, start)
  },
  get(r) {
    const level = r.u16()
    r.skip(4) // Reserved
    const unicode = r.buf[r.pos + 1] === 0
    return { level, path: getText(r, unicode, 0), unicode }
  },
}

/** QUERY_FILE_INFORMATION, its parameters. [MS-CIFS] 2.2.6.8.1. */
export function fileQuery(fid: number, level: number): Buffer {
  return new Writer(4).u16(fid).u16(level).done()
}

/** SET_FILE_INFORMATION, its parameters. [MS-CIFS] 2.2.6.9.1. */
export function fileSetting(fid: number, level: number): Buffer {
  return new Writer(6).u16(fid).u16(level).u16(0).done()
}

/** QUERY_FS_INFORMATION, its parameters. [MS-CIFS] 2.2.6.4.1. */
export function volumeQuery(level: number): Buffer {
  return new Writer(2).u16(level).done()
}

/** SMB_QUERY_FILE_ALL_INFO, which tells no id. [MS-CIFS] 2.2.8.3.10. */
export const allInfo: Codec<FileInfo> = {
  name: 'SMB_QUERY_FILE_ALL_INFO',
  put(w, m) {
    w.u64(m.created).u64(m.accessed).u64(m.written).u64(m.changed).u32(m.attributes).zeros(4)
    w.u64n(m.allocation)
      .u64n(m.size)
      .u32(1)
      .u8(0)
      .u8(m.directory ? 1 : 0)
      .u16(0)
  },
  get(r) {
    const [created, accessed, written, changed] = [r.u64(), r.u64(), r.u64(), r.u64()]
    const attributes = r.u32()
    r.skip(4) // Reserved1
    const allocation = r.u64n()
    const size = r.u64n()
    r.skip(8) // NumberOfLinks, DeletePending, Directory, Reserved2
    return { id: 0n, size, allocation, attributes, directory: isDirectory(attributes), created, accessed, written, changed }
  },
}

/** FileInternalInformation: the id on disk. [MS-FSCC] 2.4.22. */
export const internalInformation: Codec<bigint> = {
  name: 'FileInternalInformation',
  put(w, id) {
    w.u64(id)
  },
  get(r) {
    return r.u64()
  },
}

/** SMB_QUERY_FS_SIZE_INFO. [MS-CIFS] 2.2.8.2.4. */
export const sizeInfo: Codec<VolumeInfo> = {
  name: 'SMB_QUERY_FS_SIZE_INFO',
  put(w, m) {
    w.u64n(Math.floor(m.totalBytes / m.unitBytes))
      .u64n(Math.floor(m.freeBytes / m.unitBytes))
      .u32(1)
      .u32(m.unitBytes)
  },
  get(r) {
    const total = r.u64n()
    const free = r.u64n()
    const unitBytes = r.u32() * r.u32()
    return { totalBytes: total * unitBytes, freeBytes: free * unitBytes, availableBytes: free * unitBytes, unitBytes }
  },
}

/** FileRenameInformation within the same folder. [MS-FSCC] 2.4.37.1. */
export function renameInFolder(name: string, replace: boolean, unicode: boolean): Buffer {
  const text = toText(name, unicode)
  return new Writer(12 + text.length)
    .u8(replace ? 1 : 0)
    .zeros(3 + 4) // Reserved, RootDirectory
    .u32(text.length)
    .bytes(text)
    .done()
}
