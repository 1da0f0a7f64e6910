// A server that lets the user in as a guest only, or somebody before it who says so.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { COMMAND, FLAG } from '../../src/smb/smb2/header.ts'
import { SESSION_FLAG } from '../../src/smb/smb2/session-setup.ts'
import { STATUS } from '../../src/smb/status.ts'
import { useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { field, proxy } from './proxy.ts'
import { converse, nothingLeft } from './story.ts'

const setFlag = (frame: Buffer, flag: number): void => void frame.writeUInt16LE(flag, 64 + 2)
const unsign = (frame: Buffer): void => void frame.writeUInt32LE(field.flags(frame) & ~FLAG.SIGNED, 16)

const cases: Record<string, [change: (frame: Buffer) => void, code: string]> = {
  'a guest, unsigned': [
    frame => {
      setFlag(frame, SESSION_FLAG.IS_GUEST)
      unsign(frame)
    },
    'GUEST_REFUSED',
  ],
  'nobody, unsigned': [
    frame => {
      setFlag(frame, SESSION_FLAG.IS_NULL)
      unsign(frame)
    },
    'GUEST_REFUSED',
  ],
  'a guest, under the user’s signature': [frame => setFlag(frame, SESSION_FLAG.IS_GUEST), 'BAD_SIGNATURE'],
  'the user, unsigned': [unsign, 'BAD_SIGNATURE'],
  'to be encrypted, under the wrong signature': [frame => setFlag(frame, SESSION_FLAG.ENCRYPT_DATA), 'BAD_SIGNATURE'],
}

describe('a login that comes back as', { skip: noLab, timeout: 30_000, concurrency: true }, () => {
  after(async () => nothingLeft(await useLab()))

  for (const [what, [change, want]] of Object.entries(cases)) {
    test(`${what}: ${want}, and nothing is sent in that session`, async () => {
      const lab = await useLab()
      const later: number[] = []
      await using between = await proxy(
        { host: lab.server().address, port: 445 },
        {
          fromClient(frame) {
            if (field.command(frame) > COMMAND.LOGOFF) later.push(field.command(frame))
            return frame
          },
          fromServer(frame) {
            if (field.command(frame) === COMMAND.SESSION_SETUP && field.status(frame) === STATUS.SUCCESS) change(frame)
            return frame
          },
        },
      )
      const { code, error, ms } = await converse(lab, between.port)
      assert.equal(code, want, error?.message)
      assert.deepEqual(later, [])
      assert.ok(ms < 2000, `${ms} ms`)
    })
  }
})
