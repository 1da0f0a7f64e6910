import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { afterEach, describe, test, type TestContext } from 'node:test'
import { NbtrunError } from '../../../../src/base/errors.ts'
import type { Codec } from '../../../../src/base/wire.ts'
import { signerFor } from '../../../../src/smb/crypto/signer.ts'
import type { Call, Reply } from '../../../../src/smb/smb2/exchange.ts'
import { empty } from '../../../../src/smb/smb2/tree-connect.ts'
import { COMMAND, FLAG, UNSOLICITED } from '../../../../src/smb/smb2/header.ts'
import { STATUS } from '../../../../src/smb/status.ts'
import { noTimers } from '../../base/timers.ts'
import { compound, Peer, reply, sealers } from './peer.ts'

const INTERIM = { status: STATUS.PENDING, flags: FLAG.SERVER_TO_REDIR | FLAG.ASYNC } as const
const KIB64 = 65_536
/** To go with an oplock break. */
const UNASKED = {
  charge: 0,
  status: 0,
  command: COMMAND.OPLOCK_BREAK,
  credits: 0,
  flags: 0,
  next: 0,
  messageId: UNSOLICITED,
  asyncId: 0n,
  treeId: 0,
  sessionId: 0n,
}
const newSigner = (): ReturnType<typeof signerFor> => signerFor('AES-CMAC', Buffer.alloc(16, 7))

const peers: Peer[] = []
function newPeer(timeoutMs?: number): Peer {
  const peer = new Peer(timeoutMs)
  peers.push(peer)
  return peer
}
afterEach(() => {
  for (const { exchange } of peers.splice(0)) exchange.end(new NbtrunError('CLOSED', 'the test is over'))
  noTimers()
})

/** What a promise came to by now: `pending`, `done`, or the code of its error. */
async function state(work: Promise<unknown>): Promise<string> {
  const settled = work.then(
    () => 'done',
    (thrown: unknown) => (thrown instanceof NbtrunError ? thrown.code : String(thrown)),
  )
  return Promise.race([settled, new Promise<string>(resolve => setImmediate(resolve, 'pending'))])
}

/** Time in the test's hands. */
function clock(t: TestContext): { pass(ms: number): void; stall(ms: number): void } {
  let at = 1000
  t.mock.method(performance, 'now', () => at)
  t.mock.timers.enable({ apis: ['setInterval'] })
  const turn = (real: number, ran: number): void => {
    at += real
    t.mock.timers.tick(ran)
  }
  return {
    pass(ms) {
      for (let left = ms; left > 0; left -= 50) turn(50, 50)
    },
    /** The process does not run for `ms`; then one timer fires. */
    stall: ms => turn(ms, 250),
  }
}

