// What passes between the client and a real server: how many frames an operation takes, and what is under way at once.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { NbtrunError } from '../../src/base/errors.ts'
import { deferred } from '../../src/base/time.ts'
import { type Client, connect, type Share } from '../../src/smb/index.ts'
import type { OpenFile } from '../../src/smb/files.ts'
import { STATUS } from '../../src/smb/status.ts'
import { type Lab, useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { field, proxy, type Proxy } from './proxy.ts'
import { nothingLeft } from './story.ts'

const MIB = 2 ** 20

/** Whether it is a refusal that a program would see as this. */
const errno = (errno: string) => (thrown: unknown) => thrown instanceof NbtrunError && thrown.facts['errno'] === errno

describe('round trips', { skip: noLab, timeout: 800_000 }, () => {
  let lab: Lab
  let between: Proxy
  let client: Client
  let share: Share
  /** The next interim answer. */
  let interim = deferred<void>()
  /** Frames from the client since the last look; what was under way at the most, in frames and in bytes. */
  const seen = { asked: 0, answered: 0, atOnce: 0 }

  before(async () => {
    lab = await useLab()
    const note = (what: 'asked' | 'answered') => (frame: Buffer) => {
      // of whatever takes it long a server says that it will answer: on a busy machine it may be anything
      if (field.status(frame) === STATUS.PENDING) interim.resolve()
      else seen[what]++
      seen.atOnce = Math.max(seen.atOnce, seen.asked - seen.answered)
      return frame
    }
    between = await proxy({ host: lab.server().address, port: 445 }, { fromClient: note('asked'), fromServer: note('answered') })
    client = await connect('127.0.0.1', { user: 'alice', password: lab.password(), domain: 'LAB', port: between.port })
    share = await client.tree('app')
    await share.writeFile('round', Buffer.from('some words'))
  })
  after(async () => {
    await share.files.remove('round', false)
    await client.close()
    await between[Symbol.asyncDispose]()
    await nothingLeft(lab)
  })

  /** How many frames were sent for it, all of them answered. */
  async function frames(work: () => Promise<unknown>): Promise<number> {
    Object.assign(seen, { asked: 0, answered: 0, atOnce: 0 })
    await work()
    assert.equal(seen.answered, seen.asked)
    return seen.asked
  }
  /** Open files on the server. */
  async function open(): Promise<string[]> {
    const { open_files } = JSON.parse(await lab.server().tool('smbstatus', '--json')) as { open_files: Record<string, { filename: string }> }
    return Object.values(open_files).map(({ filename }) => filename)
  }

  test('a look, a folder made, a rename, a removal, the size of the volume: one each, and nothing stays open', async () => {
    const { files } = share
    assert.equal(await frames(async () => assert.equal((await files.stat('round')).size, 10)), 1)
    assert.equal(await frames(() => files.makeDirectory('made')), 1)
    assert.equal(await frames(() => files.rename('made', 'named', false)), 1)
    assert.equal(await frames(() => files.remove('named', true)), 1)
    assert.equal(await frames(async () => assert.ok((await files.volume()).totalBytes > 0)), 1)
    await assert.rejects(files.stat('named'), errno('ENOENT'))
    assert.deepEqual(await open(), [])
  })

  test('what is refused, in its opening or behind it, leaves nothing open', async () => {
    const { files } = share
    await files.makeDirectory('full')
    await share.writeFile('full/file', Buffer.from('x'))
    await assert.rejects(files.remove('full', true), errno('ENOTEMPTY'))
    await assert.rejects(files.rename('full\\file', 'round', false), errno('EEXIST'))
    await assert.rejects(files.makeDirectory('full'), errno('EEXIST'))
    await assert.rejects(files.remove('round', true), errno('ENOTDIR'))
    assert.deepEqual(await open(), [])
    await files.remove('full\\file', false)
    await files.remove('full', true)
  })

  test('32 MiB are written and read in pieces, several at once, and are the same', async () => {
    const data = randomBytes(32 * MIB)
    await share.writeFile('large', data)
    const file = await share.files.open('large', { read: true })
    const part = await file.read(3, 20 * MIB)
    assert.ok(part.equals(data.subarray(3, 3 + 20 * MIB)))
    const rest = await file.read(20 * MIB + 1, 20 * MIB)
    assert.ok(rest.equals(data.subarray(20 * MIB + 1)), 'up to the end')
    await file.close()
    assert.ok((await share.readFile('large')).equals(data))
    await share.files.remove('large', false)
  })

  test('many files at once, more than there are credits', async () => {
    const names = Array.from({ length: 200 }, (_, i) => `many-${i}`)
    await Promise.all(names.map(name => share.writeFile(name, Buffer.from(name))))
    const infos = await Promise.all(names.map(name => share.files.stat(name)))
    assert.ok(infos.every(({ size }, i) => size === names[i]!.length))
    assert.ok(seen.atOnce > 10, `${seen.atOnce}`)
    await Promise.all(names.map(name => share.files.remove(name, false)))
    assert.deepEqual(await open(), [])
  })

  test('CANCEL ends a wait for a lock, put aside by the server or not yet', async () => {
    const range = { offset: 0n, length: 10n }
    const [mine, other] = await Promise.all([1, 2].map((): Promise<OpenFile> => share.files.open('round', { read: true, write: true })))
    await mine!.lock(range, true)
    for (const aside of [true, false]) {
      const stop = new AbortController()
      interim = deferred()
      const waiting = other!.lock(range, true, stop)
      if (aside) await interim.promise
      stop.abort()
      await assert.rejects(waiting, errno('EINTR'))
    }
    await mine!.unlock(range)
    await other!.lock(range, true, { signal: new AbortController().signal })
    await Promise.all([mine!.close(), other!.close()])
  })
})
