import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fault } from '../../../../src/mapping/fuse/errno.ts'
import { FileHandle } from '../../../../src/mapping/fuse/handles.ts'
import { fcntlRange, FLOCK_RANGE, LockTable, type LockWish } from '../../../../src/mapping/fuse/locks.ts'
import { Node } from '../../../../src/mapping/fuse/nodes.ts'
import { common, overlaps, without } from '../../../../src/mapping/fuse/ranges.ts'
import type { OpenFile } from '../../../../src/smb/files.ts'
import { DiskFiles, type DiskOpen } from './disk-files.ts'

const EAGAIN = { facts: { errno: 'EAGAIN' } }

/** One file on the "server", with handles of this host and opens of another. */
class Scene {
  readonly top = mkdtempSync(join(tmpdir(), 'nbtrun-locks-'))
  readonly files = new DiskFiles(this.top)
  readonly node = new Node(2, false, undefined, 'file')
  readonly warnings: string[] = []
  readonly table = new LockTable(warning => void this.warnings.push(warning))
  readonly #opens: OpenFile[] = []
  #fh = 0

  constructor() {
    writeFileSync(join(this.top, 'file'), 'x'.repeat(1000))
  }

  async foreign(): Promise<OpenFile> {
    const file = await this.files.open('file', { read: true, write: true })
    this.#opens.push(file)
    return file
  }