describe('credits', () => {
  test('no more is in flight than the server granted, and message ids have no gaps, whatever it grants', async () => {
    const seed = 7
    const random = lcg(seed)
    const peer = newPeer(60_000)
    const calls: Promise<Reply>[] = []
    const inFlight: Peer['sent'] = []
    let [granted, spent, seen, settled] = [1, 0, 0, 0]
    const grant = (most: number): number => {
      const credits = Math.floor(random() * most)
      granted += credits
      return credits
    }
    const look = (): void => {
      for (const sent of peer.sent.slice(seen)) {
        assert.equal(sent.messageId, spent, `seed ${seed}`)
        spent += sent.charge
        assert.ok(spent <= granted, `seed ${seed}: ${spent} spent of ${granted}`)
        inFlight.push(sent)
      }
      seen = peer.sent.length
    }
    for (let step = 0; step < 1000 || settled < calls.length; step++) {
      if (step < 1000 && random() < 0.6) calls.push(peer.echo({ payload: Math.floor(random() * 4 * KIB64) }))
      look()
      const [next] = inFlight.splice(Math.floor(random() * inFlight.length), 1)
      if (next === undefined) peer.exchange.receive(reply(UNASKED, { credits: grant(3) }))
      else {
        peer.answer(next, { credits: grant(6) })
        settled++
      }
    }
    look()
    const replies = await Promise.all(calls)
    assert.deepEqual(
      replies.map(({ header }) => header.messageId),
      peer.sent.map(({ messageId }) => messageId),
    )
  })

  test('withdrawn to zero and given back: what waits then goes out, in order', async () => {
    const peer = newPeer()
    const first = peer.echo()
    peer.answer(peer.sent[0]!, { credits: 0 })
    await first
    const calls = [peer.echo({ treeId: 1 }), peer.echo({ treeId: 2 }), peer.echo({ treeId: 3 })]
    assert.equal(peer.sent.length, 1)
    peer.exchange.receive(reply(UNASKED, { credits: 2 }))
    assert.deepEqual(
      peer.sent.map(({ treeId }) => treeId),
      [0, 1, 2],
    )
    peer.answer(peer.sent[1]!)
    for (const sent of peer.sent.slice(2)) peer.answer(sent)
    await Promise.all(calls)
  })

  test('a small request does not overtake a large one that waits', async () => {
    const peer = newPeer()
    await peer.grant(2)
    const large = peer.echo({ payload: 3 * KIB64, treeId: 1 })
    const small = peer.echo({ treeId: 2 })
    assert.equal(peer.sent.length, 0)
    peer.exchange.receive(reply(UNASKED, { credits: 1 }))
    assert.deepEqual(
      peer.sent.map(({ treeId, charge }) => [treeId, charge]),
      [[1, 3]],
    )
    peer.answer(peer.sent[0]!)
    await large
    peer.answer(peer.sent[1]!)
    await small
  })

  test('a server that grants nothing more: every request ends by its deadline, and nothing was sent', async t => {
    const time = clock(t)
    const peer = newPeer()
    const first = peer.echo()
    peer.answer(peer.sent[0]!, { credits: 0 })
    await first
    const calls = [peer.echo(), peer.echo({ timeoutMs: 400 }), peer.echo({ payload: 9 * KIB64 })]
    time.pass(700)
    assert.deepEqual(await Promise.all(calls.map(state)), ['pending', 'TIMED_OUT', 'pending'])
    time.pass(700)
    assert.deepEqual(await Promise.all(calls.map(state)), ['TIMED_OUT', 'TIMED_OUT', 'TIMED_OUT'])
    assert.equal(peer.sent.length, 1)
  })

  test('a request that is too dear holds up those behind it no longer than till its deadline', async t => {
    const time = clock(t)
    const peer = newPeer()
    await peer.grant(1)
    const dear = peer.echo({ payload: 16 * KIB64, timeoutMs: 500 })
    const cheap = peer.echo({ timeoutMs: 5000 })
    time.pass(1000)
    assert.equal(await state(dear), 'TIMED_OUT')
    assert.equal(peer.sent.length, 1, 'the credit is there')
    peer.answer(peer.sent[0]!)
    assert.equal(await state(cheap), 'done')
  })

  test('a request that cannot be encoded costs neither a credit nor a message id', async () => {
    const peer = newPeer()
    await peer.grant(1)
    const unfit: Codec<null> = {
      name: 'unfit',
      put(w) {
        w.u16(70_000)
      },
      get: () => null,
    }
    await assert.rejects(peer.echo({ codec: unfit }), { code: 'USAGE' })
    const next = peer.echo()
    assert.deepEqual(
      peer.sent.map(({ messageId }) => messageId),
      [1],
    )
    peer.answer(peer.sent[0]!)
    await next
  })

  test('the most bytes of one request are what all its credits pay for, never less than one pays for', async () => {
    const peer = newPeer()
    assert.equal(peer.exchange.limitBytes, KIB64)
    await peer.grant(4)
    assert.equal(peer.exchange.limitBytes, 4 * KIB64)
    const call = peer.echo({ payload: 3 * KIB64 })
    assert.equal(peer.exchange.limitBytes, 4 * KIB64, 'in flight is not gone')
    peer.answer(peer.sent[0]!, { credits: 0 })
    await call
    assert.equal(peer.exchange.limitBytes, KIB64)
  })

  test('a grant of 65535, again and again, neither overflows nor uses a message id twice', async () => {
    const peer = newPeer()
    for (let i = 0; i < 50; i++) {
      const call = peer.echo({ payload: i * KIB64 })
      peer.answer(peer.sent.at(-1)!, { credits: 0xffff })
      await call
    }
    const ids = peer.sent.flatMap(({ messageId, charge }) => Array.from({ length: charge }, (_, i) => messageId + i))
    assert.deepEqual(
      ids,
      ids.map((_, i) => i),
    )
    assert.ok(
      peer.sent.every(({ credits }) => credits > 0 && credits <= 1024),
      'and no more is asked for than can be used',
    )
  })

  test('without multi-credit requests the charge is 0, one request costs one credit and one id, and moves 64 KiB', async () => {
    const peer = newPeer()
    peer.exchange.largeMtu = false
    await peer.grant(9)
    assert.equal(peer.exchange.limitBytes, KIB64)
    const calls = [peer.echo({ payload: KIB64 }), peer.echo({ payload: KIB64 }), peer.echo()]
    assert.deepEqual(
      peer.sent.map(({ messageId, charge }) => [messageId, charge]),
      [
        [1, 0],
        [2, 0],
        [3, 0],
      ],
    )
    for (const sent of peer.sent) peer.answer(sent)
    await Promise.all(calls)
  })

  test('what the server has put aside by an interim answer pays for nothing: its credits came with that answer', async () => {
    const peer = newPeer()
    await peer.grant(4)
    const parked = [peer.echo(), peer.echo()]
    for (const sent of peer.sent.slice(0, 2)) peer.answer(sent, { ...INTERIM, asyncId: 0n, credits: 0 })
    for (const sent of peer.sent.slice(0, 2)) peer.answer(sent, { ...INTERIM, asyncId: 7n, credits: 0 })
    assert.equal(peer.exchange.limitBytes, 2 * KIB64)
    for (const sent of peer.sent.slice(0, 2)) peer.answer(sent, { credits: 0 })
    await Promise.all(parked)
    assert.equal(peer.exchange.limitBytes, 2 * KIB64)
  })
})

describe('what is under way', () => {
  const MIB = 2 ** 20

  test('is bounded, whatever the server grants; the rest waits, in order, and goes out as answers come', async () => {
    const peer = newPeer()
    await peer.grant(0xffff)
    const calls = Array.from({ length: 100 }, (_, treeId) => peer.echo({ payload: MIB, treeId }))
    assert.equal(peer.sent.length, 32)
    for (let i = 0; i < 100; i++) {
      assert.equal(peer.sent.length, Math.min(100, 32 + i))
      peer.answer(peer.sent[i]!)
    }
    await Promise.all(calls)
    assert.deepEqual(
      peer.sent.map(({ treeId }) => treeId),
      calls.map((_, i) => i),
    )
  })

  test('leaves room for what carries nothing, and for one request however large', async () => {
    const peer = newPeer()
    await peer.grant(0xffff)
    const large = peer.echo({ payload: 40 * MIB })
    const small = Array.from({ length: 500 }, () => peer.echo())
    assert.equal(peer.sent.length, 501)
    for (const sent of peer.sent) peer.answer(sent)
    await Promise.all([large, ...small])
  })

  test('is given up at the deadline: the next ones find room', async t => {
    const time = clock(t)
    const peer = newPeer()
    await peer.grant(0xffff)
    const calls = Array.from({ length: 32 }, () => peer.echo({ payload: MIB }))
    const next = peer.echo({ payload: MIB, timeoutMs: 5000 })
    time.pass(1300)
    assert.deepEqual(new Set(await Promise.all(calls.map(state))), new Set(['TIMED_OUT']))
    assert.equal(peer.requests.length, 33)
    peer.answer(peer.requests[32]!)
    assert.equal(await state(next), 'done')
  })

  test('includes what the socket still holds: to a server that does not read nothing more is sent', async t => {
    const time = clock(t)
    const peer = newPeer()
    await peer.grant(0xffff)
    peer.backlog = 33 * MIB
    const call = peer.echo({ timeoutMs: 5000 })
    time.pass(500)
    assert.equal(peer.sent.length, 0)
    peer.backlog = 0
    time.pass(500)
    assert.equal(peer.sent.length, 1)
    peer.answer(peer.sent[0]!)
    assert.equal(await state(call), 'done')
  })

  test('is answered by no more than it may bring: a larger answer ends everything with WIRE', async () => {
    for (const [payload, body, outcome] of [
      [MIB, MIB + 1024, 'done'],
      [MIB, 2 * MIB, 'WIRE'],
      [undefined, 100_000, 'done'],
      [undefined, MIB, 'WIRE'],
    ] as const) {
      const peer = newPeer()
      await peer.grant(0xffff)
      const call = peer.echo(payload === undefined ? {} : { payload })
      peer.answer(peer.sent[0]!, { body: Buffer.alloc(body) })
      assert.equal(await state(call), outcome, `${payload} ${body}`)
    }
  })

  test('does not keep a large frame for the sake of a small answer in it', async () => {
    const peer = newPeer()
    await peer.grant(9)
    const call = peer.echo()
    peer.exchange.receive(
      compound([
        { to: peer.sent[0]!, body: Buffer.from('small') },
        { to: { ...peer.sent[0]!, messageId: 999 }, body: Buffer.alloc(8 * MIB) },
      ]),
    )
    const { message, body } = await call
    assert.equal(body.toString('latin1', 0, 5), 'small')
    assert.ok(message.buffer.byteLength < MIB, `${message.buffer.byteLength} bytes are kept`)
  })
})

