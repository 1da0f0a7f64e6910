// nbtrun is killed while its cable is out, and the kernel gives up saying goodbye before it is back: the server keeps session and seat.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { beforeEach, describe, test } from 'node:test'
import { pause } from '../../src/base/time.ts'
import { startLab, type Lab } from './index.ts'
import { entries, runs, said, until } from './journal.ts'
import { nbtrun, nothingLeft, noMapping, words } from './nbtrun.ts'
import { untilGone } from './watch.ts'

const WAITS = ['/bin/sh', '-c', 'echo ready; read -r line']

describe('a session whose server never heard that its connection fell', { skip: noMapping, timeout: 800_000 }, () => {
  let lab: Lab
  /** The connections to port 445 that the client's kernel knows of. */
  const known = (): boolean => / [0-9A-F]{8}:01BD /.test(readFileSync(`/proc/${lab.host('client1').keeper.pid}/net/tcp`, 'latin1'))
  const reap = async (): Promise<string> => {
    const { code, stdout, stderr } = await lab.run('client1', ['nbtrun', 'reap'])
    assert.deepEqual([code, stderr], [0, ''])
    return stdout
  }
  const listed = async (): Promise<string[]> => (await runs(lab)).flatMap(({ state, sessions }) => sessions.map(({ user }) => `${state} ${user}`))

  /** Until the kernel has forgotten it, and the cable is back. */
  async function forgotten(): Promise<void> {
    lab = await startLab({ clients: ['client1', 'client2'] })
    await lab.run('client1', ['sysctl', '-qw', 'net.ipv4.tcp_orphan_retries=1'], { user: 'root' })
    const run = lab.spawn('client1', words(lab, WAITS, { share: '//srv/cad', options: ['--kill-after', '0'] }))
    await said(run)
    await pause(1000) // until nothing is unacknowledged: the server would say that again, and hear then that nobody knows it
    lab.link('client1', 'down')
    process.kill(run.pid!, 'SIGKILL')
    await run
    await untilGone(lab)
    assert.match(await reap(), /srv may still hold its session of LAB\/alice: nbtrun reap \/\/srv/, 'it is not known to be gone while it is still said')
    await until('the kernel gives up', () => !known(), 120_000)
    assert.match(await reap(), /srv may still hold its session of LAB\/alice/, 'nor when the kernel has given up')
    assert.deepEqual(await listed(), ['dead LAB/alice'])
    assert.match((await lab.run('client1', ['nbtrun', 'runs'])).stdout, / dead .* a session of LAB\/alice that srv may have until \d{4}-/)
    await pause(5000) // a call of reap's waits for the server's hardware address as long as that, and would be heard now
    lab.link('client1', 'up')
    assert.equal((await lab.server().sessions()).length, 1, 'the server keeps it')
    assert.equal((await nbtrun(lab, ['/bin/true'], { share: '//srv/cad', client: 'client2' })).code, 75)
  }

  beforeEach(forgotten)

  test('is ended by the next login of its user', async () => {
    await using _ = lab
    const { code, stderr } = await nbtrun(lab, ['/bin/true'], { share: '//srv/cad' })
    assert.deepEqual([code, stderr], [0, ''])
    await nothingLeft(lab)
  })

  test('is ended by nbtrun reap once the server is to be reached, without anybody’s password', async () => {
    await using _ = lab
    assert.equal(await reap(), 'there is nothing to give back\n')
    await lab.server().untilSessions(0)
    assert.deepEqual(entries(lab), [])
    assert.equal((await nbtrun(lab, ['/bin/true'], { share: '//srv/cad', client: 'client2' })).code, 0)
    await nothingLeft(lab)
  })
})
