// Every answer to every call of the server service, cut at each length and with each bit flipped: an error of ours or an answer, soon, in little memory.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { NbtrunError } from '../../../../src/base/errors.ts'
import { decode, encode } from '../../../../src/base/wire.ts'
import { OP_RANGE_ERROR } from '../../../../src/smb/rpc/faults.ts'
import { bind, bindAck, fault, NDR32, PFC, request, response } from '../../../../src/smb/rpc/pdu.ts'
import type { Pipe } from '../../../../src/smb/rpc/pipe.ts'
import { enumResponse } from '../../../../src/smb/rpc/srvsvc/enumeration.ts'
import { CONNECTION, FILE, SERVER, SESSION, SHARE } from '../../../../src/smb/rpc/srvsvc/levels.ts'
import { serverGetInfoResponse, serverSetInfoResponse, sessionEnumRequest, statusResponse } from '../../../../src/smb/rpc/srvsvc/messages.ts'
import { ServerService } from '../../../../src/smb/rpc/srvsvc/service.ts'
import type { Shape } from '../../../../src/smb/rpc/struct.ts'
import type { Tree } from '../../../../src/smb/resources.ts'
import * as V from '../../../vectors/srvsvc.ts'

const MIB = 1024 * 1024
/** What one answer may cost, ms; far more than it does, for a machine that has other things to do. */
const COST_MS = 2000

/** Says the bytes, and no more. */
class Mouth implements Pipe {
  closed = 0
  calls = 0
  #waiting: Buffer = Buffer.alloc(0)
  readonly #answer: (call: number, asked: Buffer) => Buffer

  constructor(answer: (call: number, asked: Buffer) => Buffer) {
    this.#answer = answer
  }
  async transact(message: Buffer, room: number): Promise<Buffer> {
    this.#waiting = this.#answer(this.calls++, message)
    return this.read(room)
  }
  async write(): Promise<void> {
    assert.fail('no request is that long')
  }
  async read(room: number): Promise<Buffer> {
    const part = this.#waiting.subarray(0, room)
    this.#waiting = this.#waiting.subarray(part.length)
    return part
  }
  async close(): Promise<void> {
    this.closed++
  }
}

const ACK = (callId: number): Buffer =>
  encode(bindAck, { callId, maxSends: 4280, maxTakes: 4280, address: '\\PIPE\\srvsvc', result: 0, reason: 0, transfer: NDR32 })

const serviceOn = (pipe: Pipe): Promise<ServerService> => {
  const connection = { host: 'SRV', ioTimeoutMs: 20_000 }
  return ServerService.open({ session: { connection }, openPipe: async () => pipe } as unknown as Tree)
}

const sample = (shape: Shape): Record<string, string | number> =>
  Object.fromEntries(Object.entries(shape).map(([field, kind], i) => [field, kind === 'u32' ? i + 1 : `${field} ö`]))
const list = (level: number, shape: Shape): Buffer =>
  encode(enumResponse<Shape>('list', level, shape), { entries: [sample(shape), sample(shape)] as never, total: 2, resume: null, status: 0 })
const info = <L extends keyof typeof SERVER>(level: L): Buffer => encode(serverGetInfoResponse(level), { info: sample(SERVER[level]) as never, status: 0 })

interface Call {
  readonly good: Buffer
  readonly ask: (service: ServerService) => Promise<unknown>
  /** Of NetrSessionEnum: all levels before this one are not known. */
  readonly level?: number
}

/** Each call, and a good answer to it. */
const CALLS: Readonly<Record<string, Call>> = {
  'NetrShareEnum 2': { good: list(2, SHARE[2]), ask: service => service.shares() },
  'NetrSessionEnum 502': { good: V.SESSIONS_502_RESPONSE, ask: service => service.sessions(), level: 502 },
  ...Object.fromEntries(
    ([10, 2, 1, 0] as const).map(level => [
      `NetrSessionEnum ${level}`,
      { good: list(level, SESSION[level]), ask: service => service.sessions(), level } as Call,
    ]),
  ),
  NetrSessionDel: { good: encode(statusResponse, 0), ask: service => service.endSessions('10.0.0.9', 'user') },
  'NetrConnectionEnum 1': { good: list(1, CONNECTION[1]), ask: service => service.connections('app') },
  'NetrFileEnum 3': { good: list(3, FILE[3]), ask: service => service.files() },
  NetrFileClose: { good: encode(statusResponse, 0), ask: service => service.closeFile(7) },
  'NetrServerGetInfo 101': { good: info(101), ask: service => service.info(101) },
  'NetrServerGetInfo 102': { good: info(102), ask: service => service.info(102) },
  'NetrServerGetInfo 502': { good: info(502), ask: service => service.info(502) },
  'NetrServerGetInfo 1010': { good: info(1010), ask: service => service.info(1010) },
  'NetrServerSetInfo 1010': { good: encode(serverSetInfoResponse, { parmErr: 0, status: 0 }), ask: service => service.setInfo(1010, { disc: 15 }) },
}