describe('several requests in one frame', () => {
  const three = (more: Parameters<Peer['echo']>[0] = {}): Call<unknown>[] =>
    [5, 6, 7].map(length => ({ command: 'ECHO', codec: text, body: 'x'.repeat(length), sessionId: 5n, treeId: 6, ...more }))
  const text: Codec<string> = {
    name: 'text',
    put: (w, words) => void w.bytes(Buffer.from(words)),
    get: () => '',
  }

  for (const related of [true, false]) {
    test(`${related ? 'related' : 'unrelated'}: one frame, aligned, each signed with its padding, ids in a row`, async () => {
      const peer = newPeer()
      await peer.grant(9)
      const signer = newSigner()
      const calls = peer.exchange.requestAll(three({ signer }), { related })
      assert.deepEqual(
        peer.sent.map(({ frame, messageId, charge, flags, next, message, sessionId, treeId }) => ({
          frame,
          messageId,
          charge,
          flags,
          next,
          length: message.length,
          sessionId,
          treeId,
        })),
        [
          { messageId: 1, flags: 0, next: 72, length: 72 },
          { messageId: 2, flags: related ? FLAG.RELATED : 0, next: 72, length: 72 },
          { messageId: 3, flags: related ? FLAG.RELATED : 0, next: 0, length: 71 },
        ].map(row => ({ frame: 1, charge: 1, sessionId: 5n, treeId: 6, ...row, flags: row.flags | FLAG.SIGNED })),
      )
      assert.ok(peer.sent.every(({ message }) => signer.verify(message)))
      assert.equal(peer.sent[0]!.message.subarray(69).toString('hex'), '000000', 'the padding')
      for (const sent of peer.sent) peer.answer(sent, { signer })
      await Promise.all(calls)
    })
  }

  test('sealed: all in one seal, none of them signed', async () => {
    const peer = newPeer()
    await peer.grant(9)
    const { client, server } = sealers()
    peer.sealer = server
    peer.exchange.sealers.set(5n, client)
    const calls = peer.exchange.requestAll(three({ signer: newSigner(), sealer: client }), { related: true })
    assert.deepEqual(
      peer.sent.map(({ sealed, frame, flags }) => [sealed, frame, flags]),
      [
        [true, 1, 0],
        [true, 1, FLAG.RELATED],
        [true, 1, FLAG.RELATED],
      ],
    )
    peer.exchange.receive(
      compound(
        peer.sent.map(to => ({ to })),
        server,
      ),
    )
    await Promise.all(calls)
  })

  test('go out once there are credits for all of them, and not in part', async () => {
    const peer = newPeer()
    await peer.grant(2)
    assert.deepEqual([peer.exchange.affords(2), peer.exchange.affords(3)], [true, false])
    const calls = peer.exchange.requestAll(three(), { related: true })
    assert.equal(peer.sent.length, 0)
    assert.equal(peer.exchange.affords(1), false, 'somebody is waiting')
    peer.exchange.receive(reply(UNASKED, { credits: 1 }))
    assert.deepEqual(
      peer.sent.map(({ messageId }) => messageId),
      [1, 2, 3],
    )
    for (const sent of peer.sent) peer.answer(sent)
    await Promise.all(calls)
  })

  test('ask together for as many credits as one request would', async () => {
    const [one, all] = [newPeer(), newPeer()]
    one.echo().catch(() => {})
    await all.grant(9)
    for (const call of all.exchange.requestAll(three(), { related: false })) call.catch(() => {})
    const asked = all.sent.reduce((sum, { credits }) => sum + credits, 0)
    assert.ok(asked >= 3 && asked <= one.sent[0]!.credits + 3, `${asked}`)
  })

  const orders: Record<string, (peer: Peer) => void> = {
    'in one frame': peer => peer.exchange.receive(compound(peer.requests.map(to => ({ to, body: Buffer.from(`${to.messageId}`) })))),
    'one by one': peer => peer.requests.forEach(to => peer.answer(to, { body: Buffer.from(`${to.messageId}`) })),
    backwards: peer => peer.requests.toReversed().forEach(to => peer.answer(to, { body: Buffer.from(`${to.messageId}`) })),
    'with an interim answer for the first, which comes last': peer => {
      const [first, ...others] = peer.requests
      peer.answer(first!, { ...INTERIM, asyncId: 9n })
      peer.exchange.receive(compound(others.map(to => ({ to, body: Buffer.from(`${to.messageId}`) }))))
      peer.answer(first!, { flags: INTERIM.flags, asyncId: 9n, body: Buffer.from(`${first!.messageId}`) })
    },
  }
  for (const [order, answer] of Object.entries(orders)) {
    test(`are answered ${order}`, async () => {
      const peer = newPeer()
      await peer.grant(9)
      const calls = peer.exchange.requestAll(three(), { related: true })
      answer(peer)
      const bodies = (await Promise.all(calls)).map(({ body }) => body.toString().replaceAll('\0', ''))
      assert.deepEqual(bodies, ['1', '2', '3'])
    })
  }

  test('end each on its own: what is not answered is TIMED_OUT and cancelled, and its late answer is handed on', async t => {
    const time = clock(t)
    const peer = newPeer()
    await peer.grant(9)
    const late: number[] = []
    const calls = peer.exchange.requestAll(three({ onLate: ({ header }) => late.push(header.messageId) }), { related: true })
    peer.answer(peer.requests[1]!)
    time.pass(1300)
    assert.deepEqual(await Promise.all(calls.map(state)), ['TIMED_OUT', 'done', 'TIMED_OUT'])
    assert.deepEqual(
      peer.cancels.map(({ messageId }) => messageId),
      [1, 3],
    )
    peer.exchange.receive(compound([0, 2].map(i => ({ to: peer.requests[i]! }))))
    assert.deepEqual(late, [1, 3])
  })

  test('cost neither credits nor message ids when one of them cannot be encoded', async () => {
    const peer = newPeer()
    await peer.grant(3)
    const unfit: Codec<unknown> = {
      name: 'unfit',
      put: w => void w.u16(70_000),
      get: () => null,
    }
    const calls = peer.exchange.requestAll([...three().slice(1), { command: 'ECHO', codec: unfit, body: null }], { related: true })
    assert.deepEqual(await Promise.all(calls.map(state)), ['USAGE', 'USAGE', 'USAGE'])
    const good = peer.exchange.requestAll(three(), { related: true })
    assert.deepEqual(
      peer.sent.map(({ messageId }) => messageId),
      [1, 2, 3],
    )
    for (const sent of peer.sent) peer.answer(sent)
    await Promise.all(good)
  })

  test('that wait are cancelled together', async () => {
    const peer = newPeer()
    const stop = new AbortController()
    const calls = peer.exchange.requestAll(three({ cancel: stop.signal }), { related: true })
    stop.abort()
    assert.deepEqual(await Promise.all(calls.map(state)), ['CANCELLED', 'CANCELLED', 'CANCELLED'])
    assert.equal(peer.sent.length, 0)
    assert.equal(getEventListeners(stop.signal, 'abort').length, 0)
  })

  test('that wait end by their deadline, together', async t => {
    const time = clock(t)
    const peer = newPeer()
    const calls = peer.exchange.requestAll(three(), { related: true })
    time.pass(1300)
    assert.deepEqual(await Promise.all(calls.map(state)), ['TIMED_OUT', 'TIMED_OUT', 'TIMED_OUT'])
    assert.equal(peer.sent.length, 0)
  })
})

