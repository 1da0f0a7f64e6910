// A server that answers late.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { NbtrunError } from '../../src/base/errors.ts'
import { type Client, connect, type Share } from '../../src/smb/index.ts'
import { COMMAND, type CommandName } from '../../src/smb/smb2/header.ts'
import { STATUS } from '../../src/smb/status.ts'
import { type Lab, useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { field, proxy, type Proxy } from './proxy.ts'
import { BRIEF, converse, framed, nothingLeft, touch } from './story.ts'

describe('a server that answers late', { skip: noLab, timeout: 30_000, concurrency: true }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })
  after(() => nothingLeft(lab))

  interface Slow extends Proxy {
    /** Resolves once the held answer was let go. */
    readonly letGo: Promise<unknown>
    readonly asked: CommandName[]
  }

  /** Holds the first answer to `command` back for `ms`, or every answer. */
  async function slow(ms: number, command?: CommandName): Promise<Slow> {
    const asked: CommandName[] = []
    let held = false
    let letGo = (): void => {}
    const gone = new Promise<void>(resolve => (letGo = resolve))
    const between = await proxy(
      { host: lab.server().address, port: 445 },
      {
        fromClient(frame) {
          asked.push(Object.keys(COMMAND)[field.command(frame)] as CommandName)
          return frame
        },
        fromServer(frame, { client }) {
          // a large read goes out in pieces, and those behind the end may be answered first
          const isIt = field.command(frame) === COMMAND[command ?? 'NEGOTIATE'] && field.status(frame) === STATUS.SUCCESS
          if (command !== undefined && (held || !isIt)) return frame
          held = true
          setTimeout(() => {
            client.write(framed(frame), letGo)
          }, ms)
          return undefined
        },
      },
    )
    return Object.assign(between, { letGo: gone, asked })
  }

  test('but in time, is used like any other', async () => {
    await using between = await slow(30)
    const { code, teardown } = await converse(lab, between.port, share => touch(share, undefined, 'in-time'))
    assert.equal(code, undefined)
    assert.deepEqual(teardown, ['TREE_DISCONNECT: STATUS_SUCCESS', 'LOGOFF: STATUS_SUCCESS', 'FIN: ok'])
  })

  test('after the deadline: that request is TIMED_OUT, its answer dropped, and the next ones work', async () => {
    await using between = await slow(600, 'READ')
    const tryTwice = async (share: Share, client: Client): Promise<void> => {
      await assert.rejects(touch(share, client, 'late'), { code: 'TIMED_OUT' })
      await between.letGo
      await touch(share, client, 'late')
      assert.equal(client.session.connection.unasked, 1)
    }
    const { code, teardown } = await converse(lab, between.port, tryTwice, BRIEF)
    assert.equal(code, undefined)
    assert.deepEqual(teardown, ['TREE_DISCONNECT: STATUS_SUCCESS', 'LOGOFF: STATUS_SUCCESS', 'FIN: ok'])
  })

  test('to LOGOFF, after it was given up, hurts nobody', async () => {
    await using between = await slow(600, 'LOGOFF')
    const { teardown } = await converse(lab, between.port, share => touch(share, undefined, 'logoff'), BRIEF)
    assert.deepEqual(teardown.slice(0, 2), ['TREE_DISCONNECT: STATUS_SUCCESS', 'LOGOFF: TIMED_OUT'])
    await between.letGo
  })

  test('to a READ, after LOGOFF was answered, hurts nobody', async () => {
    let held: Buffer | undefined
    await using between = await proxy(
      { host: lab.server().address, port: 445 },
      {
        fromServer(frame, { client }) {
          if (field.command(frame) === COMMAND.READ) {
            held = frame
            return undefined
          }
          if (field.command(frame) === COMMAND.LOGOFF && held !== undefined) setTimeout(() => client.write(framed(held!)), 5)
          return frame
        },
      },
    )
    let read: Promise<unknown> | undefined
    const { teardown } = await converse(lab, between.port, async ({ files }) => {
      const file = await files.open('after', { read: true, write: true, disposition: 'open-or-create' })
      read = file.read(0, 10).catch((thrown: unknown) => thrown)
    })
    assert.ok((await read) instanceof NbtrunError)
    assert.deepEqual(teardown, ['TREE_DISCONNECT: STATUS_SUCCESS', 'LOGOFF: STATUS_SUCCESS', 'FIN: ok'])
  })

  for (const [taken, givenBack] of [
    ['CREATE', 'CLOSE'],
    ['TREE_CONNECT', 'TREE_DISCONNECT'],
  ] as const) {
    test(`to ${taken}: what it granted after all is given back by ${givenBack} while the session goes on`, async () => {
      await using between = await slow(600, taken)
      const login = { user: 'alice', password: lab.password(), domain: 'LAB', port: between.port, ...BRIEF }
      const client = await connect('127.0.0.1', login)
      const work = taken === 'CREATE' ? client.tree('app').then(share => share.list().next()) : client.tree('app')
      await assert.rejects(work, { code: 'TIMED_OUT' })
      await between.letGo
      for (let i = 0; i < 2; i++) await client.session.echo(1000) // so that there was time for it
      const given = between.asked.filter(command => command === givenBack)
      await client.close()
      assert.deepEqual(given, [givenBack])
    })
  }
})
