import assert from 'node:assert/strict'
import { afterEach, describe, test, type TestContext } from 'node:test'
import { NbtrunError } from '../../../src/base/errors.ts'
import { decode, encode } from '../../../src/base/wire.ts'
import type { OpenFile } from '../../../src/smb/files.ts'
import { createRequest, createResponse } from '../../../src/smb/smb2/create.ts'
import { FILESYSTEM_CLASS, fullSizeInformation } from '../../../src/smb/fscc.ts'
import { COMMAND, FLAG } from '../../../src/smb/smb2/header.ts'
import { bufferResponse, INFO, setInfoResponse } from '../../../src/smb/smb2/info.ts'
import { closeRequest, closeResponse } from '../../../src/smb/smb2/io.ts'
import { STATUS, statusName } from '../../../src/smb/status.ts'
import { deletion, queryInfo, type Step } from '../../../src/smb/smb2/steps.ts'
import { type Ground, visit } from '../../../src/smb/smb2/visit.ts'
import { noTimers } from '../base/timers.ts'
import { type Answer, compound, Peer } from './smb2/peer.ts'

const FILE_ID = Buffer.alloc(16, 0x42)
const OPENED = encode(createResponse, {
  oplockLevel: 0,
  createAction: 1,
  created: 1n,
  accessed: 2n,
  written: 3n,
  changed: 4n,
  allocation: 4096,
  size: 6,
  attributes: 0x80,
  fileId: FILE_ID,
  contexts: [],
})
const CLOSED = { body: encode(closeResponse, null) }
const DELETED = { body: encode(setInfoResponse, null) }
const VOLUME = { totalBytes: 8192, availableBytes: 4096, freeBytes: 4096, unitBytes: 4096 }

const peers: Peer[] = []
afterEach(() => {
  for (const { exchange } of peers.splice(0)) exchange.end(new NbtrunError('CLOSED', 'the test is over'))
  noTimers()
})

/** A share on a server of a few lines; `opened` counts what was opened the long way. */
async function share(credits = 9): Promise<{ peer: Peer; ground: Ground; readonly opened: () => number; readonly answer: (...answers: Answer[]) => void }> {
  const peer = new Peer()
  peers.push(peer)
  await peer.grant(credits)
  let opened = 0
  const ground: Ground = {
    labelOf: path => `//srv/app/${path}`,
    affords: requests => peer.exchange.affords(requests),
    requestAll: (calls, options) => peer.exchange.requestAll(calls, options),
    farewellRequest: call => peer.exchange.request(call),
    open: () => {
      opened++
      const take = async <R>(step: Step<R>): Promise<R> => step.result(await peer.exchange.request(step.call(FILE_ID)), step.doing)
      const file = { info: { size: 6 }, take, close: () => Promise.resolve({ how: 'clean', why: '' }) }
      return Promise.resolve(file as unknown as OpenFile & { take: typeof take })
    },
  }
  /** To the requests in order, in one frame. */
  const answer = (...answers: Answer[]): void => peer.exchange.receive(compound(answers.map((one, i) => ({ ...one, to: peer.requests[i]! }))))
  return { peer, ground, opened: () => opened, answer }
}

/** Of a refusal. */
const facts = (errno: string, status: number): object => ({ errno, status, name: statusName(status) })
const commands = (peer: Peer): string[] => peer.requests.map(({ command }) => Object.keys(COMMAND)[command]!)
/** The CLOSEs by themselves: those with a FileId of the server's. */
const closes = (peer: Peer): number =>
  peer.requests.filter(({ command, message }) => command === COMMAND.CLOSE && decode(closeRequest, message.subarray(64)).fileId.equals(FILE_ID)).length