describe('a deadline', () => {
  test('ends a request with TIMED_OUT, tells the server, and drops the late answer but not its credit', async t => {
    const time = clock(t)
    const peer = newPeer()
    await peer.grant(2)
    const call = peer.echo()
    time.pass(950)
    assert.equal(await state(call), 'pending')
    time.pass(300)
    await assert.rejects(call, { code: 'TIMED_OUT', facts: { errno: 'ETIMEDOUT' }, message: 'the server did not answer ECHO within 1 s' })
    assert.deepEqual(
      peer.cancels.map(({ messageId }) => messageId),
      [1],
    )
    const before = peer.exchange.unasked
    peer.answer(peer.requests[0]!, { credits: 3 })
    assert.equal(peer.exchange.unasked, before + 1)
    assert.equal(peer.exchange.limitBytes, 4 * KIB64)
  })

  test('is the request’s own where it has one, and none where it is Infinity', async t => {
    const time = clock(t)
    const peer = newPeer()
    await peer.grant(9)
    const calls = [peer.echo({ timeoutMs: 300 }), peer.echo({ timeoutMs: 3000 }), peer.echo({ timeoutMs: Number.POSITIVE_INFINITY })]
    time.pass(1000)
    assert.deepEqual(await Promise.all(calls.map(state)), ['TIMED_OUT', 'pending', 'pending'])
    time.pass(100_000)
    assert.deepEqual(await Promise.all(calls.map(state)), ['TIMED_OUT', 'TIMED_OUT', 'pending'])
    peer.answer(peer.requests[2]!)
    assert.equal(await state(calls[2]!), 'done')
  })

  test('does not count the time in which this process stood still, for what is sent and for what waits', async t => {
    const time = clock(t)
    const peer = newPeer()
    const calls = [peer.echo(), peer.echo()]
    time.pass(500)
    time.stall(3_600_000) // of which one turn of the timer counts
    assert.deepEqual(await Promise.all(calls.map(state)), ['pending', 'pending'])
    time.pass(200)
    assert.deepEqual(await Promise.all(calls.map(state)), ['pending', 'pending'])
    time.pass(100)
    assert.deepEqual(await Promise.all(calls.map(state)), ['TIMED_OUT', 'TIMED_OUT'])
  })

  test('that passes when the transport takes nothing more is still a TIMED_OUT', async t => {
    const time = clock(t)
    const peer = newPeer()
    const call = peer.echo()
    peer.isClosed = true
    assert.doesNotThrow(() => time.pass(1500))
    assert.equal(await state(call), 'TIMED_OUT')
  })

  test('that passes when the session’s key is wiped is still a TIMED_OUT', async t => {
    const time = clock(t)
    const peer = newPeer()
    const signer = newSigner()
    const call = peer.echo({ signer })
    signer.wipe()
    assert.doesNotThrow(() => time.pass(1500))
    assert.equal(await state(call), 'TIMED_OUT')
  })

  test('is the end of patience for a thousand late answers, not for any number', async t => {
    const time = clock(t)
    const peer = newPeer()
    await peer.grant(2000)
    const heard: number[] = []
    const calls = Array.from({ length: 1500 }, () => peer.echo({ onLate: ({ header }) => heard.push(header.messageId) }))
    time.pass(1300)
    assert.deepEqual(new Set(await Promise.all(calls.map(state))), new Set(['TIMED_OUT']))
    for (const request of peer.requests) peer.answer(request)
    assert.deepEqual([heard.length, heard.at(-1)], [1024, 1500])
  })

  test('leaves no timer once nothing is under way', async t => {
    const time = clock(t)
    const peer = newPeer()
    const call = peer.echo()
    peer.answer(peer.sent[0]!)
    await call
    time.pass(250)
    t.mock.timers.reset()
    noTimers()
    t.mock.restoreAll()
    const next = peer.echo({ timeoutMs: 1 })
    await assert.rejects(next, { code: 'TIMED_OUT' }, 'it starts again')
    noTimers()
  })
})

