import { deferred } from '../../../src/base/time.ts'
import type { Attach } from '../../../src/mapping/fuse/device.ts'
import type { Point } from '../../../src/mapping/mapping.ts'
import type { FuseServerLike } from '../../../src/mapping/fuse/room.ts'

const HEADER = 40
const ENOENT = -2
const ENOSYS = -38

/** A FUSE server of the least kind: one flat, read-only folder whose files are executable. */
export function serveFlat(files: Readonly<Record<string, string>>, uid: number): (attach: Attach, point: Point) => FuseServerLike {
  const contents = Object.values(files).map(text => Buffer.from(text))
  const names = Object.keys(files)
  const attr = (node: number): Buffer => {
    const b = Buffer.alloc(88)
    b.writeBigUInt64LE(BigInt(node), 0)
    b.writeBigUInt64LE(BigInt(contents[node - 2]?.length ?? 0), 8)
    b.writeUInt32LE(node === 1 ? 0o40755 : 0o100755, 60)
    b.writeUInt32LE(1, 64)
    b.writeUInt32LE(uid, 68)
    return b
  }
  const answer = (opcode: number, node: number, body: Buffer): Buffer | number | undefined => {
    switch (opcode) {
      case 1: {
        const at = names.indexOf(body.toString('utf8', 0, body.indexOf(0)))
        if (at < 0) return ENOENT
        const entry = Buffer.alloc(40)
        entry.writeBigUInt64LE(BigInt(at + 2), 0)
        return Buffer.concat([entry, attr(at + 2)])
      }
      case 2: // FORGET
      case 42: // BATCH_FORGET
        return undefined
      case 3: // GETATTR
        return Buffer.concat([Buffer.alloc(16), attr(node)])
      case 14: // OPEN
      case 27: // OPENDIR
        return Buffer.alloc(16)
      case 15: {
        const offset = Number(body.readBigUInt64LE(8))
        return contents[node - 2]?.subarray(offset, offset + body.readUInt32LE(16)) ?? ENOENT
      }
      case 18: // RELEASE
      case 25: // FLUSH
      case 28: // READDIR
      case 29: // RELEASEDIR
        return Buffer.alloc(0)
      case 26: {
        const init = Buffer.alloc(64)
        init.writeUInt32LE(7, 0)
        init.writeUInt32LE(31, 4)
        init.writeUInt32LE(65536, 20)
        return init
      }
      default:
        return ENOSYS
    }
  }
  return attach => {
    const gone = deferred<void>()
    const device = attach({
      message: request => {
        const b = Buffer.from(request)
        const reply = answer(b.readUInt32LE(4), Number(b.readBigUInt64LE(16)), b.subarray(HEADER))
        if (reply === undefined) return
        const body = typeof reply === 'number' ? Buffer.alloc(0) : reply
        const head = Buffer.alloc(16)
        head.writeUInt32LE(16 + body.length, 0)
        head.writeInt32LE(typeof reply === 'number' ? reply : 0, 4)
        b.copy(head, 8, 8, 16)
        device.send(head, body)
      },
      refused: () => {},
      end: () => gone.resolve(),
    })
    return { gone: gone.promise, openFiles: () => [], mark: () => Promise.resolve(), close: () => device.close() }
  }
}