describe('a visit in one round trip', () => {
  test('is CREATE, the steps, CLOSE, related, the file of the later ones all ones', async () => {
    const { peer, ground, opened, answer } = await share()
    const visited = visit(ground, 'a\\b', { directory: true }, queryInfo(INFO.FILESYSTEM, FILESYSTEM_CLASS.FULL_SIZE, fullSizeInformation))
    assert.deepEqual(commands(peer), ['CREATE', 'QUERY_INFO', 'CLOSE'])
    assert.deepEqual(new Set(peer.requests.map(({ frame }) => frame)).size, 1)
    assert.deepEqual(
      peer.requests.map(({ flags }) => flags & FLAG.RELATED),
      [0, FLAG.RELATED, FLAG.RELATED],
    )
    assert.equal(decode(createRequest, peer.requests[0]!.message.subarray(64)).name, 'a\\b')
    assert.equal(decode(closeRequest, peer.requests[2]!.message.subarray(64)).fileId.toString('hex'), 'ff'.repeat(16))
    answer({ body: OPENED }, { body: encode(bufferResponse, { data: encode(fullSizeInformation, VOLUME) }) }, CLOSED)
    const { info, values } = await visited
    assert.deepEqual(values, [VOLUME])
    assert.deepEqual([info.size, info.written, info.directory], [6, 3n, false])
    assert.deepEqual([peer.requests.length, opened()], [3, 0])
  })

  test('without a step it is a look', async () => {
    const { peer, ground, answer } = await share()
    const visited = visit(ground, 'f', {})
    assert.deepEqual(commands(peer), ['CREATE', 'CLOSE'])
    answer({ body: OPENED }, CLOSED)
    assert.equal((await visited).info.size, 6)
  })

  test('waits for the CLOSE', async () => {
    const { peer, ground } = await share()
    let done = false
    const visited = visit(ground, 'f', {}).then(() => (done = true))
    peer.answer(peer.requests[0]!, { body: OPENED })
    await new Promise(setImmediate)
    assert.equal(done, false)
    peer.answer(peer.requests[1]!, CLOSED)
    await visited
  })

  test('that cannot open fails with that status, and nothing is closed', async () => {
    const { peer, ground, answer } = await share()
    const visited = visit(ground, 'gone', { remove: true }, deletion)
    const status = STATUS.OBJECT_NAME_NOT_FOUND
    answer({ status }, { status }, { status })
    await assert.rejects(visited, {
      code: 'FILE_ERROR',
      message: 'opening //srv/app/gone: server said STATUS_OBJECT_NAME_NOT_FOUND',
      facts: facts('ENOENT', STATUS.OBJECT_NAME_NOT_FOUND),
    })
    assert.equal(peer.requests.length, 3)
  })

  test('whose step fails, and its CLOSE with it, is closed by itself before that is told', async () => {
    const { peer, ground, answer } = await share()
    const visited = visit(ground, 'full', { remove: true }, deletion)
    const status = STATUS.DIRECTORY_NOT_EMPTY
    let told = false
    visited.catch(() => (told = true))
    answer({ body: OPENED }, { status }, { status })
    await new Promise(setImmediate)
    assert.deepEqual([closes(peer), told], [1, false])
    peer.answer(peer.requests.at(-1)!, CLOSED)
    await assert.rejects(visited, {
      message: 'removing //srv/app/full: server said STATUS_DIRECTORY_NOT_EMPTY',
      facts: facts('ENOTEMPTY', STATUS.DIRECTORY_NOT_EMPTY),
    })
  })

  test('whose step fails, but not its CLOSE, is not closed twice', async () => {
    const { peer, ground, answer } = await share()
    const visited = visit(ground, 'full', { remove: true }, deletion)
    answer({ body: OPENED }, { status: STATUS.DIRECTORY_NOT_EMPTY }, CLOSED)
    await assert.rejects(visited, { facts: facts('ENOTEMPTY', STATUS.DIRECTORY_NOT_EMPTY) })
    assert.equal(peer.requests.length, 3)
  })

  for (const [status, errno] of [
    [STATUS.FILE_CLOSED, undefined], // closed already
    [STATUS.DISK_FULL, 'ENOSPC'],
  ] as const) {
    test(`whose CLOSE alone fails is closed by itself; ${errno === undefined ? 'what that finds gone is fine' : 'what that fails of is told'}`, async () => {
      const { peer, ground, answer } = await share()
      const visited = visit(ground, 'f', { remove: true }, deletion)
      answer({ body: OPENED }, DELETED, { status: STATUS.FILE_CLOSED })
      assert.equal(closes(peer), 0)
      await new Promise(setImmediate)
      assert.equal(closes(peer), 1)
      peer.answer(peer.requests.at(-1)!, { status })
      if (errno === undefined) await visited
      else await assert.rejects(visited, { facts: facts(errno, status) })
    })
  }

  for (const status of [STATUS.CANCELLED, STATUS.INTERNAL_ERROR, STATUS.INVALID_HANDLE]) {
    test(`whose step the server does not do in a compound (0x${status.toString(16)}) is done step by step`, async () => {
      const { peer, ground, opened, answer } = await share()
      const visited = visit(ground, 'f', { remove: true }, deletion)
      answer({ body: OPENED }, { status }, CLOSED)
      await new Promise(setImmediate)
      assert.deepEqual(commands(peer).slice(3), ['SET_INFO'])
      assert.equal(opened(), 1)
      peer.answer(peer.requests.at(-1)!, DELETED)
      await visited
    })
  }

  test('is done step by step where there are no credits for a compound', async () => {
    const { peer, ground, opened } = await share(2)
    const visited = visit(ground, 'f', { remove: true }, deletion)
    await new Promise(setImmediate)
    assert.deepEqual([commands(peer), opened()], [['SET_INFO'], 1])
    peer.answer(peer.requests[0]!, DELETED)
    await visited
  })
})

describe('a visit that is not answered in time', () => {
  let at = 0
  async function slowShare(t: TestContext): ReturnType<typeof share> {
    t.mock.method(performance, 'now', () => at)
    t.mock.timers.enable({ apis: ['setInterval'] })
    return share()
  }
  /** Lets the deadline pass. */
  async function late(t: TestContext, work: Promise<unknown>): Promise<void> {
    for (let i = 0; i < 6; i++) {
      at += 250
      t.mock.timers.tick(250)
    }
    await assert.rejects(work, { code: 'TIMED_OUT' })
  }

  test('and then is, whole: nothing is left to close', async t => {
    const { peer, ground, answer } = await slowShare(t)
    await late(t, visit(ground, 'f', {}))
    answer({ body: OPENED }, CLOSED)
    await new Promise(setImmediate)
    assert.equal(closes(peer), 0)
  })

  for (const [what, close] of Object.entries({ refused: { status: STATUS.CANCELLED }, 'not answered': undefined })) {
    test(`and then opens, its CLOSE ${what}: it is closed`, async t => {
      const { peer, ground, answer } = await slowShare(t)
      await late(t, visit(ground, 'f', {}))
      answer({ body: OPENED }, ...(close === undefined ? [] : [close]))
      await new Promise(setImmediate)
      assert.equal(closes(peer), 1)
    })
  }

  test('and then does not open: nothing is closed', async t => {
    const { peer, ground, answer } = await slowShare(t)
    await late(t, visit(ground, 'f', {}))
    answer({ status: STATUS.CANCELLED }, { status: STATUS.CANCELLED })
    await new Promise(setImmediate)
    assert.equal(closes(peer), 0)
  })

  test('in its CLOSE alone: it is closed by itself, and nobody waits for that', async t => {
    const { peer, ground } = await slowShare(t)
    const visited = visit(ground, 'f', {})
    peer.answer(peer.requests[0]!, { body: OPENED })
    await late(t, visited)
    assert.equal(closes(peer), 1)
  })
})