describe('CANCEL', () => {
  test('names a request by its message id, is signed as it is, and costs nothing', async () => {
    const peer = newPeer()
    await peer.grant(2)
    const [signer, stop] = [newSigner(), new AbortController()]
    const call = peer.echo({ cancel: stop.signal, signer, sessionId: 5n, treeId: 6, timeoutMs: Number.POSITIVE_INFINITY })
    stop.abort()
    const [cancel] = peer.cancels
    assert.ok(cancel !== undefined)
    const { messageId, flags, charge, credits, sessionId, treeId, message } = cancel
    assert.deepEqual(
      { messageId, flags, charge, credits, sessionId, treeId },
      { messageId: 1, flags: FLAG.SIGNED, charge: 0, credits: 0, sessionId: 5n, treeId: 6 },
    )
    assert.ok(signer.verify(message))
    assert.equal(message.subarray(64).toString('hex'), '04000000')
    assert.equal(await state(call), 'pending', 'the server has the last word')
    peer.echo().catch(() => {})
    assert.equal(peer.requests.at(-1)?.messageId, 2)
    peer.answer(peer.requests[0]!, { status: STATUS.CANCELLED, signer })
    assert.equal((await call).header.status, STATUS.CANCELLED)
  })

  test('names it by its AsyncId once the server gave one', async () => {
    const peer = newPeer()
    const stop = new AbortController()
    const call = peer.echo({ cancel: stop.signal, treeId: 6 })
    peer.answer(peer.sent[0]!, { ...INTERIM, asyncId: 0x1234n })
    stop.abort()
    assert.deepEqual(
      peer.cancels.map(({ flags, asyncId }) => [flags, asyncId]),
      [[FLAG.ASYNC, 0x1234n]],
    )
    peer.answer(peer.requests[0]!, { flags: INTERIM.flags, asyncId: 0x1234n, status: STATUS.CANCELLED })
    assert.equal((await call).header.status, STATUS.CANCELLED)
  })

  test('is said again by AsyncId when that came after the abort, and not for every further interim answer', async () => {
    const peer = newPeer()
    const stop = new AbortController()
    peer.echo({ cancel: stop.signal }).catch(() => {})
    stop.abort()
    for (let i = 0; i < 1000; i++) peer.answer(peer.requests[0]!, { ...INTERIM, asyncId: 9n })
    assert.deepEqual(
      peer.cancels.map(({ asyncId }) => asyncId),
      [0n, 9n],
    )
  })

  test('follows at once when the signal was aborted before', async () => {
    const peer = newPeer()
    const call = peer.echo({ cancel: AbortSignal.abort() })
    assert.deepEqual(
      peer.sent.map(({ command }) => command),
      [COMMAND.ECHO, COMMAND.CANCEL],
    )
    peer.answer(peer.sent[0]!)
    await call
  })

  test('ends at once what was not sent yet, for want of credits', async () => {
    const peer = newPeer()
    const first = peer.echo()
    const stop = new AbortController()
    const waiting = peer.echo({ cancel: stop.signal, timeoutMs: Number.POSITIVE_INFINITY })
    stop.abort()
    const outcome = await state(waiting)
    peer.exchange.end(new NbtrunError('CLOSED', 'over'))
    await assert.rejects(first)
    assert.equal(outcome, 'CANCELLED')
  })

  test('is not said for what is over, and no listener stays', async () => {
    const peer = newPeer()
    const stop = new AbortController()
    const call = peer.echo({ cancel: stop.signal })
    assert.equal(getEventListeners(stop.signal, 'abort').length, 1)
    peer.answer(peer.sent[0]!)
    await call
    assert.equal(getEventListeners(stop.signal, 'abort').length, 0)
    stop.abort()
    assert.equal(peer.cancels.length, 0)
  })

  test('that can no longer be sent is nobody’s uncaught exception', async () => {
    const peer = newPeer()
    const stop = new AbortController()
    const call = peer.echo({ cancel: stop.signal })
    peer.isClosed = true
    stop.abort() // what a listener throws is an uncaught exception, which fails this test
    await new Promise(setImmediate)
    assert.equal(await state(call), 'pending')
  })
})

describe('interim answers', () => {
  test('settle nothing, however many come, and their credits count', async () => {
    const peer = newPeer()
    const call = peer.echo({ timeoutMs: Number.POSITIVE_INFINITY })
    for (let i = 0; i < 10_000; i++) peer.answer(peer.sent[0]!, { ...INTERIM, asyncId: 1n, credits: i < 3 ? 1 : 0 })
    assert.equal(await state(call), 'pending')
    assert.equal(peer.exchange.unasked, 0)
    const more = [peer.echo(), peer.echo(), peer.echo()]
    assert.equal(peer.requests.length, 4)
    for (const sent of peer.requests) peer.answer(sent)
    await Promise.all([call, ...more])
  })

  test('move no deadline', async t => {
    const time = clock(t)
    const peer = newPeer()
    const call = peer.echo()
    for (let i = 0; i < 5; i++) {
      peer.answer(peer.requests[0]!, { ...INTERIM, asyncId: 1n, credits: 0 })
      time.pass(250)
    }
    assert.equal(await state(call), 'TIMED_OUT')
  })
})

