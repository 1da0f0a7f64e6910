// Calls of the library that are aborted while the server owes an answer: they reject at once, and leave nothing open.
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { deferred } from '../../src/base/time.ts'
import { connect, type Share } from '../../src/smb/index.ts'
import { COMMAND, type CommandName } from '../../src/smb/smb2/header.ts'
import { type Lab, useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { field, proxy } from './proxy.ts'
import { nothingLeft } from './story.ts'

const CALLS: readonly [string, CommandName, (share: Share, signal: AbortSignal) => Promise<unknown>][] = [
  ['readFile', 'CREATE', (share, signal) => share.readFile('words', { signal })],
  ['readFile', 'READ', (share, signal) => share.readFile('words', { signal })],
  ['writeFile', 'WRITE', (share, signal) => share.writeFile('words', Buffer.from('others'), { signal })],
  ['list', 'CREATE', (share, signal) => share.list('', { signal }).next()],
  ['list', 'QUERY_DIRECTORY', (share, signal) => share.list('', { signal }).next()],
]

describe('an aborted call', { skip: noLab, timeout: 30_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })

  for (const [call, command, work] of CALLS)
    test(`${call} while ${command} is not answered: the signal's reason at once, and what was opened is closed`, async () => {
      const stop = new AbortController()
      const letGo = deferred<void>()
      const closed = deferred<void>()
      let armed = false
      {
        await using between = await proxy(
          { host: lab.server().address, port: 445 },
          {
            fromClient: frame => {
              if (armed && field.command(frame) === COMMAND.CLOSE) closed.resolve()
              return frame
            },
            fromServer: (frame, { client }) => {
              if (!armed || field.command(frame) !== COMMAND[command] || stop.signal.aborted) return frame
              const head = Buffer.alloc(4)
              head.writeUInt32BE(frame.length)
              void letGo.promise.then(() => client.write(Buffer.concat([head, frame])))
              stop.abort(new Error('enough'))
              return undefined
            },
          },
        )
        const client = await connect('127.0.0.1', { user: 'alice', password: lab.password(), domain: 'LAB', port: between.port })
        try {
          const share = await client.tree('app')
          await share.writeFile('words', Buffer.from('some'))
          armed = true
          await assert.rejects(work(share, stop.signal), new Error('enough')) // the answer is held until then
          letGo.resolve()
          await closed.promise
        } finally {
          const steps = await client.close()
          assert.deepEqual(
            steps.filter(({ ok }) => !ok),
            [],
          )
        }
      }
      await nothingLeft(lab)
    })

  test('the signal of connect means nothing once there is a client', async () => {
    const stop = new AbortController()
    const client = await connect(lab.server().address, { user: 'alice', password: lab.password(), domain: 'LAB', signal: stop.signal })
    try {
      stop.abort(new Error('late'))
      const share = await client.tree('app')
      await share.writeFile('words', Buffer.from('some'), { signal: new AbortController().signal })
      await assert.rejects(client.tree('app', { signal: stop.signal }), new Error('late'))
    } finally {
      await client.close()
    }
    await nothingLeft(lab)
  })
})
