// Copies of 256 MiB each way in bad weather.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { pause } from '../../src/base/time.ts'
import { type Lab, startLab } from '../lab/index.ts'
import { noMapping, nothingLeftButSessions } from '../lab/nbtrun.ts'
import { copyWhile, killAtAnyMoment } from '../story/meddling.ts'
import { closeConnections } from '../story/puppet.ts'

describe('a copy of 256 MiB', { skip: noMapping, timeout: 900_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await startLab({ servers: { srv: {}, srv2: {} } })
  })
  after(() => lab.dispose())
  const cutFor = (ms: number) => async (): Promise<void> => {
    lab.link('srv', 'down')
    await pause(ms)
    lab.link('srv', 'up')
  }

  test('a link cut for 5 s: whole, on the same connection', async () => {
    const { said, end } = await copyWhile(lab, 256, [], cutFor(5000))
    assert.deepEqual([said, end.stderr, end.receipt.reconnects, end.receipt.end], ['0', '', 0, 'acknowledged'])
  })

  test('a link cut for 60 s: whole, on a new connection or the same, where --io-timeout is longer than the cut', async () => {
    const { said, end } = await copyWhile(lab, 256, ['--io-timeout', '2m'], cutFor(60_000))
    assert.deepEqual([said, end.stderr, end.receipt.end], ['0', '', 'acknowledged'])
    assert.ok(end.receipt.reconnects <= 1)
  })

  test('a link cut for 60 s with the ordinary --io-timeout of 20 s: an error after that, one line, no hang', async () => {
    const { said, end, ms } = await copyWhile(lab, 256, [], cutFor(60_000))
    assert.notEqual(said, '0')
    assert.ok(ms > 15_000 && ms < 30_000, `${ms} ms`)
    const [lost, ...more] = end.stderr.split('\n').filter(line => line.startsWith('nbtrun: '))
    assert.match(lost ?? '', /^nbtrun: the connection to srv is lost: srv has been silent for /)
    assert.deepEqual(more, [])
    assert.equal(end.receipt.end, 'lost')
    await nothingLeftButSessions(lab) // a session that may be there stays in the journal until a login or reap
    closeConnections(lab) // a server that heard no goodbye keeps the session until its own TCP asks, which takes minutes
    await lab.server().untilSessions(0)
  })

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    test(`a server restarted by ${signal}, down for 5 s: whole`, async () => {
      const { said, end } = await copyWhile(lab, 256, [], async () => {
        await lab.stopSmbd('srv', signal)
        await pause(5000)
        await lab.startSmbd('srv')
      })
      assert.deepEqual([said, end.stderr, end.receipt.reconnects, end.receipt.end], ['0', '', 1, 'acknowledged'])
    })
  }

  test('kill -9 at 60 moments', async () => {
    for (let i = 0; i < 60; i++) await killAtAnyMoment(lab, i)
  })
})