describe('what nobody asked for', () => {
  test('is counted and dropped: unknown, repeated, unsolicited', async () => {
    const peer = newPeer()
    const call = peer.echo()
    const [request] = peer.sent
    assert.ok(request !== undefined)
    peer.answer({ ...request, messageId: 77 })
    peer.answer({ ...request, messageId: UNSOLICITED }, { as: 'OPLOCK_BREAK' })
    assert.equal(await state(call), 'pending')
    peer.answer(request, { body: Buffer.from('first') })
    peer.answer(request, { body: Buffer.from('second') })
    assert.equal((await call).body.toString(), 'first')
    assert.deepEqual([peer.exchange.unasked, peer.fatal], [3, undefined])
  })

  const strange: Record<string, (peer: Peer) => Buffer> = {
    'an answer to another command': peer => reply(peer.sent[0]!, { as: 'CLOSE' }),
    'a request sent back': peer => peer.sent[0]!.message,
    'an empty frame': () => Buffer.alloc(0),
    'half a header': peer => reply(peer.sent[0]!).subarray(0, 40),
    SMB1: () => Buffer.from('ff534d4272000000009853c8', 'hex'),
    'an encrypted message': () => Buffer.concat([Buffer.from('fd534d42', 'hex'), Buffer.alloc(80)]),
    'a message id beyond all we sent': peer => {
      const message = reply(peer.sent[0]!)
      message.writeBigUInt64LE(2n ** 63n, 24)
      return message
    },
  }
  for (const [what, frame] of Object.entries(strange)) {
    test(`${what} ends everything with WIRE`, async () => {
      const peer = newPeer()
      const calls = [peer.echo(), peer.echo()]
      peer.exchange.receive(frame(peer))
      assert.deepEqual(await Promise.all(calls.map(state)), ['WIRE', 'WIRE'])
      assert.equal(peer.fatal?.code, 'WIRE')
      noTimers()
    })
  }
})

describe('compounded answers', () => {
  test('chained answers reach each its request, signatures checked over their own part', async () => {
    const peer = newPeer()
    await peer.grant(9)
    const signer = newSigner()
    const calls = [peer.echo({ signer }), peer.echo({ signer }), peer.echo({ signer })]
    const bodies = ['one', 'two two', 'three'].map(text => Buffer.from(text))
    peer.exchange.receive(compound(bodies.map((body, i) => ({ to: peer.requests[i]!, body, signer }))))
    const replies = await Promise.all(calls)
    assert.deepEqual(
      replies.map(({ body }) => body.toString().replaceAll('\0', '')),
      ['one', 'two two', 'three'],
    )
    assert.equal(replies[2]?.body.toString(), 'three')
  })

  test('a bad one in the chain ends everything; those before it were good', async () => {
    const peer = newPeer()
    await peer.grant(9)
    const signer = newSigner()
    const calls = [peer.echo({ signer }), peer.echo({ signer }), peer.echo({ signer }), peer.echo()]
    const frame = compound(peer.requests.slice(0, 3).map(to => ({ to, signer })))
    frame[72 + 60]! ^= 1
    peer.exchange.receive(frame)
    assert.deepEqual(await Promise.all(calls.map(state)), ['done', 'BAD_SIGNATURE', 'BAD_SIGNATURE', 'BAD_SIGNATURE'])
    noTimers()
  })

  test('a NextCommand that leads nowhere ends everything with WIRE', async () => {
    for (const next of [1, 8, 56, 63, 65, 71, 72, 76, 80, 136, 0x7fff_fff8, 0xffff_fff8]) {
      const peer = newPeer()
      await peer.grant(9)
      const calls = [peer.echo(), peer.echo()]
      const frame = reply(peer.requests[0]!, { next })
      peer.exchange.receive(frame)
      assert.deepEqual(await Promise.all(calls.map(state)), ['WIRE', 'WIRE'], `NextCommand ${next}`)
      noTimers()
    }
  })
})

