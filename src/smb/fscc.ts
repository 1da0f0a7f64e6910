import { WireError, Writer, type Codec } from '../base/wire.ts'
import type { DirEntry, FileInfo, FileTimes, VolumeInfo } from './files.ts'
import { ATTRIBUTE } from './access.ts'

/** [MS-FSCC] 2.4 and 2.5: the information classes used here. */
export const FILE_CLASS = { BASIC: 4, RENAME: 10, DISPOSITION: 13, ALL: 18, END_OF_FILE: 20, ID_FULL_DIRECTORY: 38 } as const
export const FILESYSTEM_CLASS = { FULL_SIZE: 7 } as const

/** Room for FileAllInformation with a name of usual length; a longer one is cut off, which is fine, as it is not used. */
export const ALL_INFORMATION_LENGTH = 1024

/** FileAllInformation as far as it is used; the id is the server's IndexNumber. [MS-FSCC] 2.4.2. */
export const allInformation: Codec<FileInfo> = {
  name: 'FileAllInformation',
  put(w, m) {
    w.u64(m.created).u64(m.accessed).u64(m.written).u64(m.changed).u32(m.attributes).zeros(4)
    w.u64n(m.allocation).u64n(m.size).zeros(8).u64(m.id).zeros(28)
  },
  get(r) {
    const created = r.u64()
    const accessed = r.u64()
    const written = r.u64()
    const changed = r.u64()
    const attributes = r.u32()
    r.skip(4) // Reserved
    const allocation = r.u64n()
    const size = r.u64n()
    r.skip(8) // NumberOfLinks, DeletePending, Directory, Reserved
    const id = r.u64()
    r.skip(28) // EaSize to AlignmentRequirement, FileNameLength
    return { id, size, allocation, attributes, directory: isDirectory(attributes), created, accessed, written, changed }
  },
}

export function isDirectory(attributes: number): boolean {
  return (attributes & ATTRIBUTE.DIRECTORY) !== 0
}

/** A whole buffer of FileIdFullDirectoryInformation; `.` and `..` are left in. [MS-FSCC] 2.4.18. */
export function directoryEntries(data: Buffer): DirEntry[] {
  const entries: DirEntry[] = []
  if (data.length === 0) return entries
  for (let at = 0; ; ) {
    if (data.length - at < 80) throw new WireError('directory entry is cut off', at)
    const next = data.readUInt32LE(at)
    const nameLength = data.readUInt32LE(at + 60)
    if (nameLength % 2 !== 0 || nameLength > data.length - at - 80) throw new WireError(`directory entry's name of ${nameLength} bytes is outside`, at)
    const attributes = data.readUInt32LE(at + 56)
    entries.push({
      name: data.toString('utf16le', at + 80, at + 80 + nameLength),
      created: data.readBigUInt64LE(at + 8),
      accessed: data.readBigUInt64LE(at + 16),
      written: data.readBigUInt64LE(at + 24),
      changed: data.readBigUInt64LE(at + 32),
      size: size(data, at + 40),
      allocation: size(data, at + 48),
      attributes,
      directory: isDirectory(attributes),
      id: data.readBigUInt64LE(at + 72),
    })
    if (next === 0) return entries
    if (next < 80 || next > data.length - at) throw new WireError(`directory entry points ${next} bytes on`, at)
    at += next
  }
}

function size(data: Buffer, at: number): number {
  const value = data.readBigUInt64LE(at)
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new WireError('size above 2^53-1', at)
  return Number(value)
}

/** FileBasicInformation: a time of 0 and attributes of 0 leave what is there. [MS-FSCC] 2.4.7. */
export function basicInformation(times: FileTimes, attributes = 0): Buffer {
  const w = new Writer(40)
  w.u64(times.created ?? 0n)
    .u64(times.accessed ?? 0n)
    .u64(times.written ?? 0n)
    .u64(0n)
    .u32(attributes)
    .zeros(4)
  return w.done()
}

/** FileRenameInformation for SMB2: the whole new path. [MS-FSCC] 2.4.37.2. */
export function renameInformation(path: string, replace: boolean): Buffer {
  const w = new Writer(24 + 2 * path.length)
  w.u8(replace ? 1 : 0)
    .zeros(7)
    .zeros(8)
    .u32(2 * path.length)
    .utf16(path)
  return w.pos < 24 ? w.zeros(24 - w.pos).done() : w.done()
}

/** FileDispositionInformation: delete when the last handle closes. [MS-FSCC] 2.4.11. */
export const DELETE_ON_CLOSE = Buffer.from([1])

/** FileEndOfFileInformation. [MS-FSCC] 2.4.13. */
export function endOfFile(bytes: number): Buffer {
  return new Writer(8).u64n(bytes).done()
}

/** FileFsFullSizeInformation. [MS-FSCC] 2.5.4. */
export const fullSizeInformation: Codec<VolumeInfo> = {
  name: 'FileFsFullSizeInformation',
  put(w, m) {
    const units = (bytes: number): number => Math.floor(bytes / m.unitBytes)
    w.u64n(units(m.totalBytes)).u64n(units(m.availableBytes)).u64n(units(m.freeBytes)).u32(1).u32(m.unitBytes)
  },
  get(r) {
    const total = r.u64n()
    const available = r.u64n()
    const free = r.u64n()
    const unitBytes = r.u32() * r.u32()
    return { totalBytes: total * unitBytes, availableBytes: available * unitBytes, freeBytes: free * unitBytes, unitBytes }
  },
}