/** Makes a call whose answer `change` has its way with. Returns what came of it: an answer, or an error of ours. */
async function outcome({ ask, good, level }: Call, change: (answer: Buffer) => Buffer, size = 4000): Promise<unknown> {
  const pipe = new Mouth((nth, asked) => {
    if (nth === 0) return ACK(decode(bind, asked).callId)
    const { callId, stub } = decode(request, asked)
    const refused = level !== undefined && decode(sessionEnumRequest, stub).level !== level
    if (refused) return encode(fault, { callId, status: OP_RANGE_ERROR })
    return change(fragments(callId, good, size))
  })
  const service = await serviceOn(pipe)
  try {
    const answer = await ask(service)
    assert.equal(pipe.closed, 0)
    return answer
  } catch (thrown) {
    if (!(thrown instanceof NbtrunError)) throw thrown
    assert.notEqual(thrown.code, 'INTERNAL', thrown.stack)
    // what does not decode leaves nothing to go on with, but for a refusal in a good answer
    if (thrown.code === 'WIRE') await assert.rejects(service.closeFile(1), NbtrunError)
    return thrown
  }
}

function fragments(callId: number, stub: Buffer, size: number): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at === 0 || at < stub.length; at += size) {
    const flags = (at === 0 ? PFC.FIRST : 0) | (at + size >= stub.length ? PFC.LAST : 0)
    parts.push(encode(response, { callId, flags, hint: stub.length - at, stub: stub.subarray(at, at + size) }))
  }
  return Buffer.concat(parts)
}

function changed(bytes: Buffer, change: (copy: Buffer) => unknown): Buffer {
  const copy = Buffer.from(bytes)
  change(copy)
  return copy
}

/** No one answer costs more than it may, and all of them together leave no memory behind. */
async function within(work: AsyncIterable<unknown> | Iterable<Promise<unknown>>): Promise<void> {
  const before = process.memoryUsage().rss
  let began = performance.now()
  for await (const _ of work) {
    const ms = performance.now() - began
    assert.ok(ms < COST_MS, `${ms} ms`)
    began = performance.now()
  }
  const grown = (process.memoryUsage().rss - before) / MIB
  assert.ok(grown < 200, `${grown} MiB more`)
}

for (const [name, call] of Object.entries(CALLS))
  describe(`an answer to ${name}`, () => {
    test('that is good is one, in fragments of any size', async () => {
      const whole = await outcome(call, answer => answer)
      assert.ok(!(whole instanceof NbtrunError), String(whole))
      for (const size of [1, 7, 24, 100]) assert.deepEqual(await outcome(call, answer => answer, size), whole)
    })

    test('that is cut off anywhere is an error', async () => {
      const length = fragments(2, call.good, 4000).length
      async function* all(): AsyncGenerator {
        for (let end = 0; end < length; end++) {
          const came = await outcome(call, answer => answer.subarray(0, end))
          assert.ok(came instanceof NbtrunError && came.code === 'WIRE', `${end} of ${length} bytes: ${String(came)}`)
          yield came
        }
      }
      await within(all())
    })

    test('whose stub is cut off anywhere is an error', async () => {
      async function* all(): AsyncGenerator {
        for (let end = 0; end < call.good.length; end++) {
          const came = await outcome({ ...call, good: call.good.subarray(0, end) }, answer => answer)
          assert.ok(came instanceof NbtrunError && came.code === 'WIRE', `${end} of ${call.good.length} bytes: ${String(came)}`)
          yield came
        }
      }
      await within(all())
    })

    test('with any bit flipped, or any word at an extreme, is an answer or an error of ours', async () => {
      const good = fragments(2, call.good, 4000)
      function* all(): Generator<Promise<unknown>> {
        for (let bit = 0; bit < good.length * 8; bit++) yield outcome(call, answer => changed(answer, copy => (copy[bit >> 3]! ^= 1 << (bit & 7))))
        for (let at = 0; at + 4 <= good.length; at += 4)
          for (const word of [0, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) yield outcome(call, answer => changed(answer, copy => copy.writeUInt32LE(word, at)))
      }
      await within(all())
    })
  })

test('a list in pieces is no longer than anybody needs, and none of it stays in memory', async () => {
  const path = 'x'.repeat(1_000_000)
  let resume = 0
  const good = (): Buffer =>
    encode(enumResponse('list', 3, FILE[3]), { entries: [{ ...sample(FILE[3]), path }] as never, total: 9, resume: ++resume, status: 234 })
  const pipe = new Mouth((nth, asked) => (nth === 0 ? ACK(decode(bind, asked).callId) : fragments(decode(request, asked).callId, good(), 4000)))
  const service = await serviceOn(pipe)
  await assert.rejects(service.files(), { code: 'WIRE', message: /goes on without end/ })
  assert.ok(pipe.calls < 20, `asked ${pipe.calls} times`)
})

test('a server that says for ever that there is more is given up', async () => {
  for (const resume of [0, 1]) {
    let piece = 0
    const good = (): Buffer =>
      encode(enumResponse('list', 3, FILE[3]), { entries: [sample(FILE[3])] as never, total: 9, resume: (piece += resume), status: 234 })
    const pipe = new Mouth((nth, asked) => (nth === 0 ? ACK(decode(bind, asked).callId) : fragments(decode(request, asked).callId, good(), 4000)))
    await assert.rejects((await serviceOn(pipe)).files(), { code: 'WIRE', message: /goes on without end/ })
    assert.ok(pipe.calls < 300, `asked ${pipe.calls} times`)
  }
})