  async handle(over: (file: OpenFile) => Partial<OpenFile> = () => ({})): Promise<FileHandle> {
    const file = await this.foreign()
    const own = over(file)
    const seen = new Proxy(file, { get: (target, key): unknown => bound(key in own ? own : target, key) })
    const handle = new FileHandle(++this.#fh, this.node, seen, true, true)
    this.node.handles.add(handle)
    return handle
  }

  /** What the server has locked, as `start-end` and x or s, in order. */
  async held(): Promise<string> {
    const file = (await this.foreign()) as DiskOpen
    const locks = file.inode.locks.map(l => `${l.offset}-${l.offset + l.length}${l.exclusive ? 'x' : 's'}`)
    await file.close()
    return locks.sort().join(' ')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#opens) await file.close()
    rmSync(this.top, { recursive: true })
  }
}

function bound(from: object, key: string | symbol): unknown {
  const value: unknown = Reflect.get(from, key)
  return typeof value === 'function' ? value.bind(from) : value
}

const wish = (owner: string, handle: FileHandle, start: number, end: number, exclusive: boolean): LockWish => ({
  owner,
  pid: 1,
  handle,
  range: { start: BigInt(start), end: BigInt(end) },
  exclusive,
})

describe('ranges', () => {
  const r = (start: number, end: number): { start: bigint; end: bigint } => ({ start: BigInt(start), end: BigInt(end) })
  test('are cut by holes', () => {
    assert.deepEqual(without([r(0, 10)], [r(3, 5), r(8, 20)]), [r(0, 3), r(5, 8)])
    assert.deepEqual(without([r(0, 10)], [r(0, 10)]), [])
    assert.deepEqual(without([r(0, 10)], [r(10, 20)]), [r(0, 10)])
  })
  test('overlap when they share a byte', () => {
    assert.equal(overlaps(r(0, 10), r(10, 11)), false)
    assert.equal(overlaps(r(0, 10), r(9, 11)), true)
    assert.deepEqual(common(r(0, 10), r(9, 11)), r(9, 10))
  })
  test('a lock to the end of the file ends before the bytes of flock', () => {
    assert.deepEqual(fcntlRange(5n, (1n << 63n) - 1n), { start: 5n, end: FLOCK_RANGE.start })
    assert.deepEqual(fcntlRange(5n, 9n), r(5, 10))
    assert.throws(() => fcntlRange(FLOCK_RANGE.start, FLOCK_RANGE.start), { facts: { errno: 'EOVERFLOW' } })
  })
})

describe('locks of programs', () => {
  test('are locks on the server, and end there', async () => {
    await using scene = new Scene()
    const a = await scene.handle()
    await scene.table.lock(wish('p', a, 0, 10, true))
    await scene.table.lock(wish('p', a, 20, 30, false))
    assert.equal(await scene.held(), '0-10x 20-30s')
    await scene.table.unlockAll('p')
    assert.equal(await scene.held(), '')
  })

  test('a foreign lock is EAGAIN, and leaves nothing half locked', async () => {
    await using scene = new Scene()
    const a = await scene.handle()
    const foreign = await scene.foreign()
    await foreign.lock({ offset: 50n, length: 1n }, true)
    await scene.table.lock(wish('p', a, 20, 30, true))
    await assert.rejects(scene.table.lock(wish('p', a, 0, 100, true)), EAGAIN)
    await assert.rejects(scene.table.lock(wish('p', a, 50, 51, false)), EAGAIN)
    assert.equal(await scene.held(), '20-30x 50-51x')
  })

  test('an owner does not meet himself, through whichever handle; two owners do, through the same', async () => {
    await using scene = new Scene()
    const [a, b] = [await scene.handle(), await scene.handle()]
    await scene.table.lock(wish('p', a, 0, 10, true))
    await scene.table.lock(wish('p', b, 5, 15, true))
    assert.equal(await scene.held(), '0-10x 10-15x')
    await assert.rejects(scene.table.lock(wish('q', a, 9, 10, false)), EAGAIN)
    await scene.table.lock(wish('q', a, 15, 16, false))
  })

  test('a server range stays whole until its last part is released', async () => {
    await using scene = new Scene()
    const a = await scene.handle()
    await scene.table.lock(wish('p', a, 0, 100, true))
    await scene.table.unlock('p', { start: 10n, end: 20n })
    assert.equal(await scene.held(), '0-100x')
    await scene.table.unlock('p', { start: 0n, end: 10n })
    await scene.table.unlock('p', { start: 20n, end: 100n })
    assert.equal(await scene.held(), '')
  })

  test('a released part goes to another program of this host, which keeps the server range when the first ends', async () => {
    await using scene = new Scene()
    const [a, b] = [await scene.handle(), await scene.handle()]
    await scene.table.lock(wish('p', a, 0, 100, true))
    await scene.table.unlock('p', { start: 50n, end: 100n })
    await scene.table.lock(wish('q', b, 60, 70, true))
    await scene.table.unlockAll('p')
    assert.equal(await scene.held(), '0-100x', 'q stands on it')
    let left = false
    const leaving = scene.table.leave(a).then(() => void (left = true))
    await scene.table.test(wish('r', b, 0, 1, true))
    assert.equal(left, false, 'the open must stay')
    await scene.table.unlockAll('q')
    await leaving
    assert.equal(await scene.held(), '')
  })

  test('going down to shared never lets go: halves over the exclusive range, then that is unlocked', async () => {
    await using scene = new Scene()
    const foreign = await scene.foreign()
    const seen: string[] = []
    const a = await scene.handle(file => ({
      unlock: async range => {
        await file.unlock(range)
        await assert.rejects(foreign.lock({ offset: 0n, length: 10n }, true), 'another host got in between')
        seen.push(`${range.offset}+${range.length}`)
      },
    }))
    await scene.table.lock(wish('p', a, 0, 10, true))
    await scene.table.lock(wish('p', a, 0, 10, false))
    assert.deepEqual(seen, ['0+10'])
    assert.equal(await scene.held(), '0-5s 5-10s')
    await foreign.lock({ offset: 0n, length: 10n }, false)
    await scene.table.unlockAll('p')
    assert.equal(await scene.held(), '0-10s')
  })

  test('a single byte cannot be halved and stays exclusive', async () => {
    await using scene = new Scene()
    const a = await scene.handle()
    await scene.table.lock(wish('p', a, 3, 4, true))
    await scene.table.lock(wish('p', a, 3, 4, false))
    assert.equal(await scene.held(), '3-4x')
    await scene.table.unlockAll('p')
    assert.equal(await scene.held(), '')
  })

  test('going up to exclusive keeps the shared rest', async () => {
    await using scene = new Scene()
    const a = await scene.handle()
    await scene.table.lock(wish('p', a, 0, 10, false))
    await scene.table.lock(wish('p', a, 2, 4, true))
    assert.equal(await scene.held(), '0-2s 2-4x 4-10s')
  })

  test('a refused upgrade leaves the shared lock as it was', async () => {
    await using scene = new Scene()
    const a = await scene.handle()
    const foreign = await scene.foreign()
    await foreign.lock({ offset: 0n, length: 10n }, false)
    await scene.table.lock(wish('p', a, 0, 10, false))
    await assert.rejects(scene.table.lock(wish('p', a, 0, 10, true)), EAGAIN)
    assert.equal(await scene.held(), '0-10s 0-10s')
    assert.equal(a.lost, false)
    assert.deepEqual(scene.warnings, [])
  })

  test('a shared lock that another host took during the upgrade is lost: said, and its handle is no good any more', async () => {
    await using scene = new Scene()
    const foreign = await scene.foreign()
    const a = await scene.handle(file => ({
      unlock: async range => {
        await file.unlock(range)
        await foreign.lock(range, true)
      },
    }))
    await scene.table.lock(wish('p', a, 0, 10, false))
    await assert.rejects(scene.table.lock(wish('p', a, 0, 10, true)), { facts: { errno: 'EIO' } })
    assert.equal(a.lost, true)
    assert.match(scene.warnings.join(), /lost a lock \(it was shared/)
    assert.equal(await scene.held(), '0-10x')
  })

  test('a handle that is no more takes its locks along, and those of others that stood on them: said, and their handles are no good any more', async () => {
    await using scene = new Scene()
    const [gone, leaning, own] = [await scene.handle(), await scene.handle(), await scene.handle()]
    await scene.table.lock(wish('p', gone, 0, 10, true))
    await scene.table.unlock('p', { start: 5n, end: 10n })
    await scene.table.lock(wish('q', leaning, 5, 10, false)) // on the server it is the exclusive lock of p
    await scene.table.lock(wish('r', own, 20, 30, true))
    await gone.file.close()
    await scene.table.forsake(gone)
    assert.deepEqual([leaning.lost, own.lost], [true, false])
    assert.equal(scene.warnings.length, 1)
    assert.match(scene.warnings.join(), /lost a lock \(it stood on one of a file that is gone\)/)
    await scene.table.lock(wish('r', own, 0, 10, true))
    assert.equal(await scene.held(), '0-10x 20-30x')
  })

  test('a server without locks is ENOLCK, a lost connection EIO', async () => {
    await using scene = new Scene()
    const a = await scene.handle(() => ({ lock: () => Promise.reject(fault('EOPNOTSUPP', 'locking')) }))
    const b = await scene.handle(() => ({ lock: () => Promise.reject(fault('EIO', 'connection')) }))
    await assert.rejects(scene.table.lock(wish('p', a, 0, 10, true)), { facts: { errno: 'ENOLCK' } })
    await assert.rejects(scene.table.lock(wish('p', b, 0, 10, true)), { facts: { errno: 'EIO' } })
  })

  test('waiting ends with the grant of the server, or with the signal', async () => {
    await using scene = new Scene()
    const a = await scene.handle()
    const foreign = await scene.foreign()
    await foreign.lock({ offset: 5n, length: 1n }, true)
    const granted = scene.table.lock(wish('p', a, 0, 10, true), new AbortController().signal)
    await scene.table.test(wish('r', a, 100, 101, true))
    await foreign.unlock({ offset: 5n, length: 1n })
    await granted
    assert.equal(await scene.held(), '0-10x')

    await foreign.lock({ offset: 20n, length: 1n }, true)
    const controller = new AbortController()
    const waiting = scene.table.lock(wish('p', a, 20, 30, true), controller.signal)
    await scene.table.test(wish('r', a, 100, 101, true))
    controller.abort()
    await assert.rejects(waiting, { facts: { errno: 'EINTR' } })
    assert.equal(await scene.held(), '0-10x 20-21x')
  })

  test('waiting for a program of this host ends when that lets go', async () => {
    await using scene = new Scene()
    const [a, b] = [await scene.handle(), await scene.handle()]
    await scene.table.lock(wish('p', a, 0, 10, true))
    const granted = scene.table.lock(wish('q', b, 0, 10, true), new AbortController().signal)
    await scene.table.unlockAll('p')
    await granted
    assert.equal(await scene.held(), '0-10x')
    await assert.rejects(scene.table.lock(wish('p', a, 0, 10, false)), EAGAIN)
  })

  test('a grant that nobody learnt of is taken back, and what was there before stays', async () => {
    await using scene = new Scene()
    const a = await scene.handle()
    await scene.table.lock(wish('p', a, 0, 4, false))
    const takeBack = await scene.table.lock(wish('p', a, 0, 10, true))
    await takeBack()
    assert.equal(await scene.table.test(wish('q', a, 4, 10, true)), undefined)
    assert.equal(scene.table.conflict(wish('q', a, 0, 4, false)), undefined)
    assert.notEqual(scene.table.conflict(wish('q', a, 3, 4, true)), undefined)
  })

  test('testing finds programs here, and by trying, locks elsewhere', async () => {
    await using scene = new Scene()
    const a = await scene.handle()
    const foreign = await scene.foreign()
    await foreign.lock({ offset: 50n, length: 1n }, false)
    await scene.table.lock(wish('p', a, 0, 10, false))
    assert.equal(await scene.table.test(wish('q', a, 50, 60, true)), 'elsewhere')
    assert.equal(await scene.table.test(wish('q', a, 50, 60, false)), undefined)
    const here = await scene.table.test(wish('q', a, 5, 6, true))
    assert.ok(typeof here === 'object')
    assert.deepEqual([here.owner, here.exclusive, here.start, here.end], ['p', false, 0n, 10n])
    assert.equal(await scene.held(), '0-10s 50-51s')
  })

  test('reading goes through the handle that has the bytes locked', async () => {
    await using scene = new Scene()
    const [a, b] = [await scene.handle(), await scene.handle()]
    await scene.table.lock(wish('p', a, 10, 20, true))
    assert.equal(scene.table.server.route(a, 0, 100, false), undefined)
    assert.equal(scene.table.server.route(b, 20, 100, false), undefined)
    assert.deepEqual(
      scene.table.server.route(b, 0, 100, false)?.map(step => [step.handle.fh, step.offset, step.length]),
      [
        [b.fh, 0, 10],
        [a.fh, 10, 10],
        [b.fh, 20, 80],
      ],
    )
  })
})
