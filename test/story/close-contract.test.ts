// Each step of the teardown fails in each way: every later step is tried all the same, in time, and the server is left with nothing.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, describe, test } from 'node:test'
import type { Dialect } from '../../src/smb/dialect.ts'
import { COMMAND, commandName, FLAG } from '../../src/smb/smb2/header.ts'
import { connect } from '../../src/smb/index.ts'
import { STATUS } from '../../src/smb/status.ts'
import { pause } from '../../src/base/time.ts'
import { useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { impostor } from './impostor.ts'
import { lasting } from './lasting.ts'
import { field, type Meddler, proxy, type Wire } from './proxy.ts'
import { framed, nothingLeft } from './story.ts'

/** What is said on the wire, in this order; FIN is the last. */
const SAID = ['CLOSE', 'TREE_DISCONNECT', 'TREE_DISCONNECT', 'LOGOFF'] as const
/** What stands in the ledger. The CLOSE of what is still open belongs to its share. */
const LEDGER = ['TREE_DISCONNECT app', 'TREE_DISCONNECT IPC$', 'LOGOFF 127.0.0.1', 'FIN 127.0.0.1']
const WELL = ['STATUS_SUCCESS', 'STATUS_SUCCESS', 'STATUS_SUCCESS', 'ok']
/** On all of it, ms. */
const BUDGET_MS = 5000

/** What comes in place of an answer; undefined where nothing does. */
type Fail = (answer: Buffer, wire: Wire) => Buffer | undefined

interface Way {
  /** Of an answer. */
  readonly answer: Fail
  /** Keeps the request from the server. */
  readonly isUnheard?: boolean
  /** What the step's line in the ledger says; undefined where it went well. */
  readonly says: string | undefined
  /** The connection is gone then: nothing more can be said, and every later line says so. */
  readonly isEnd?: boolean
}

const WAYS: Readonly<Record<string, Way>> = {
  'is refused': { answer: answer => changed(answer, a => a.writeUInt32LE(STATUS.ACCESS_DENIED, 8)), says: 'ACCESS_DENIED' },
  'is not heard': { answer: answer => answer, isUnheard: true, says: 'TIMED_OUT' },
  'has no answer': { answer: () => undefined, says: 'TIMED_OUT' },
  'meets a reset': { answer: (_, { client }) => void client.resetAndDestroy(), says: 'CONNECTION_LOST', isEnd: true },
  'meets EOF': { answer: (_, { client }) => void client.end(), says: 'CONNECTION_LOST', isEnd: true },
  'meets garbage': { answer: (_, { client }) => void client.write(framed(Buffer.alloc(100, 0xaa))), says: 'WIRE', isEnd: true },
  'has an unsigned answer': { answer: answer => changed(answer, unsign), says: 'BAD_SIGNATURE' },
  'has an answer of SessionId 0': { answer: answer => changed(answer, a => a.fill(0, 40, 48)), says: undefined },
}

const STEPS: readonly [name: string, said: number, line: number][] = [
  ['CLOSE of an open file', 0, 0],
  ['TREE_DISCONNECT of the share', 1, 0],
  ['TREE_DISCONNECT of IPC$', 2, 1],
  ['LOGOFF', 3, 2],
]

const FINS: Readonly<Record<string, { readonly answer: (wire: Wire) => boolean; readonly says: string }>> = {
  'is not heard': { answer: () => false, says: 'TIMED_OUT' },
  'meets a reset': { answer: ({ client, server }) => (client.resetAndDestroy(), server.end(), false), says: 'ok' },
  'meets garbage': { answer: ({ client }) => client.write(framed(Buffer.alloc(100, 0xaa))), says: 'ok' },
  'meets no frame at all': { answer: ({ client }) => client.write(Buffer.alloc(100, 0xaa)), says: 'ok' },
}

interface Teardown {
  readonly heard: readonly string[]
  readonly ledger: readonly string[]
}

/**
 * Holds a session with IPC$, a share and an open file, and gives it all back while `meddle` has its say about each request. The socket is gone then, and
 * where our FIN reaches the server, `untilEnd`, so is the server's.
 */
async function tearDown(
  dialect: Dialect,
  meddle: (said: number) => Fail | 'unheard' | undefined,
  { fin, untilEnd = true }: { readonly fin?: Meddler['fin']; readonly untilEnd?: boolean } = {},
): Promise<Teardown> {
  const lab = await useLab()
  const heard: string[] = []
  const failing = new Map<bigint, Fail>()
  const wires = new Set<Wire>()
  let isClosing = false
  const signing = impostor(lab, (answer, _, wire) => {
    wires.add(wire)
    const fail = isClosing ? failing.get(field.messageId(answer)) : undefined
    return fail === undefined ? answer : fail(answer, wire)
  })
  const meddler: Meddler = {
    ...signing,
    fromClient(request, wire) {
      if (isClosing) {
        if (field.command(request) === COMMAND.CANCEL) return undefined
        const fail = meddle(heard.push(commandName(field.command(request))) - 1)
        if (fail === 'unheard') return undefined
        if (fail !== undefined) failing.set(field.messageId(request), fail)
      }
      return signing.fromClient?.(request, wire)
    },
    ...(fin === undefined ? {} : { fin }),
  }
  await using between = await proxy({ host: lab.server().address, port: 445 }, meddler)
  const { lifeline, close } = await lasting(lab, between.port, { minDialect: dialect, maxDialect: dialect })
  await lifeline.tree('app').open('held', { write: true, disposition: 'open-or-create' })
  const [{ client, server }] = wires as unknown as [Wire]
  const ended = once(server, 'end')
  isClosing = true
  const began = performance.now()
  const steps = await close()
  const ms = performance.now() - began
  assert.deepEqual(
    steps.map(({ name }) => name),
    LEDGER,
  )
  assert.ok(ms < BUDGET_MS + 1500, `${ms} ms`)
  assert.equal(between.taken, 1, 'nothing is set up anew')
  if (untilEnd) await ended
  // who has our FIN hears nothing of us any more; the kernel refuses what is sent to a socket that is gone
  for (; !client.destroyed && !client.writableEnded; await pause(10)) client.write('\0')
  return { heard, ledger: steps.map(({ ok, status, code }) => (ok ? (status ?? 'ok') : String(code))) }
}

describe('whatever fails of a teardown, what comes after it is tried', { skip: noLab, timeout: 800_000, concurrency: 6 }, () => {
  after(async () => nothingLeft(await useLab()))

  for (const dialect of ['3.1.1', '2.1'] as const) {
    for (const [step, said, line] of STEPS)
      for (const [how, way] of Object.entries(WAYS))
        test(`SMB ${dialect}: ${step} ${how}`, async () => {
          const fail = way.isUnheard === true ? 'unheard' : way.answer
          const { heard, ledger } = await tearDown(dialect, nth => (nth === said ? fail : undefined), { untilEnd: way.isEnd !== true })
          const unsignedLogoff = step === 'LOGOFF' && way.says === 'BAD_SIGNATURE'
          const says = unsignedLogoff ? 'STATUS_SUCCESS (unsigned)' : (way.says ?? WELL[line])
          const expected = WELL.map((well, i) => (i === line || (way.isEnd === true && i > line) ? says : well))
          assert.deepEqual(ledger, expected)
          assert.deepEqual(heard, way.isEnd === true ? SAID.slice(0, said + 1) : SAID)
        })

    for (const [how, { answer, says }] of Object.entries(FINS))
      test(`SMB ${dialect}: FIN ${how}`, async () => {
        const { heard, ledger } = await tearDown(dialect, () => undefined, { fin: answer, untilEnd: false })
        assert.deepEqual(ledger, [...WELL.slice(0, 3), says])
        assert.deepEqual(heard, SAID)
      })

    test(`SMB ${dialect}: nothing is heard any more: all of it was said`, async () => {
      const { heard, ledger } = await tearDown(dialect, () => 'unheard', { fin: () => false, untilEnd: false })
      assert.deepEqual(heard, SAID)
      assert.deepEqual(ledger, ['TIMED_OUT', 'TIMED_OUT', 'TIMED_OUT', 'TIMED_OUT'])
    })

    test(`SMB ${dialect}: everything is refused: all of it was said`, async () => {
      const { heard, ledger } = await tearDown(dialect, () => WAYS['is refused']!.answer)
      assert.deepEqual(heard, SAID)
      assert.deepEqual(ledger, ['ACCESS_DENIED', 'ACCESS_DENIED', 'ACCESS_DENIED', 'ok'])
    })
  }
})

describe('a share that is connected twice', { skip: noLab, timeout: 800_000 }, () => {
  test('is disconnected twice, each in its own step', async () => {
    const lab = await useLab()
    {
      const said: string[] = []
      const refuse = new Set<bigint>()
      const signing = impostor(lab, answer => (refuse.has(field.messageId(answer)) ? changed(answer, a => a.writeUInt32LE(STATUS.ACCESS_DENIED, 8)) : answer))
      const meddler: Meddler = {
        ...signing,
        fromClient(request, wire) {
          const command = commandName(field.command(request))
          said.push(command)
          // that of the first connect, which is given back last
          if (command === 'TREE_DISCONNECT' && said.filter(each => each === command).length === 2) refuse.add(field.messageId(request))
          return signing.fromClient?.(request, wire)
        },
      }
      await using between = await proxy({ host: lab.server().address, port: 445 }, meddler)
      const client = await connect('127.0.0.1', { port: between.port, user: 'alice', password: lab.password(), domain: 'LAB' })
      await client.tree('app')
      await client.tree('app')
      const steps = (await client.close()).filter(({ phase }) => phase === 'teardown')
      assert.deepEqual(
        steps.map(({ name, ok, code }) => `${name.split(' ')[0]}: ${ok ? 'ok' : code}`),
        ['TREE_DISCONNECT: ok', 'TREE_DISCONNECT: ACCESS_DENIED', 'LOGOFF: ok', 'FIN: ok'],
      )
      assert.deepEqual(said.slice(-3), ['TREE_DISCONNECT', 'TREE_DISCONNECT', 'LOGOFF'])
    }
    await nothingLeft(lab)
  })
})

function changed(answer: Buffer, change: (answer: Buffer) => unknown): Buffer {
  change(answer)
  return answer
}

function unsign(answer: Buffer): void {
  answer.writeUInt32LE(field.flags(answer) & ~FLAG.SIGNED, 16)
  answer.fill(0, 48, 64)
}
