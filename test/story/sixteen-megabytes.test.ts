// A server that announces a message of 16 MB: and sends nothing of it, or a byte now and then, or all of it.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { BRIEF, converse, listen, nothingHeld, SOON_MS, touch } from './story.ts'

const ANNOUNCED = Buffer.from('00ffffff', 'hex')

describe('a server that announces 16 MB', { skip: noLab, timeout: 800_000 }, () => {
  test('and sends none of it, or a byte now and then: TIMED_OUT, and no memory spent on it', async () => {
    const lab = await useLab()
    {
      await using none = await listen(socket => void socket.resume().write(ANNOUNCED))
      await using little = await listen(socket => {
        socket.resume().write(ANNOUNCED)
        const drip = setInterval(() => socket.write('x'), 20)
        socket.on('close', () => clearInterval(drip))
      })
      const before = process.memoryUsage().rss
      const all = [none, none, none, none, none, none, none, little].map(({ port }) => converse(lab, port, touch, BRIEF))
      for (const { code, ms } of await Promise.all(all)) {
        assert.equal(code, 'TIMED_OUT')
        assert.ok(ms < SOON_MS, `${ms} ms`)
      }
      assert.ok(process.memoryUsage().rss - before < 64 * 2 ** 20, 'eight of them cost less than four of them would')
    }
    await nothingHeld()
  })

  test('and sends it: WIRE, for no SMB2 message stands there', async () => {
    const lab = await useLab()
    {
      await using server = await listen(socket => {
        socket.once('data', () => void socket.write(Buffer.concat([ANNOUNCED, Buffer.alloc(0xff_ffff)])))
        socket.resume()
      })
      const { code, ms } = await converse(lab, server.port)
      assert.equal(code, 'WIRE')
      assert.ok(ms < SOON_MS, `${ms} ms`)
    }
    await nothingHeld()
  })
})
