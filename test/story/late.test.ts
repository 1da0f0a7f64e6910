// A server that answers late.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { NbtrunError } from '../../src/base/errors.ts'
import { type Client, connect, type Share } from '../../src/smb/index.ts'
import { COMMAND, type CommandName } from '../../src/smb/smb2/header.ts'
import { STATUS } from '../../src/smb/status.ts'
import { type Lab, useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { deferred } from '../../src/base/time.ts'
import { field, proxy, type Proxy } from './proxy.ts'
import { BRIEF, converse, framed, nothingLeft, touch } from './story.ts'

describe('a server that answers late', { skip: noLab, timeout: 800_000, concurrency: 8 }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })
  after(() => nothingLeft(lab))

  interface Slow extends Proxy {
    /** Lets the held answer go; resolves once it is on its way. */
    readonly letGo: () => Promise<void>
    readonly asked: CommandName[]
  }

  /** Holds the first answer to `command` back, until it is told to let go, or until the client's FIN came. */
  async function slow(command: CommandName): Promise<Slow> {
    const asked: CommandName[] = []
    const held = deferred<() => Promise<void>>()
    let isHeld = false
    const letGo = async (): Promise<void> => (await held.promise)()
    const between = await proxy(
      { host: lab.server().address, port: 445 },
      {
        fromClient(frame) {
          asked.push(Object.keys(COMMAND)[field.command(frame)] as CommandName)
          return frame
        },
        fromServer(frame, { client }) {
          // a large read goes out in pieces, and those behind the end may be answered first
          if (isHeld || field.command(frame) !== COMMAND[command] || field.status(frame) !== STATUS.SUCCESS) return frame
          isHeld = true
          held.resolve(() => new Promise(resolve => client.write(framed(frame), () => resolve())))
          return undefined
        },
        fin: () => (isHeld && void letGo(), true),
      },
    )
    return Object.assign(between, { letGo, asked })
  }

  test('but in time, is used like any other', async () => {
    await using between = await proxy(
      { host: lab.server().address, port: 445 },
      { fromServer: (frame, { client }) => void setTimeout(() => client.write(framed(frame)), 30) },
    )
    const { code, teardown } = await converse(lab, between.port, share => touch(share, undefined, 'in-time'))
    assert.equal(code, undefined)
    assert.deepEqual(teardown, ['TREE_DISCONNECT: STATUS_SUCCESS', 'LOGOFF: STATUS_SUCCESS', 'FIN: ok'])
  })

  test('after the deadline: that request is TIMED_OUT, its answer dropped, and the next ones work', async () => {
    await using between = await slow('READ')
    const tryTwice = async (share: Share, client: Client): Promise<void> => {
      await assert.rejects(touch(share, client, 'late'), { code: 'TIMED_OUT' })
      await between.letGo()
      await touch(share, client, 'late')
      assert.equal(client.session.connection.unasked, 1)
    }
    const { code, teardown } = await converse(lab, between.port, tryTwice, BRIEF)
    assert.equal(code, undefined)
    assert.deepEqual(teardown, ['TREE_DISCONNECT: STATUS_SUCCESS', 'LOGOFF: STATUS_SUCCESS', 'FIN: ok'])
  })

  test('to LOGOFF, after it was given up, hurts nobody', async () => {
    await using between = await slow('LOGOFF') // until FIN, which is said once LOGOFF was given up
    const { teardown } = await converse(lab, between.port, share => touch(share, undefined, 'logoff'), BRIEF)
    assert.deepEqual(teardown, ['TREE_DISCONNECT: STATUS_SUCCESS', 'LOGOFF: TIMED_OUT', 'FIN: ok'])
  })

  test('to a READ, after LOGOFF was answered and the keys are gone, is not believed, and hurts nobody', async () => {
    let held: Buffer | undefined
    let told = false
    await using between = await proxy(
      { host: lab.server().address, port: 445 },
      {
        fromServer(frame) {
          if (field.command(frame) !== COMMAND.READ) return frame
          held = frame
          return undefined
        },
        // our FIN is said when the session has ended; until the server's we listen
        fin({ client }) {
          told = held !== undefined && client.write(framed(held))
          return true
        },
      },
    )
    let read: Promise<unknown> | undefined
    const { teardown } = await converse(lab, between.port, async ({ files }) => {
      const file = await files.open('after', { read: true, write: true, disposition: 'open-or-create' })
      read = file.read(0, 10).catch((thrown: unknown) => thrown)
    })
    const ended = await read
    assert.ok(ended instanceof NbtrunError && ended.code === 'CLOSED', String(ended))
    assert.ok(told, 'it was told all the same')
    assert.deepEqual(teardown, ['TREE_DISCONNECT: STATUS_SUCCESS', 'LOGOFF: STATUS_SUCCESS', 'FIN: ok'])
  })

  for (const [taken, givenBack] of [
    ['CREATE', 'CLOSE'],
    ['TREE_CONNECT', 'TREE_DISCONNECT'],
  ] as const) {
    test(`to ${taken}: what it granted after all is given back by ${givenBack} while the session goes on`, async () => {
      await using between = await slow(taken)
      const login = { user: 'alice', password: lab.password(), domain: 'LAB', port: between.port, ...BRIEF }
      const client = await connect('127.0.0.1', login)
      const work = taken === 'CREATE' ? client.tree('app').then(share => share.list().next()) : client.tree('app')
      await assert.rejects(work, { code: 'TIMED_OUT' })
      await between.letGo()
      for (let i = 0; i < 2; i++) await client.session.echo(10_000) // so that there was time for it
      const given = between.asked.filter(command => command === givenBack)
      await client.close()
      assert.deepEqual(given, [givenBack])
    })
  }
})