describe('an exchange that signs', () => {
  test('takes what is signed with its key, and hands out the answer untouched', async () => {
    const peer = newPeer()
    const signer = newSigner()
    const call = peer.echo({ signer })
    assert.ok(signer.verify(peer.sent[0]!.message))
    const message = reply(peer.sent[0]!, { signer })
    const copy = Buffer.from(message)
    peer.exchange.receive(message)
    assert.deepEqual((await call).message, copy)
  })

  for (const status of [STATUS.SUCCESS, STATUS.ACCESS_DENIED, STATUS.PENDING, STATUS.NETWORK_NAME_DELETED]) {
    test(`refuses an unsigned answer of status 0x${status.toString(16)}, and everything after it`, async () => {
      const peer = newPeer()
      await peer.grant(9)
      const signer = newSigner()
      const calls = [peer.echo({ signer }), peer.echo({ signer })]
      const good = reply(peer.sent[1]!, { signer })
      peer.answer(peer.sent[0]!, { status })
      peer.exchange.receive(good)
      assert.deepEqual(await Promise.all(calls.map(state)), ['BAD_SIGNATURE', 'BAD_SIGNATURE'])
    })
  }

  test('takes unsigned: an interim answer, that of LOGOFF, and that the session is gone', async () => {
    const peer = newPeer()
    await peer.grant(9)
    const signer = newSigner()
    const calls = [peer.echo({ signer }), peer.echo({ signer, command: 'LOGOFF' }), peer.echo({ signer }), peer.echo({ signer })]
    const [slow, logoff, deleted, expired] = peer.sent
    peer.answer(slow!, { ...INTERIM, asyncId: 1n })
    peer.answer(logoff!)
    peer.answer(deleted!, { status: STATUS.USER_SESSION_DELETED })
    peer.answer(expired!, { status: STATUS.NETWORK_SESSION_EXPIRED })
    assert.deepEqual(await Promise.all(calls.map(state)), ['pending', 'done', 'done', 'done'])
    peer.answer(slow!, { flags: FLAG.SERVER_TO_REDIR })
    assert.equal(await state(calls[0]!), 'BAD_SIGNATURE', 'the final answer must be signed')
  })

  test('takes, too, that the session is gone under the request’s own signature, as Samba says it; what is compounded to that is gone with it', async () => {
    const peer = newPeer()
    await peer.grant(9)
    const signer = newSigner()
    const echo = { command: 'ECHO', codec: empty, body: null, signer } as const
    const together = peer.exchange.requestAll([echo, echo], { related: false })
    const alone = peer.echo({ signer })
    const [first, second, third] = peer.sent
    const flags = FLAG.SERVER_TO_REDIR | FLAG.SIGNED
    const gone = { to: first!, status: STATUS.USER_SESSION_DELETED, flags }
    peer.exchange.receive(compound([gone, { to: second!, status: STATUS.INVALID_PARAMETER, flags }]))
    assert.deepEqual(await Promise.all(together.map(state)), ['done', 'CONNECTION_LOST'])
    peer.answer(third!, { status: STATUS.INVALID_PARAMETER, flags })
    assert.equal(await state(alone), 'BAD_SIGNATURE', 'in a frame of its own nothing speaks for it')
  })

  test('takes answers that were signed before they were put together, as impacket does it, and nothing that was changed since', async () => {
    for (const [change, becomes] of [
      [() => {}, ['done', 'done']],
      [(frame: Buffer) => (frame[64]! ^= 1), ['BAD_SIGNATURE', 'BAD_SIGNATURE']],
      [(frame: Buffer) => (frame[71] = 1), ['BAD_SIGNATURE', 'BAD_SIGNATURE']], // padding
      [(frame: Buffer) => (frame[72 + 64]! ^= 1), ['done', 'BAD_SIGNATURE']],
    ] as const) {
      const peer = newPeer()
      await peer.grant(9)
      const signer = newSigner()
      const echo = { command: 'ECHO', codec: empty, body: null, signer } as const
      const calls = peer.exchange.requestAll([echo, echo], { related: false })
      const [first, second] = peer.sent.map(sent => reply(sent, { signer }))
      const frame = Buffer.concat([first!, Buffer.alloc(-first!.length & 7), second!])
      frame.writeUInt32LE(72, 20)
      change(frame)
      peer.exchange.receive(frame)
      assert.deepEqual(await Promise.all(calls.map(state)), becomes)
    }
  })

  test('refuses a wrong signature on each of these', async () => {
    const flags = FLAG.SERVER_TO_REDIR | FLAG.SIGNED
    const answers = [
      { ...INTERIM, flags: INTERIM.flags | FLAG.SIGNED },
      { as: 'LOGOFF', flags },
      { status: STATUS.NETWORK_SESSION_EXPIRED, flags },
    ] as const
    for (const answer of answers) {
      const peer = newPeer()
      const call = peer.echo({ signer: newSigner(), command: 'as' in answer ? answer.as : 'ECHO' })
      peer.answer(peer.sent[0]!, answer)
      assert.equal(await state(call), 'BAD_SIGNATURE')
    }
  })

  test('tells the hash exactly the bytes that were sent', async () => {
    const peer = newPeer()
    const heard: Buffer[] = []
    peer.echo({ signer: newSigner(), onSent: message => heard.push(Buffer.from(message)) }).catch(() => {})
    assert.deepEqual(
      heard,
      peer.sent.map(({ message }) => message),
    )
  })
})

