import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { before, describe, test } from 'node:test'
import { type Lab, useLab } from './index.ts'
import { entries, said } from './journal.ts'
import { here, noLab, nothingLeft, words } from './nbtrun.ts'

const PORTS = 16

/** Takes so many ports for connections of its own, each another one, and leaves them to whoever goes elsewhere. */
const CROWD = `
import socket, sys
server = socket.create_server((sys.argv[1], 40000))
held = [socket.create_connection(server.getsockname()) for _ in range(int(sys.argv[2]))]
print('ready', flush=True)
sys.stdin.read()
server.close() # resets them, so that no port is kept for a while
`

describe('a connection that is lost while a run holds nothing of it but a session', { skip: noLab, timeout: 200_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })

  /** Loses it, by `lose`, and ends the run, before which it would else be set up anew where there is time for it. */
  async function runs(lose: () => Promise<void>): Promise<void> {
    const receipt = here(lab, 'hung-up.json')
    const options = ['--mapping', 'none', '--no-reconnect', '--grace', '0', '--receipt', receipt]
    const run = lab.spawn('client1', words(lab, ['/bin/sh', '-c', 'echo ready; read -r line; exit 3'], { options }), { timeout: 60_000 })
    await said(run)
    await lose()
    const ended = performance.now()
    run.stdin?.end('\n')
    assert.equal((await run).exitCode, 3)
    assert.ok(performance.now() - ended < 10_000, 'a server that is silent is waited for a while only')
    const { end, steps } = JSON.parse(readFileSync(receipt, 'utf8')) as { end: string; steps: { name: string; status?: string }[] }
    assert.deepEqual([end, steps.find(({ name }) => name.startsWith('LOGOFF'))?.status], ['lost', 'CONNECTION_LOST'])
  }
  async function reaped(): Promise<void> {
    const { code, stdout } = await lab.run('client1', ['nbtrun', 'reap'])
    assert.deepEqual([code, stdout], [0, 'there is nothing to give back\n'])
  }
  async function hungUp(): Promise<void> {
    for (const pid of lab.server().workers()) process.kill(pid, 'SIGTERM')
    await lab.server().untilWorkers(0)
  }
  /** The client's kernel ends it, and says so to a server that does not hear it. */
  async function fell(): Promise<void> {
    lab.link('srv', 'down')
    const { stdout } = await lab.run('client1', ['ss', '-KHtn', 'dst', lab.server().address], { user: 'root' })
    assert.match(stdout, /:445/, 'the kernel ends connections of others')
  }

  test('because the server hung up, which has it no more: the run asks, and keeps nothing in the journal', async () => {
    await runs(hungUp)
    await nothingLeft(lab)
  })

  for (const free of [1, 0])
    test(`because the server hung up, on a machine that has ${free} of its ports without a connection`, async () => {
      const range = (ports: string): Promise<unknown> => lab.run('client1', ['sysctl', '-qw', `net.ipv4.ip_local_port_range=${ports}`], { user: 'root' })
      const { stdout: before } = await lab.run('client1', ['sysctl', '-n', 'net.ipv4.ip_local_port_range'])
      const first = 50_000 + PORTS * free // others than those of the test before, which are kept for a while
      await range(`${first} ${first + PORTS - 1}`)
      const crowd = lab.spawn('client1', ['/usr/bin/python3', '-c', CROWD, lab.host('client1').address, `${PORTS - free}`], { stdin: 'pipe' })
      try {
        await said(crowd)
        await runs(hungUp)
      } finally {
        crowd.stdin?.end()
        await crowd
        await range(before.trim())
      }
      if (free === 0) await reaped() // who had that port, too, has gone
      await nothingLeft(lab)
    })

  test('of which the server has not heard: it does now, and gives the session back', async () => {
    await runs(async () => {
      await fell()
      lab.link('srv', 'up')
      assert.equal((await lab.server().sessions()).length, 1, 'the server keeps it')
    })
    await nothingLeft(lab)
  })

  test('and the server does not answer: it stays in the journal, for reap', async () => {
    try {
      await runs(fell)
      assert.equal(entries(lab).length, 1)
    } finally {
      lab.link('srv', 'up')
    }
    assert.equal((await lab.server().sessions()).length, 1, 'the server keeps it')
    await reaped()
    await nothingLeft(lab)
  })
})
