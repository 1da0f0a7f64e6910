// Servers that answer LOGOFF unsigned, with SessionId 0, or that the session is gone.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { COMMAND, FLAG } from '../../src/smb/smb2/header.ts'
import { STATUS } from '../../src/smb/status.ts'
import { useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { field, proxy } from './proxy.ts'
import { converse, nothingLeft, SOON_MS, touch } from './story.ts'

function unsign(frame: Buffer): void {
  frame.writeUInt32LE(field.flags(frame) & ~FLAG.SIGNED, 16)
  frame.fill(0, 48, 64)
}

const odd: Record<string, [change: (frame: Buffer) => void, step: string]> = {
  unsigned: [unsign, 'LOGOFF: STATUS_SUCCESS (unsigned)'],
  'unsigned and with SessionId 0': [
    frame => {
      unsign(frame)
      frame.fill(0, 40, 48)
    },
    'LOGOFF: STATUS_SUCCESS (unsigned)',
  ],
  'that the session is gone': [
    frame => {
      unsign(frame)
      frame.writeUInt32LE(STATUS.USER_SESSION_DELETED, 8)
    },
    'LOGOFF: STATUS_USER_SESSION_DELETED (unsigned)',
  ],
  'that it will not': [
    frame => {
      unsign(frame)
      frame.writeUInt32LE(STATUS.ACCESS_DENIED, 8)
    },
    'LOGOFF: ACCESS_DENIED',
  ],
  'with a wrong signature': [frame => void (frame[50]! ^= 1), 'LOGOFF: BAD_SIGNATURE'],
}

describe('a server that answers LOGOFF', { skip: noLab, timeout: 800_000, concurrency: 8 }, () => {
  after(async () => nothingLeft(await useLab()))

  for (const [how, [change, step]] of Object.entries(odd)) {
    test(`${how}: ${step}, and the connection ends with FIN`, async () => {
      const lab = await useLab()
      await using between = await proxy(
        { host: lab.server().address, port: 445 },
        {
          fromServer(frame) {
            if (field.command(frame) === COMMAND.LOGOFF) change(frame)
            return frame
          },
        },
      )
      const { teardown, ms } = await converse(lab, between.port, share => touch(share, undefined, how))
      assert.deepEqual(teardown, ['TREE_DISCONNECT: STATUS_SUCCESS', step, 'FIN: ok'])
      assert.ok(ms < SOON_MS, `${ms} ms`)
    })
  }
})