describe('an exchange that seals', () => {
  const SESSION = 0x77n
  type Sealed = { peer: Peer; server: ReturnType<typeof sealers>['server']; call: (more?: Parameters<Peer['echo']>[0]) => Promise<Reply> }
  async function sealedPeer(): Promise<Sealed> {
    const peer = newPeer()
    await peer.grant(9)
    const { client, server } = sealers()
    peer.sealer = server
    peer.exchange.sealers.set(SESSION, client)
    return { peer, server, call: more => peer.echo({ sealer: client, sessionId: SESSION, ...more }) }
  }

  test('sends no signature, and takes the answer that is sealed by its session without one', async () => {
    const { peer, server, call } = await sealedPeer()
    const answered = call({ signer: newSigner(), treeId: 4 })
    const { sealed, flags, message, treeId, sessionId } = peer.sent[0]!
    assert.deepEqual({ sealed, flags, treeId, sessionId }, { sealed: true, flags: 0, treeId: 4, sessionId: SESSION })
    assert.deepEqual(message.subarray(48, 64), Buffer.alloc(16), 'the signature')
    peer.answer(peer.sent[0]!, { sealer: server, body: Buffer.from('secret words') })
    const { body, header } = await answered
    assert.equal(body.toString(), 'secret words')
    assert.equal(header.flags, FLAG.SERVER_TO_REDIR)
  })

  test('needs no signature on a sealed answer to what was only signed', async () => {
    const { peer, server } = await sealedPeer()
    const answered = peer.echo({ signer: newSigner(), sessionId: SESSION })
    assert.equal(peer.sent[0]!.sealed, false)
    peer.answer(peer.sent[0]!, { sealer: server })
    assert.equal(await state(answered), 'done')
  })

  const plain: Record<string, Parameters<typeof reply>[1]> = {
    'a success': {},
    'a signed success': { signer: newSigner() },
    'a refusal': { status: STATUS.ACCESS_DENIED },
    'an interim answer': { ...INTERIM, asyncId: 1n },
    'the end of an expired session': { status: STATUS.NETWORK_SESSION_EXPIRED },
  }
  for (const [what, answer] of Object.entries(plain)) {
    test(`refuses ${what} in the clear, and everything after it`, async () => {
      const { peer, server, call } = await sealedPeer()
      const calls = [call({ signer: newSigner() }), call()]
      const good = reply(peer.sent[1]!, { sealer: server })
      peer.answer(peer.sent[0]!, answer)
      peer.exchange.receive(good)
      assert.deepEqual(await Promise.all(calls.map(state)), ['BAD_SIGNATURE', 'BAD_SIGNATURE'])
    })
  }

  test('refuses LOGOFF’s answer in the clear too', async () => {
    const { peer, call } = await sealedPeer()
    const answered = call({ command: 'LOGOFF' })
    peer.answer(peer.sent[0]!)
    assert.equal(await state(answered), 'BAD_SIGNATURE')
  })

  test('takes in the clear that the server has lost the session, for then it has no keys', async () => {
    const { peer, call } = await sealedPeer()
    const answered = call()
    peer.answer(peer.sent[0]!, { status: STATUS.USER_SESSION_DELETED })
    assert.equal((await answered).header.status, STATUS.USER_SESSION_DELETED)
  })

  test('takes a sealed interim answer, and waits for the final one', async () => {
    const { peer, server, call } = await sealedPeer()
    const stop = new AbortController()
    const answered = call({ cancel: stop.signal })
    peer.answer(peer.sent[0]!, { ...INTERIM, asyncId: 5n, sealer: server })
    assert.equal(await state(answered), 'pending')
    stop.abort()
    assert.deepEqual(
      peer.cancels.map(({ asyncId, flags, sealed }) => ({ asyncId, flags, sealed })),
      [{ asyncId: 5n, flags: FLAG.ASYNC, sealed: true }],
    )
    peer.answer(peer.requests[0]!, { flags: INTERIM.flags, asyncId: 5n, status: STATUS.CANCELLED, sealer: server })
    assert.equal((await answered).header.status, STATUS.CANCELLED)
  })

  const wrong: Record<string, [string, (peer: Peer, server: Sealed['server']) => Buffer]> = {
    'a frame of a session that is none of ours': ['WIRE', (peer, server) => reply(peer.sent[0]!, { sealer: server, sessionId: 0x78n })],
    'a sealed frame within a sealed frame': ['WIRE', (peer, server) => server.seal(SESSION, reply(peer.sent[0]!, { sealer: server }))],
    'a message of another session within the frame': ['WIRE', (peer, server) => server.seal(SESSION, reply(peer.sent[0]!, { sessionId: 0x78n }))],
    'a frame that the client itself could have sent': ['BAD_SIGNATURE', peer => sealers().client.seal(SESSION, reply(peer.sent[0]!))],
    'an empty sealed frame': ['WIRE', (_peer, server) => server.seal(SESSION, Buffer.alloc(0))],
    'a sealed frame of one byte more': ['WIRE', (peer, server) => Buffer.concat([reply(peer.sent[0]!, { sealer: server }), Buffer.alloc(1)])],
  }
  for (const [what, [code, frame]] of Object.entries(wrong)) {
    test(`${what} ends everything with ${code}`, async () => {
      const { peer, server, call } = await sealedPeer()
      const calls = [call(), peer.echo()]
      peer.exchange.receive(frame(peer, server))
      assert.deepEqual(await Promise.all(calls.map(state)), [code, code])
      noTimers()
    })
  }

  test('refuses the answer that another session of the connection sealed', async () => {
    const { peer, call } = await sealedPeer()
    const other = sealers({ toServer: Buffer.alloc(16, 8), fromServer: Buffer.alloc(16, 9) })
    peer.exchange.sealers.set(0x78n, other.client)
    const answered = call()
    peer.answer(peer.sent[0]!, { sealer: other.server, sessionId: 0x78n })
    assert.equal(await state(answered), 'BAD_SIGNATURE')
  })

  test('a repeated sealed answer is dropped', async () => {
    const { peer, server, call } = await sealedPeer()
    const answered = call()
    const frame = reply(peer.sent[0]!, { sealer: server })
    peer.exchange.receive(frame)
    const before = peer.exchange.unasked
    peer.exchange.receive(frame)
    assert.equal(await state(answered), 'done')
    assert.deepEqual([peer.exchange.unasked - before, peer.fatal], [1, undefined])
  })
})

describe('the end', () => {
  test('rejects what is sent, what waits and what comes, and leaves neither timer nor listener', async () => {
    const peer = newPeer()
    const stop = new AbortController()
    const calls = [peer.echo({ cancel: stop.signal }), peer.echo({ cancel: stop.signal }), peer.echo({ timeoutMs: Number.POSITIVE_INFINITY })]
    const error = new NbtrunError('CONNECTION_LOST', 'cable pulled')
    peer.exchange.end(error)
    peer.exchange.end(new Error('second'))
    noTimers()
    for (const call of [...calls, peer.echo()]) await assert.rejects(call, error)
    assert.equal(getEventListeners(stop.signal, 'abort').length, 0)
    assert.equal(peer.sent.length, 1)
    stop.abort()
    assert.equal(peer.sent.length, 1)
    noTimers()
  })

  test('makes it deaf, even to garbage', () => {
    const peer = newPeer()
    peer.exchange.end(new Error('over'))
    peer.exchange.receive(Buffer.from('garbage'))
    assert.deepEqual([peer.fatal, peer.exchange.unasked], [undefined, 0])
  })

  test('a transport that takes nothing more fails that request alone', async () => {
    const peer = newPeer()
    await peer.grant(9)
    const before = peer.echo()
    peer.isClosed = true
    await assert.rejects(peer.echo(), { code: 'CLOSED' })
    peer.answer(peer.requests[0]!)
    await before
  })
})

/** Numbers from 0 to 1, the same for the same seed. */
function lcg(seed: number): () => number {
  let x = seed
  return () => (x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32
}
