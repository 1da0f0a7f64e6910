// A server that says things nobody asked for, and everything twice.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { COMMAND } from '../../src/smb/smb2/header.ts'
import { useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { field, proxy } from './proxy.ts'
import { converse, framed, nothingLeft, touch } from './story.ts'

/** [MS-SMB2] 2.2.23.1: an oplock break notification comes with a MessageId of all ones. */
function oplockBreak(frame: Buffer): Buffer {
  const message = Buffer.alloc(64 + 24)
  frame.copy(message, 0, 0, 24)
  message.writeUInt16LE(COMMAND.OPLOCK_BREAK, 12)
  message.writeUInt32LE(1, 16)
  message.writeUInt32LE(0, 20) // NextCommand
  message.fill(0xff, 24, 32)
  message.writeUInt16LE(24, 64)
  return message
}

function withId(frame: Buffer, id: bigint): Buffer {
  const message = Buffer.from(frame)
  message.writeBigUInt64LE(id, 24)
  return message
}

/** How many are compounded in a frame. */
function messages(frame: Buffer): number {
  const next = field.next(frame)
  return next === 0 ? 1 : 1 + messages(frame.subarray(next))
}

describe('a server that says what nobody asked for', { skip: noLab, timeout: 800_000 }, () => {
  test('is heard all the same: its answers count, the rest is counted', async () => {
    const lab = await useLab()
    {
      /** What was said too much by now, and with the last answer. */
      const extras = { all: 0, last: 0 }
      await using between = await proxy(
        { host: lab.server().address, port: 445 },
        {
          fromServer(frame, { client }) {
            extras.last = 1 + 3 * messages(frame)
            extras.all += extras.last
            client.setNoDelay(true)
            for (const extra of [oplockBreak(frame), withId(frame, 12_345n), withId(frame, 2n ** 50n), frame]) client.write(framed(extra))
            return frame // the second time
          },
        },
      )
      let unasked = 0
      const { code, teardown } = await converse(lab, between.port, async (share, client) => {
        await touch(share)
        unasked = client.session.connection.unasked
        assert.ok(unasked >= extras.all - extras.last && unasked <= extras.all, `${unasked} of ${extras.all}`)
      })
      assert.equal(code, undefined)
      assert.ok(unasked > 40)
      assert.deepEqual(teardown, ['TREE_DISCONNECT: STATUS_SUCCESS', 'LOGOFF: STATUS_SUCCESS', 'FIN: ok'])
    }
    await nothingLeft(lab)
  })
})
