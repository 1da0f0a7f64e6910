import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { NbtrunError } from '../../../../src/base/errors.ts'
import { decode, encode } from '../../../../src/base/wire.ts'
import { RpcClient } from '../../../../src/smb/rpc/client.ts'
import { bind, bindAck, bindNak, fault, NDR32, PDU_HEADER_SIZE, PFC, request, type Request, response, STUB_AT } from '../../../../src/smb/rpc/pdu.ts'
import type { Pipe } from '../../../../src/smb/rpc/pipe.ts'
import { enumResponse } from '../../../../src/smb/rpc/srvsvc/enumeration.ts'
import { SHARE } from '../../../../src/smb/rpc/srvsvc/levels.ts'
import { sessionDelRequest, shareEnumRequest, SRVSVC, statusResponse } from '../../../../src/smb/rpc/srvsvc/messages.ts'

const WHOLE = PFC.FIRST | PFC.LAST
const PAIR = { server: '\\\\SRV', client: '\\\\10.0.0.9', user: 'user' }

/** What the other end of the pipe says to a whole call: fragments, as bytes. */
type Answer = (call: Request) => readonly Buffer[]

/** A pipe whose other end is this test. `piece`: how many bytes come at most at once. */
class TestPipe implements Pipe {
  readonly written: Buffer[] = []
  closed = 0
  #waiting: Buffer = Buffer.alloc(0)
  readonly #answer: Answer
  readonly #piece: number
  readonly #ack: (callId: number) => Buffer

  constructor(answer: Answer, { piece = 4280, ack = ackOf() }: { piece?: number; ack?: (callId: number) => Buffer } = {}) {
    this.#answer = answer
    this.#piece = piece
    this.#ack = ack
  }

