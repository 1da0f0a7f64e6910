// The same over SMB1, whose answers have no number of a session and whose signatures count the messages of a connection.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { pause } from '../../src/base/time.ts'
import { COMMAND } from '../../src/smb/smb1/header.ts'
import { STATUS } from '../../src/smb/status.ts'
import { type Lab, startLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { lasting } from './lasting.ts'
import { type Meddler, proxy, type Wire } from './proxy.ts'
import { framed, nothingLeft } from './story.ts'

/** What is said on the wire, in this order; FIN is the last. */
const SAID = ['CLOSE', 'TREE_DISCONNECT', 'TREE_DISCONNECT', 'LOGOFF_ANDX'] as const
const LEDGER = ['TREE_DISCONNECT app', 'TREE_DISCONNECT IPC$', 'LOGOFF 127.0.0.1', 'FIN 127.0.0.1']
const WELL = ['STATUS_SUCCESS', 'STATUS_SUCCESS', 'STATUS_SUCCESS', 'ok']
/** On all of it, ms. */
const BUDGET_MS = 5000

/** SMB1 header fields by their place: [MS-CIFS] 2.2.3.1. */
const field = { command: (m: Buffer): number => m.readUInt8(4), mid: (m: Buffer): number => m.readUInt16LE(30) }
const nameOf = (command: number): string => Object.entries(COMMAND).find(([, number]) => number === command)?.[0] ?? String(command)

/** What comes in place of an answer; undefined where nothing does. */
type Fail = (answer: Buffer, wire: Wire) => Buffer | undefined

interface Way {
  readonly answer: Fail
  /** Keeps the request from the server. */
  readonly isUnheard?: boolean
  /** What the step's line in the ledger says. */
  readonly says: string
  /** The server misses a number: the next one that it hears has a wrong signature, and ends the connection. */
  readonly isNext?: boolean
  /** The connection is gone then: nothing more can be said, and every later line says so. */
  readonly isEnd?: boolean
}

const EITHER: Readonly<Record<string, Way>> = {
  'has no answer': { answer: () => undefined, says: 'TIMED_OUT' },
  'meets a reset': { answer: (_, { client }) => void client.resetAndDestroy(), says: 'CONNECTION_LOST', isEnd: true },
  'meets EOF': { answer: (_, { client }) => void client.end(), says: 'CONNECTION_LOST', isEnd: true },
  'meets garbage': { answer: (_, { client }) => void client.write(framed(Buffer.alloc(100, 0xaa))), says: 'WIRE', isEnd: true },
}

const WIRES = {
  unsigned: {
    wire: 'NT1 raw',
    login: { extendedSecurity: false },
    ways: {
      ...EITHER,
      'is refused': { answer: answer => changed(answer, a => a.writeUInt32LE(STATUS.ACCESS_DENIED, 5)), says: 'ACCESS_DENIED' },
      'is not heard': { answer: answer => answer, isUnheard: true, says: 'TIMED_OUT' },
    },
  },
  signed: {
    wire: 'NT1',
    login: {},
    ways: {
      ...EITHER,
      'has an unsigned answer': { answer: answer => changed(answer, a => a.fill(0, 14, 22)), says: 'BAD_SIGNATURE' },
      'has a wrong signature': { answer: answer => changed(answer, a => a.writeUInt8(a.readUInt8(14) ^ 1, 14)), says: 'BAD_SIGNATURE' },
      'is not heard': { answer: answer => answer, isUnheard: true, isNext: true, says: 'TIMED_OUT' },
    },
  },
} as const satisfies Record<string, { readonly wire: 'NT1' | 'NT1 raw'; readonly login: object; readonly ways: Readonly<Record<string, Way>> }>

const STEPS: readonly [name: string, said: number, line: number][] = [
  ['CLOSE of an open file', 0, 0],
  ['TREE_DISCONNECT of the share', 1, 0],
  ['TREE_DISCONNECT of IPC$', 2, 1],
  ['LOGOFF', 3, 2],
]

for (const [signing, { wire, login, ways }] of Object.entries(WIRES))
  describe(`whatever fails of a teardown over SMB1, ${signing}, what comes after it is tried`, { skip: noLab, timeout: 800_000, concurrency: 6 }, () => {
    let lab: Lab
    before(async () => {
      lab = await startLab({ servers: { srv: {} }, clients: [], wire })
    })
    after(async () => {
      await nothingLeft(lab)
      lab.dispose()
    })

    /** Holds a session with IPC$, a share and an open file, and gives it all back while `meddle` has its say about each request. */
    async function tearDown(
      meddle: (said: number) => Fail | 'unheard' | undefined,
      { fin, untilEnd = true }: { readonly fin?: Meddler['fin']; readonly untilEnd?: boolean } = {},
    ): Promise<{ readonly heard: readonly string[]; readonly ledger: readonly string[] }> {
      const heard: string[] = []
      const failing = new Map<number, Fail>()
      const wires = new Set<Wire>()
      let isClosing = false
      const meddler: Meddler = {
        fromServer(answer, on) {
          wires.add(on)
          const fail = isClosing ? failing.get(field.mid(answer)) : undefined
          return fail === undefined ? answer : fail(answer, on)
        },
        fromClient(request) {
          if (!isClosing) return request
          if (field.command(request) === COMMAND.NT_CANCEL) return undefined
          const fail = meddle(heard.push(nameOf(field.command(request))) - 1)
          if (fail === 'unheard') return undefined
          if (fail !== undefined) failing.set(field.mid(request), fail)
          return request
        },
        ...(fin === undefined ? {} : { fin }),
      }
      await using between = await proxy({ host: lab.server().address, port: 445 }, meddler)
      const { lifeline, close } = await lasting(lab, between.port, { minDialect: 'NT1', maxDialect: 'NT1', ...login })
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
      for (; !client.destroyed && !client.writableEnded; await pause(10)) client.write('\0')
      return { heard, ledger: steps.map(({ ok, status, code }) => (ok ? (status ?? 'ok') : String(code))) }
    }

    for (const [step, said, line] of STEPS)
      for (const [how, way] of Object.entries<Way>(ways))
        test(`${step} ${how}`, async () => {
          const { heard, ledger } = await tearDown(nth => (nth === said ? (way.isUnheard === true ? 'unheard' : way.answer) : undefined), {
            untilEnd: way.isEnd !== true,
          })
          const last = way.isEnd === true ? said : way.isNext === true ? said + 1 : SAID.length
          assert.deepEqual(heard, SAID.slice(0, last + 1))
          // the line of a share is also that of the open in it
          const lost = (i: number): boolean => way.isNext === true && said < 3 && (i > line || said === 0)
          assert.deepEqual(
            ledger,
            WELL.map((well, i) => (lost(i) ? 'CONNECTION_LOST' : i === line || (way.isEnd === true && i > line) ? way.says : well)),
          )
        })

    test('nothing is heard any more: all of it was said', async () => {
      const { heard, ledger } = await tearDown(() => 'unheard', { fin: () => false, untilEnd: false })
      assert.deepEqual(heard, SAID)
      assert.deepEqual(ledger, ['TIMED_OUT', 'TIMED_OUT', 'TIMED_OUT', 'TIMED_OUT'])
    })
  })

function changed(answer: Buffer, change: (answer: Buffer) => unknown): Buffer {
  change(answer)
  return answer
}
