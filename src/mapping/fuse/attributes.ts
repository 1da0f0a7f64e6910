import type { FileInfo, VolumeInfo } from '../../smb/files.ts'
import type { Attributes, UnixTime, Volume } from './protocol/attributes.ts'
import { S_IFDIR, S_IFREG } from './protocol/constants.ts'

/** FILE_ATTRIBUTE_*, [MS-FSCC] 2.6. */
export const READONLY = 0x1
export const NORMAL = 0x80

const TICKS = 10_000_000n
/** 1970 as a FILETIME. */
const EPOCH = 116_444_736_000_000_000n
const BLOCK_SIZE = 1 << 20

/** FILETIME to seconds and nanoseconds; 0, which means "not kept", is shown as 1970. */
export function unixTime(filetime: bigint): UnixTime {
  if (filetime === 0n) return { seconds: 0n, nanoseconds: 0 }
  const ticks = filetime - EPOCH
  const rest = ((ticks % TICKS) + TICKS) % TICKS // seconds are rounded down, before 1970 too
  return { seconds: BigInt.asUintN(64, (ticks - rest) / TICKS), nanoseconds: Number(rest) * 100 }
}

export function fileTime({ seconds, nanoseconds }: UnixTime): bigint {
  return BigInt.asIntN(64, seconds) * TICKS + BigInt(Math.floor(nanoseconds / 100)) + EPOCH
}

export function fileTimeNow(): bigint {
  return BigInt(Date.now()) * 10_000n + EPOCH
}

export interface Owner {
  readonly uid: number
  readonly gid: number
  readonly readOnly: boolean
  /** Whoever sees the files may write them, as far as the server lets our user: what root starts may drop to another user. */
  readonly forAll: boolean
}

/**
 * What stat(2) shows. A share knows one user, so files are his: 0755 (0777 where others work with them), or 0555 with the
 * READONLY attribute. On a directory that attribute
 * forbids nothing (Windows marks folders with a custom look by it), so only a read-only mapping takes its write permission.
 */
export function attributesOf(info: FileInfo, nodeId: number, linked: boolean, owner: Owner): Attributes {
  const fixed = owner.readOnly || (!info.directory && (info.attributes & READONLY) !== 0)
  return {
    ino: info.id === 0n ? BigInt(nodeId) : info.id,
    size: info.size,
    blocks: Math.ceil((info.allocation === 0 ? info.size : info.allocation) / 512),
    accessed: unixTime(info.accessed),
    modified: unixTime(info.written),
    changed: unixTime(info.changed),
    mode: (info.directory ? S_IFDIR : S_IFREG) | (fixed ? 0o555 : owner.forAll ? 0o777 : 0o755),
    links: linked ? 1 : 0,
    uid: owner.uid,
    gid: owner.gid,
    blockSize: BLOCK_SIZE,
  }
}

export function volumeOf(info: VolumeInfo): Volume {
  const unit = info.unitBytes > 0 ? info.unitBytes : 4096
  const count = (bytes: number): number => Math.floor(bytes / unit)
  return { blocks: count(info.totalBytes), free: count(info.freeBytes), available: count(info.availableBytes), blockSize: unit }
}
