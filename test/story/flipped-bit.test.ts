// Somebody between client and server changes one bit of one signed answer.
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { asError, NbtrunError } from '../../src/base/errors.ts'
import { connect } from '../../src/smb/index.ts'
import { type Lab, useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { field, proxy } from './proxy.ts'

const SIGNED = 8

describe('a flipped bit in a signed answer', { skip: noLab }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })

  /** Logs in through the meddler, writes, reads and lists, and says what became of it. */
  async function work(change: (frame: Buffer, index: number) => void): Promise<{ answers: number; error: NbtrunError | undefined }> {
    let answers = 0
    const fromServer = (frame: Buffer): Buffer => {
      if ((field.flags(frame) & SIGNED) !== 0) change(frame, answers++)
      return frame
    }
    await using between = await proxy({ host: lab.server().address, port: 445 }, { fromServer })
    let error: NbtrunError | undefined
    try {
      const client = await connect('127.0.0.1', { user: 'alice', password: lab.password(), domain: 'LAB', port: between.port })
      try {
        const share = await client.tree('app')
        await share.writeFile('note', Buffer.from('some words'))
        assert.equal((await share.readFile('note')).toString(), 'some words')
        for await (const _ of share.list());
      } finally {
        const failed = (await client.close()).find(step => !step.ok)
        if (failed?.code !== undefined) error = new NbtrunError(failed.code, failed.error ?? '')
      }
    } catch (thrown) {
      error = asError(thrown)
    }
    return { answers, error }
  }

  test('ends the run with BAD_SIGNATURE, whichever answer it is and wherever the bit', { timeout: 280_000 }, async () => {
    const { answers, error } = await work(() => {})
    assert.deepEqual([error, answers > 10], [undefined, true])
    for (let index = 0; index < answers; index++) {
      for (const place of [0.0, 0.3, 0.8, 0.999]) {
        let flipped = ''
        const { error: told } = await work((frame, i) => {
          if (i !== index) return
          // of the header: the signature itself; behind it: a byte of the body
          const at = place === 0 ? 48 + (index % 16) : 64 + Math.floor((frame.length - 64) * place)
          frame[at]! ^= 1 << (index % 8)
          flipped = `byte ${at} of ${frame.length}, command ${field.command(frame)}`
        })
        assert.equal(told?.code, 'BAD_SIGNATURE', `answer ${index}, ${flipped}: ${told?.message}`)
      }
    }
    await lab.server().untilSessions(0)
  })
})
