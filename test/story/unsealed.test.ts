// Somebody who cannot encrypt speaks in an encrypted session.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { COMMAND, FLAG } from '../../src/smb/smb2/header.ts'
import { isSealed } from '../../src/smb/smb2/transform.ts'
import { STATUS } from '../../src/smb/status.ts'
import { useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { field, proxy } from './proxy.ts'
import { converse, nothingLeft, SOON_MS, touch } from './story.ts'

describe('an encrypted session', { skip: noLab, timeout: 800_000, concurrency: 8 }, () => {
  after(async () => nothingLeft(await useLab()))

  let notes = 0
  /** Changes the n-th sealed answer. Ids of messages count on from the login's three. */
  async function meddled(
    n: number,
    change: (sealed: Buffer, clear: Buffer) => Buffer,
    maxDialect: '3.0.2' | '3.1.1',
  ): Promise<Awaited<ReturnType<typeof converse>>> {
    const lab = await useLab()
    let answers = 0
    let granted = Buffer.alloc(0)
    const inTheClear: number[] = []
    await using between = await proxy(
      { host: lab.server().address, port: 445 },
      {
        fromClient(frame) {
          if (!isSealed(frame)) inTheClear.push(field.command(frame))
          return frame
        },
        fromServer(frame) {
          if (!isSealed(frame)) granted = Buffer.from(frame)
          else if (answers++ === n) return change(frame, clearAnswer(granted, 3 + n))
          return frame
        },
      },
    )
    const options = { maxDialect, requireEncryption: true }
    const outcome = await converse(lab, between.port, share => touch(share, undefined, `sealed-${++notes}`), options)
    assert.deepEqual(inTheClear, [COMMAND.NEGOTIATE, COMMAND.SESSION_SETUP, COMMAND.SESSION_SETUP])
    assert.ok(outcome.ms < SOON_MS, `${outcome.ms} ms`)
    return outcome
  }

  /** TREE_CONNECT's success as somebody would forge it who has seen the login. */
  function clearAnswer(login: Buffer, messageId: number): Buffer {
    const head = Buffer.from(login.subarray(0, 64))
    head.writeUInt32LE(STATUS.SUCCESS, 8)
    head.writeUInt16LE(COMMAND.TREE_CONNECT, 12)
    head.writeUInt32LE(FLAG.SERVER_TO_REDIR, 16)
    head.writeBigUInt64LE(BigInt(messageId), 24)
    head.writeUInt32LE(7, 36)
    head.fill(0, 48)
    return Buffer.concat([head, Buffer.from('1000010000000000000000000000001f', 'hex')])
  }

  for (const maxDialect of ['3.0.2', '3.1.1'] as const) {
    test(`SMB ${maxDialect}: left alone, all goes well, and nothing but the login is in the clear`, async () => {
      const { code, teardown } = await meddled(-1, sealed => sealed, maxDialect)
      assert.equal(code, undefined)
      assert.deepEqual(teardown, ['TREE_DISCONNECT: STATUS_SUCCESS', 'LOGOFF: STATUS_SUCCESS', 'FIN: ok'])
    })

    test(`SMB ${maxDialect}: an answer in the clear is not taken`, async () => {
      const { code, error } = await meddled(0, (_, clear) => clear, maxDialect)
      assert.equal(code, 'BAD_SIGNATURE')
      assert.match(error?.message ?? '', /the answer to TREE_CONNECT .*is not encrypted/)
    })

    test(`SMB ${maxDialect}: an answer in the clear that says it is signed is not taken either`, async () => {
      const signed = (clear: Buffer): Buffer => (clear.writeUInt32LE(FLAG.SERVER_TO_REDIR | FLAG.SIGNED, 16), clear)
      assert.equal((await meddled(0, (_, clear) => signed(clear), maxDialect)).code, 'BAD_SIGNATURE')
    })

    for (const n of [0, 2, 4]) {
      test(`SMB ${maxDialect}: a flipped bit in answer ${n} ends it`, async () => {
        for (const at of [10, 30, 40, 50, 60]) {
          const { code } = await meddled(n, sealed => ((sealed[at]! ^= 4), sealed), maxDialect)
          assert.match(code ?? '', /^(BAD_SIGNATURE|WIRE|DOWNGRADE)$/, `byte ${at}`)
        }
      })
    }
  }
})
