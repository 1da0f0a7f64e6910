// A server that signs as it should and lies: what a client believes must not cost it more than an error.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { pause } from '../../src/base/time.ts'
import type { Client, Share } from '../../src/smb/index.ts'
import { COMMAND, type CommandName } from '../../src/smb/smb2/header.ts'
import { STATUS } from '../../src/smb/status.ts'
import { useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { impostor, type Lie } from './impostor.ts'
import { field, proxy } from './proxy.ts'
import { BRIEF, converse, nothingLeft, type Outcome, SOON_MS, touch } from './story.ts'

const BODY = 64
type Use = (share: Share, client: Client) => Promise<unknown>
/** Only for answers to that command which carry what was asked for. */
const to =
  (command: CommandName, lie: (frame: Buffer) => Buffer | void): Lie =>
  frame =>
    field.command(frame) === COMMAND[command] && field.status(frame) === STATUS.SUCCESS ? (lie(frame) ?? frame) : frame

describe('a server that signs what it makes up', { skip: noLab, timeout: 800_000, concurrency: 8 }, () => {
  after(async () => nothingLeft(await useLab()))

  async function against(lie: Lie, name: string, use?: Use, options = {}): Promise<Outcome> {
    const lab = await useLab()
    await using between = await proxy({ host: lab.server().address, port: 445 }, impostor(lab, lie))
    const outcome = await converse(lab, between.port, use ?? (share => touch(share, undefined, name)), options)
    assert.ok(outcome.ms < SOON_MS, `${outcome.ms} ms`)
    return outcome
  }

  test('is believed when it tells the truth', async () => {
    const { code, teardown } = await against(frame => frame, 'truth')
    assert.equal(code, undefined)
    assert.deepEqual(teardown, ['TREE_DISCONNECT: STATUS_SUCCESS', 'LOGOFF: STATUS_SUCCESS', 'FIN: ok'])
  })

  test('and has nothing but dots in a folder, for ever: the listing ends', async () => {
    let asked = 0
    let first: Buffer | undefined
    const dots = (frame: Buffer): Buffer => {
      asked++
      first ??= Buffer.from(frame)
      const dot = Buffer.from(first)
      dot.writeUInt32LE(80 + 2, BODY + 4)
      dot.writeUInt32LE(0, BODY + 8) // NextEntryOffset
      dot.writeUInt32LE(2, BODY + 8 + 60)
      dot.write('.', BODY + 8 + 80, 'utf16le')
      frame.copy(dot, 0, 0, 48)
      dot.writeUInt32LE(STATUS.SUCCESS, 8)
      return dot
    }
    const lie: Lie = frame => (field.command(frame) === COMMAND.QUERY_DIRECTORY ? dots(frame) : frame)
    let ended: unknown = 'not at all'
    await against(lie, 'dots', async share => {
      const listing = share.list()
      const next = listing.next().then(
        () => 'by an end',
        (thrown: unknown) => thrown,
      )
      const over = new AbortController()
      ended = await Promise.race([next, pause(SOON_MS / 2, over.signal).then(() => 'not at all')])
      over.abort()
    })
    assert.notEqual(ended, 'not at all', `asked ${asked} times`)
  })

  test('and takes no byte at a time: a read is an error, not an empty file', async () => {
    const lie = to('NEGOTIATE', frame => void frame.writeUInt32LE(0, BODY + 32)) // MaxReadSize
    const { code } = await against(lie, 'no-read')
    assert.ok(code !== undefined && code !== 'INTERNAL', 'touch() compares what it reads')
  })

  test('and takes no byte at a time: a write is an error', async () => {
    const lie = to('NEGOTIATE', frame => void frame.writeUInt32LE(0, BODY + 36)) // MaxWriteSize
    const { code } = await against(lie, 'no-write')
    assert.ok(code !== undefined && code !== 'INTERNAL', code)
  })

  test('and says that it wrote more than it got, or nothing: the write is an error', async () => {
    for (const count of [0, 11, 0xffff_ffff]) {
      const lie = to('WRITE', frame => void frame.writeUInt32LE(count, BODY + 4))
      assert.equal((await against(lie, `write-${count}`)).code, 'FILE_ERROR')
    }
  })

  test('and reads more than it was asked for: the rest is cut off', async () => {
    const lie = to('READ', frame => {
      const more = Buffer.concat([frame, Buffer.alloc(5000, 0x21)])
      more.writeUInt32LE(frame.readUInt32LE(BODY + 4) + 5000, BODY + 4)
      return more
    })
    await against(lie, 'read-more', async ({ files }) => {
      const file = await files.open('read-more', { read: true, write: true, disposition: 'open-or-create' })
      await file.write(0, Buffer.from('some words'))
      assert.equal((await file.read(0, 4)).toString(), 'some')
      await file.close()
      await files.remove('read-more', false)
    })
  })

  test('and names buffers that lie outside its answers: WIRE, and the connection stays good', async () => {
    for (const command of ['CREATE', 'READ', 'QUERY_DIRECTORY'] as const) {
      const lie = to(command, frame => {
        if (command === 'CREATE') frame.writeUInt32LE(0x7fff_ffff, BODY + 80)
        else if (command === 'READ') frame.writeUInt32LE(0x7fff_ffff, BODY + 4)
        else frame.writeUInt32LE(0xffff_ffff, BODY + 8)
      })
      const { code, teardown } = await against(lie, `outside-${command}`)
      assert.equal(code, 'WIRE', command)
      assert.deepEqual(teardown, ['TREE_DISCONNECT: STATUS_SUCCESS', 'LOGOFF: STATUS_SUCCESS', 'FIN: ok'], command)
    }
  })

  test('and grants no credit from some moment on: each request ends by its deadline', async () => {
    let none = false
    const lie: Lie = frame => {
      none ||= field.command(frame) === COMMAND.TREE_CONNECT
      if (none) frame.writeUInt16LE(0, 14)
      return frame
    }
    const ask: Use = async (_, { session }) => {
      const calls = Array.from({ length: 1000 }, () => session.echo(1500))
      const all = await Promise.allSettled(calls)
      const reasons = all.flatMap(one => (one.status === 'rejected' ? [(one.reason as { code?: unknown }).code] : []))
      assert.deepEqual(new Set(reasons), new Set(['TIMED_OUT']))
    }
    await against(lie, 'no-credit', ask, BRIEF)
  })
})
