// Servers that know nothing of SMB2, and those that only look like it.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { decode, encode } from '../../src/base/wire.ts'
import { connect, NbtrunError } from '../../src/smb/index.ts'
import { isSmb1, NONE_OF_THEM, smb1NegotiateRequest, smb1NegotiateResponse } from '../../src/smb/smb1/negotiate.ts'
import { DIALECT, type Smb2Dialect, WILDCARD } from '../../src/smb/smb2/dialect.ts'
import { COMMAND } from '../../src/smb/smb2/header.ts'
import { useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { field, type Meddler, proxy } from './proxy.ts'
import { converse, framed, listen, nothingHeld, nothingLeft, SOON_MS, touch } from './story.ts'

interface Asked {
  readonly code: string
  readonly line: string
  /** The first message of each connection. */
  readonly first: readonly Buffer[]
  readonly ms: number
}

/** A server of which `answer` is all that it says to the first message of a connection; undefined: it hangs up. */
async function ask(answer: (message: Buffer) => Buffer | undefined, terms: { minDialect?: Smb2Dialect; maxDialect?: Smb2Dialect } = {}): Promise<Asked> {
  const first: Buffer[] = []
  await using server = await listen(socket => {
    socket.once('data', chunk => {
      const message = chunk.subarray(4)
      first.push(message)
      const told = answer(message)
      if (told === undefined) socket.end()
      else socket.write(framed(told))
    })
    socket.once('end', () => socket.end())
  })
  const began = performance.now()
  try {
    await connect('127.0.0.1', { user: 'alice', password: 'x', port: server.port, ioTimeoutMs: SOON_MS, ...terms })
  } catch (thrown) {
    assert.ok(thrown instanceof NbtrunError)
    return { code: thrown.code, line: thrown.line, first, ms: performance.now() - began }
  }
  return assert.fail('it logged in')
}

const smb1Only = (message: Buffer): Buffer | undefined => (isSmb1(message) ? encode(smb1NegotiateResponse, { dialectIndex: NONE_OF_THEM }) : undefined)

describe('a server that hangs up on an SMB2 NEGOTIATE', { timeout: 800_000 }, () => {
  after(() => nothingHeld())

  test('and speaks SMB1 when asked in SMB1: SMB1_ONLY with the cure, on the second connection', async () => {
    const { code, line, first, ms } = await ask(smb1Only)
    assert.equal(code, 'SMB1_ONLY')
    assert.match(line, /^127\.0\.0\.1 speaks SMB1 only, .*; switch SMB2 or newer on there/)
    assert.deepEqual(first.map(isSmb1), [false, true])
    assert.ok(ms < SOON_MS / 2, `${ms} ms`)
  })

  test('is offered by name what was asked for, and nothing of SMB1', async () => {
    for (const [terms, dialects] of [
      [{}, ['SMB 2.002', 'SMB 2.???']],
      [{ maxDialect: '2.0.2' }, ['SMB 2.002']],
      [{ minDialect: '3.0' }, ['SMB 2.???']],
    ] as const) {
      const { first } = await ask(smb1Only, terms)
      assert.deepEqual(decode(smb1NegotiateRequest, first[1]!).dialects, dialects)
    }
  })

  test('and answers with an error of SMB1: the same', async () => {
    const failed = encode(smb1NegotiateResponse, { dialectIndex: 0 }).subarray(0, 32)
    const { code } = await ask(message => (isSmb1(message) ? Buffer.concat([failed, Buffer.alloc(3)]) : undefined))
    assert.equal(code, 'SMB1_ONLY')
  })

  test('and hangs up again: CONNECTION_LOST, after two connections and no more', async () => {
    const { code, first } = await ask(() => undefined)
    assert.deepEqual([code, first.length], ['CONNECTION_LOST', 2])
  })

  const odd: Record<string, [answer: () => Buffer, code: string]> = {
    'chooses SMB2 and goes on in SMB1': [() => encode(smb1NegotiateResponse, { dialectIndex: 0 }), 'WIRE'],
    'sends garbage': [() => Buffer.alloc(100, 0x41), 'WIRE'],
    'sends half an answer': [() => encode(smb1NegotiateResponse, { dialectIndex: 0 }).subarray(0, 20), 'WIRE'],
  }
  for (const [what, [answer, want]] of Object.entries(odd)) {
    test(`and then ${what}: ${want}`, async () => {
      const { code } = await ask(message => (isSmb1(message) ? answer() : undefined))
      assert.equal(code, want)
    })
  }

  test('and then says nothing at all: TIMED_OUT', async () => {
    const { code, ms } = await ask(message => (isSmb1(message) ? Buffer.alloc(0) : undefined))
    assert.ok(code === 'TIMED_OUT' || code === 'WIRE', code)
    assert.ok(ms < 2 * SOON_MS, `${ms} ms`)
  })
})

describe('somebody in between who lets no SMB2 NEGOTIATE through as the first word', { skip: noLab, timeout: 800_000, concurrency: 8 }, () => {
  after(async () => nothingLeft(await useLab()))

  let notes = 0
  async function through(change: Meddler['fromServer'] = frame => frame, maxDialect: Smb2Dialect = '3.1.1'): Promise<Awaited<ReturnType<typeof converse>>> {
    const lab = await useLab()
    const begun = new Set<object>()
    await using between = await proxy(
      { host: lab.server().address, port: 445 },
      {
        fromClient(frame, wire) {
          if (begun.has(wire) || isSmb1(frame)) return (begun.add(wire), frame)
          wire.client.destroy()
          wire.server.destroy()
          return undefined
        },
        fromServer: change,
      },
    )
    return await converse(lab, between.port, share => touch(share, undefined, `smb1-${++notes}`), { maxDialect })
  }

  for (const dialect of ['2.0.2', '2.1', '3.0.2', '3.1.1'] as const) {
    test(`does no harm: the multi-protocol negotiate leads to SMB ${dialect} as well`, async () => {
      const { code, error, teardown } = await through(undefined, dialect)
      assert.equal(code, undefined, error?.line)
      assert.deepEqual(teardown, ['TREE_DISCONNECT: STATUS_SUCCESS', 'LOGOFF: STATUS_SUCCESS', 'FIN: ok'])
    })
  }

  test('and strikes the better dialects from it: DOWNGRADE', async () => {
    const lab = await useLab()
    await using between = await proxy(
      { host: lab.server().address, port: 445 },
      {
        fromClient(frame, { client, server }) {
          if (isSmb1(frame)) return encode(smb1NegotiateRequest, { extendedSecurity: true, dialects: ['SMB 2.002'] })
          if (field.command(frame) !== COMMAND.NEGOTIATE) return frame
          client.destroy()
          server.destroy()
          return undefined
        },
      },
    )
    assert.equal((await converse(lab, between.port)).code, 'DOWNGRADE')
  })

  for (const [what, revision] of [
    ['the wildcard once more', WILDCARD],
    ['SMB 2.0.2', DIALECT['2.0.2']],
  ] as const) {
    test(`and answers the second NEGOTIATE with ${what}: no dialect that was not offered, no third try`, async () => {
      let answers = 0
      const { code } = await through(frame => {
        if (field.command(frame) === COMMAND.NEGOTIATE && ++answers === 2) frame.writeUInt16LE(revision, 64 + 4)
        return frame
      })
      assert.equal(answers, 2)
      assert.equal(code, revision === WILDCARD ? 'DIALECT_REFUSED' : 'BAD_SIGNATURE')
    })
  }
})
