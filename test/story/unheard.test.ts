// A server whose kernel drops what is sent on a new connection: its queue was full when the handshake ended.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { connect } from '../../src/smb/index.ts'
import { type Lab, useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { nothingLeft } from './story.ts'

describe('a server that has not taken the connection', { skip: noLab, timeout: 800_000, concurrency: 8 }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })
  after(() => nothingLeft(lab))

  /** The first `deaf` connections are unheard. */
  async function crowded(deaf: number): Promise<{ readonly port: number; readonly taken: number; end(): void }> {
    const relay: ChildProcess = spawn('python3', [join(import.meta.dirname, 'unheard.py'), `${deaf}`, lab.server().address, '445'])
    let said = ''
    relay.stdout!.on('data', text => (said += String(text)))
    while (!said.includes('\n')) await once(relay.stdout!, 'data')
    return {
      port: Number(said.split('\n', 1)[0]),
      get taken() {
        return said.split('taken').length - 1
      },
      end: () => void relay.kill('SIGKILL'),
    }
  }

  test('is connected to anew while there is time, though --io-timeout were longer', async () => {
    const between = await crowded(2)
    try {
      const client = await connect('127.0.0.1', { user: 'alice', password: lab.password(), port: between.port, connectTimeoutMs: 60_000, ioTimeoutMs: 600_000 })
      await client.close()
      assert.equal(between.taken, 3)
    } finally {
      between.end()
    }
  })

  test('fails the run when that time is over', async () => {
    const between = await crowded(100)
    try {
      const connecting = connect('127.0.0.1', { user: 'alice', password: lab.password(), port: between.port, connectTimeoutMs: 4000, ioTimeoutMs: 600_000 })
      await assert.rejects(connecting, {
        code: 'CONNECT_FAILED',
        message: `cannot connect to 127.0.0.1 (${between.port}: nothing that was sent is acknowledged)`,
      })
      assert.equal(between.taken, 2)
    } finally {
      between.end()
    }
  })
})
