// A server that says nothing any more is told from one that takes its time.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { pause } from '../../src/base/time.ts'
import { COMMAND } from '../../src/smb/smb2/header.ts'
import { useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { lasting } from './lasting.ts'
import { field, type Meddler, proxy } from './proxy.ts'
import { framed, nothingLeft } from './story.ts'

/** A network that loses what the server says on the connections made before it was cut. */
class Cut implements Meddler {
  echoes: Buffer[] = []
  #cut = new Set<unknown>()
  #all = new Set<unknown>()

  now(): void {
    this.#cut = new Set(this.#all)
  }

  readonly fromClient: NonNullable<Meddler['fromClient']> = frame => {
    if (field.command(frame) === COMMAND.ECHO) this.echoes.push(frame)
    return frame
  }

  readonly fromServer: NonNullable<Meddler['fromServer']> = (frame, { client }) => {
    this.#all.add(client)
    return this.#cut.has(client) ? undefined : frame
  }
}

const IO = { ioTimeoutMs: 8000 }

describe('silence', { skip: noLab, timeout: 115_000 }, () => {
  test('an idle connection is asked by ECHO, without a session; unanswered, it is dead, and the next request has a new one', async () => {
    const lab = await useLab()
    const cut = new Cut()
    {
      await using between = await proxy({ host: lab.server().address, port: 445 }, cut)
      const { lifeline, files, told, close } = await lasting(lab, between.port, { ...IO, keepaliveMs: 200 })
      while (cut.echoes.length < 2) await pause(20)
      assert.ok(lifeline.isUp)
      for (const echo of cut.echoes) assert.deepEqual([echo.readBigUInt64LE(40), field.flags(echo)], [0n, 0], 'no session, no signature')
      cut.now()
      const began = performance.now()
      while (lifeline.isUp) await pause(20)
      const took = performance.now() - began
      assert.ok(took > 2000 && took < IO.ioTimeoutMs, `dead after ${took} ms`) // an ECHO has half of it, and may have been under way
      assert.deepEqual(told, [], 'nobody needed it')
      await files.stat('')
      assert.deepEqual(told, ['reconnected'])
      assert.equal(between.taken, 2)
      await close()
    }
    await nothingLeft(lab)
  })

  test('a request that waits on a dead connection is saved within its own time', async () => {
    const lab = await useLab()
    const cut = new Cut()
    {
      await using between = await proxy({ host: lab.server().address, port: 445 }, cut)
      const { files, told, close } = await lasting(lab, between.port, { ioTimeoutMs: 10_000 })
      cut.now()
      const began = performance.now()
      await files.stat('')
      const took = performance.now() - began
      assert.ok(took > 4900 && took < 10_000, `answered after ${took} ms`) // an ECHO had half of it
      assert.deepEqual(told, ['reconnected'])
      await close()
    }
    await nothingLeft(lab)
  })

  test('a slow answer is waited for: the server answers the ECHO', async () => {
    const lab = await useLab()
    {
      let held: Buffer | undefined
      let asked = false
      const slow: Meddler = {
        fromServer(frame, { client }) {
          if (field.command(frame) === COMMAND.QUERY_INFO) {
            held = frame
            return undefined
          }
          if (field.command(frame) === COMMAND.ECHO && held !== undefined && !asked) {
            asked = true
            client.write(Buffer.concat([framed(frame), framed(held)]))
            return undefined
          }
          return frame
        },
      }
      await using between = await proxy({ host: lab.server().address, port: 445 }, slow)
      const { files, told, close } = await lasting(lab, between.port, IO)
      const folder = await files.open('', { directory: true })
      await folder.stat()
      assert.ok(asked, 'it was asked, and answered before')
      assert.deepEqual(told, [])
      assert.equal(between.taken, 1)
      await close()
    }
    await nothingLeft(lab)
  })

  test('--keepalive 0 never asks: the request ends with its own time', async () => {
    const lab = await useLab()
    const cut = new Cut()
    {
      await using between = await proxy({ host: lab.server().address, port: 445 }, cut)
      const { files, lifeline, close } = await lasting(lab, between.port, { ioTimeoutMs: 2500, keepaliveMs: 0 })
      cut.now()
      await assert.rejects(files.stat(''), { code: 'TIMED_OUT' })
      assert.deepEqual([cut.echoes.length, lifeline.isUp], [0, true])
      await close()
    }
    await nothingLeft(lab)
  })
})