  async transact(message: Buffer, room: number): Promise<Buffer> {
    await this.write(message)
    const first = this.written[0]!
    if (first[2] === 11) {
      this.#waiting = this.#ack(decode(bind, first).callId)
    } else {
      const parts = this.written.map(bytes => decode(request, bytes))
      this.#waiting = Buffer.concat(this.#answer({ ...parts[0]!, stub: Buffer.concat(parts.map(({ stub }) => stub)) }))
    }
    this.written.length = 0
    return this.read(room)
  }
  async write(message: Buffer): Promise<void> {
    this.written.push(Buffer.from(message))
  }
  async read(room: number): Promise<Buffer> {
    const size = Math.min(room, this.#piece)
    const part = this.#waiting.subarray(0, size)
    this.#waiting = this.#waiting.subarray(size)
    return part
  }
  async close(): Promise<void> {
    this.closed++
  }
}

function ackOf(change: object = {}): (callId: number) => Buffer {
  return callId => encode(bindAck, { callId, maxSends: 4280, maxTakes: 4280, address: '\\PIPE\\srvsvc', result: 0, reason: 0, transfer: NDR32, ...change })
}

const open = (pipe: Pipe, timeoutMs = 5000): Promise<RpcClient> => RpcClient.bind(pipe, 'the peer', SRVSVC, timeoutMs)
const ok = (callId: number, stub: Buffer, flags: number = WHOLE): Buffer => encode(response, { callId, flags, hint: stub.length, stub })
const success = Buffer.alloc(4)
const refuses = (code: string, pattern: RegExp) => (thrown: unknown) => {
  assert.ok(thrown instanceof NbtrunError)
  assert.equal(thrown.code, code, thrown.message)
  assert.match(thrown.message, pattern)
  return true
}

test('a call is one request with its stub, and its answer decoded', async () => {
  let heard: Request | undefined
  const pipe = new TestPipe(call => {
    heard = call
    return [ok(call.callId, success)]
  })
  const client = await open(pipe)
  assert.equal(await client.call(13, sessionDelRequest, PAIR, statusResponse), 0)
  assert.deepEqual([heard?.opnum, heard?.flags, heard?.callId], [13, WHOLE, 2])
  assert.deepEqual(decode(sessionDelRequest, heard!.stub), PAIR)
  assert.equal(pipe.closed, 0)
})

test('a long request goes out in fragments that the server takes, first and last marked', async () => {
  const user = 'u'.repeat(5000)
  const parts: Request[] = []
  const pipe = new TestPipe(call => [ok(call.callId, success)], { ack: ackOf({ maxTakes: 1432 }) })
  const write = pipe.write.bind(pipe)
  pipe.write = async message => {
    assert.ok(message.length <= 1432)
    if (message[2] === 0) parts.push(decode(request, Buffer.from(message)))
    return write(message)
  }
  const client = await open(pipe)
  assert.equal(await client.call(13, sessionDelRequest, { ...PAIR, user }, statusResponse), 0)
  assert.equal(parts.length, 8)
  assert.deepEqual(
    parts.map(({ flags }) => flags),
    [PFC.FIRST, 0, 0, 0, 0, 0, 0, PFC.LAST],
  )
  assert.equal(decode(sessionDelRequest, Buffer.concat(parts.map(({ stub }) => stub))).user, user)
  assert.equal(
    parts[0]!.hint,
    parts.reduce((sum, { stub }) => sum + stub.length, 0),
  )
})

describe('a long answer', () => {
  const entries = Array.from({ length: 300 }, (_, i) => ({ name: `share${i}`, type: 0, remark: 'x'.repeat(i % 30) }))
  const codec = enumResponse('NetrShareEnum', 1, SHARE[1])
  const stub = encode(codec, { entries, total: 300, resume: null, status: 0 })
  const fragments = (callId: number, size: number): Buffer[] => {
    const parts: Buffer[] = []
    for (let at = 0; at < stub.length; at += size) {
      const flags = (at === 0 ? PFC.FIRST : 0) | (at + size >= stub.length ? PFC.LAST : 0)
      parts.push(ok(callId, stub.subarray(at, at + size), flags))
    }
    return parts
  }
  for (const [size, piece] of [
    [4256, 4280],
    [4256, 1024],
    [1000, 4280],
    [100, 7],
  ] as const)
    test(`in fragments of ${size} bytes, ${piece} of them at a time`, async () => {
      const client = await open(new TestPipe(call => fragments(call.callId, size), { piece }))
      const answer = await client.call(15, shareEnumRequest, { server: '\\\\SRV', level: 1, resume: 0 }, codec)
      assert.deepEqual(answer.entries, entries)
    })
})

test('calls at once are made one after the other', async () => {
  const client = await open(new TestPipe(call => [ok(call.callId, call.stub.subarray(0, 4))]))
  const calls = [1, 2, 3].map(id => client.call(11, statusResponse, id, statusResponse))
  assert.deepEqual(await Promise.all(calls), [1, 2, 3])
})

describe('an answer that is none', () => {
  const cases: Record<string, [Answer, string, RegExp]> = {
    'a fault': [({ callId }) => [encode(fault, { callId, status: 0x1c01_0002 })], 'SERVER_REFUSED', /nca_s_op_rng_error/],
    'a fault that says no': [({ callId }) => [encode(fault, { callId, status: 5 })], 'ACCESS_DENIED', /ERROR_ACCESS_DENIED/],
    'a fault of no name': [({ callId }) => [encode(fault, { callId, status: 0xdead })], 'SERVER_REFUSED', /fault 0x0000dead/],
    nothing: [() => [], 'WIRE', /ended within an answer/],
    'a header cut off': [({ callId }) => [ok(callId, success).subarray(0, 12)], 'WIRE', /ended within an answer/],
    'a stub cut off': [({ callId }) => [ok(callId, success).subarray(0, 26)], 'WIRE', /ended within an answer/],
    'the answer to another call': [({ callId }) => [ok(callId + 1, success)], 'WIRE', /answer to call 3, not to 2/],
    'a middle without a beginning': [({ callId }) => [ok(callId, success, PFC.LAST)], 'WIRE', /first fragment/],
    'two beginnings': [({ callId }) => [ok(callId, success, PFC.FIRST), ok(callId, success)], 'WIRE', /first fragment/],
    'a beginning without an end': [({ callId }) => [ok(callId, success, PFC.FIRST)], 'WIRE', /ended within an answer/],
    'a bind_ack': [({ callId }) => [ackOf()(callId)], 'WIRE', /PTYPE/],
    'a stub too short for what it is': [({ callId }) => [ok(callId, Buffer.alloc(2))], 'WIRE', /NET_API_STATUS/],
    'a fragment longer than was agreed': [
      ({ callId }) => {
        const bytes = ok(callId, success)
        bytes.writeUInt16LE(0xffff, 8)
        return [bytes]
      },
      'WIRE',
      /a fragment of 65535 bytes/,
    ],
    'a fragment shorter than its header': [
      ({ callId }) => {
        const bytes = ok(callId, success)
        bytes.writeUInt16LE(PDU_HEADER_SIZE - 1, 8)
        return [bytes]
      },
      'WIRE',
      /a fragment of 15 bytes/,
    ],
    'fragments without end': [
      ({ callId }) => [ok(callId, success, PFC.FIRST), ...Array.from({ length: 5000 }, () => ok(callId, Buffer.alloc(0), 0))],
      'WIRE',
      /more than 4096 fragments/,
    ],
    'more than anybody needs': [
      ({ callId }) => Array.from({ length: 1100 }, (_, i) => ok(callId, Buffer.alloc(4280 - STUB_AT), i === 0 ? PFC.FIRST : 0)),
      'WIRE',
      /longer than 4194304 bytes/,
    ],
  }
  for (const [what, [answer, code, pattern]] of Object.entries(cases))
    test(`${what}: ${code}`, async () => {
      const pipe = new TestPipe(answer)
      const client = await open(pipe)
      const call = (): Promise<number> => client.call(13, sessionDelRequest, PAIR, statusResponse)
      await assert.rejects(call(), refuses(code, pattern))
      const isFault = what.includes('fault')
      // after a fault the pipe goes on; whatever else it was, nobody knows what comes next
      assert.equal(pipe.closed, isFault ? 0 : 1)
      if (!isFault) await assert.rejects(call(), refuses('CLOSED', /the peer is closed/))
    })

  test('silence ends with the time for the call', async () => {
    const pipe = new TestPipe(call => [ok(call.callId, success)])
    const client = await open(pipe, 50)
    pipe.transact = () => new Promise(() => {})
    await assert.rejects(client.call(13, sessionDelRequest, PAIR, statusResponse), refuses('TIMED_OUT', /asking the peer/))
    assert.equal(pipe.closed, 1)
  })
})

describe('a bind that is refused', () => {
  const cases: Record<string, [(callId: number) => Buffer, string, RegExp]> = {
    'by bind_nak': [callId => encode(bindNak, { callId, reason: 4 }), 'SERVER_REFUSED', /bind_nak, reason 4/],
    'in its result': [ackOf({ result: 2, reason: 1 }), 'SERVER_REFUSED', /refuses the interface \(result 2, reason 1\)/],
    'by a fault': [callId => encode(fault, { callId, status: 5 }), 'ACCESS_DENIED', /ERROR_ACCESS_DENIED/],
    'with fragments of no size': [ackOf({ maxTakes: 24 }), 'WIRE', /fragments of 24 bytes/],
    'for another call': [callId => ackOf()(callId + 7), 'WIRE', /answer to call 8/],
  }
  for (const [how, [ack, code, pattern]] of Object.entries(cases))
    test(`${how}: ${code}, and the pipe is closed`, async () => {
      const pipe = new TestPipe(() => [], { ack })
      await assert.rejects(open(pipe), refuses(code, pattern))
      assert.equal(pipe.closed, 1)
    })
})
