// A server that answers one READ with a million interim answers.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { COMMAND, FLAG } from '../../src/smb/smb2/header.ts'
import { STATUS } from '../../src/smb/status.ts'
import { useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { field, proxy } from './proxy.ts'
import { converse, framed, nothingLeft } from './story.ts'

const MANY = 1_000_000
const AT_ONCE = 5000
/** Of the request. */
const TIME_MS = 60_000

describe('a server that answers one READ with a million interim answers', { skip: noLab, timeout: 800_000 }, () => {
  test('costs the request no more than its time, and no memory', async () => {
    const lab = await useLab()
    {
      let sent = 0
      let flooded: Promise<void> | undefined
      await using between = await proxy(
        { host: lab.server().address, port: 445 },
        {
          fromServer(frame, { client }) {
            // under load the real server sends an interim answer of its own
            if (field.command(frame) !== COMMAND.READ || field.status(frame) === STATUS.PENDING || flooded !== undefined) return frame
            const interim = Buffer.alloc(64 + 9)
            frame.copy(interim, 0, 0, 48)
            interim.writeUInt32LE(STATUS.PENDING, 8)
            interim.writeUInt32LE(FLAG.SERVER_TO_REDIR | FLAG.ASYNC, 16)
            const batch = Buffer.concat(Array.from({ length: AT_ONCE }, () => framed(interim)))
            const flood = async (): Promise<void> => {
              for (; sent < MANY && !client.destroyed; sent += AT_ONCE) {
                if (client.write(batch)) await new Promise(setImmediate)
                else await new Promise<void>(resolve => client.once('drain', resolve).once('close', resolve))
              }
              client.write(framed(frame))
            }
            flooded = flood()
            return undefined
          },
        },
      )
      const before = process.memoryUsage()
      const { code, teardown, ms } = await converse(lab, between.port, undefined, { ioTimeoutMs: TIME_MS })
      await flooded
      const after = process.memoryUsage()
      assert.equal(code, undefined)
      assert.equal(sent, MANY)
      assert.deepEqual(teardown, ['TREE_DISCONNECT: STATUS_SUCCESS', 'LOGOFF: STATUS_SUCCESS', 'FIN: ok'])
      assert.ok(ms < TIME_MS, `${ms} ms`)
      const grown = (after.heapUsed + after.external - before.heapUsed - before.external) / 2 ** 20
      assert.ok(grown < 64, `${Math.round(grown)} MiB more`)
    }
    await nothingLeft(lab)
  })
})
