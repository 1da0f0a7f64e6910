// A server that always wants one more round of SESSION_SETUP, or one more try at nothing.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { COMMAND } from '../../src/smb/smb2/header.ts'
import { STATUS } from '../../src/smb/status.ts'
import { useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { field, proxy } from './proxy.ts'
import { converse, framed, nothingLeft, SOON_MS } from './story.ts'

describe('a server that asks for more without end', { skip: noLab, timeout: 800_000, concurrency: 8 }, () => {
  after(async () => nothingLeft(await useLab()))

  for (const again of ['its CHALLENGE', 'nothing'] as const) {
    test(`answering with ${again} each time: the login ends after a few rounds`, async () => {
      const lab = await useLab()
      let rounds = 0
      let challenge: Buffer | undefined
      await using between = await proxy(
        { host: lab.server().address, port: 445 },
        {
          fromClient(frame, { client }) {
            if (field.command(frame) !== COMMAND.SESSION_SETUP || ++rounds === 1 || challenge === undefined) return frame
            const answer = Buffer.from(challenge)
            frame.copy(answer, 24, 24, 32) // MessageId
            if (again === 'nothing') answer.writeUInt16LE(0, 64 + 6)
            client.write(framed(answer))
            return undefined
          },
          fromServer(frame) {
            if (field.command(frame) === COMMAND.SESSION_SETUP && field.status(frame) === STATUS.MORE_PROCESSING_REQUIRED) challenge = Buffer.from(frame)
            return frame
          },
        },
      )
      const { code, ms } = await converse(lab, between.port)
      assert.ok(code === 'WIRE' || code === 'LOGON_FAILED', code)
      assert.ok(rounds <= 4, `${rounds} rounds`)
      assert.ok(ms < SOON_MS, `${ms} ms`)
    })
  }
})
