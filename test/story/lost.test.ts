// The server restarts, is gone for good, or refuses the second login; the cable is pulled in the middle of a copy.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { pause } from '../../src/base/time.ts'
import { type Lab, startLab } from '../lab/index.ts'
import { noMapping, nothingLeft, nothingLeftButSessions } from '../lab/nbtrun.ts'
import { copyWhile } from './meddling.ts'
import { closeConnections, Puppet } from './puppet.ts'

/** Until somebody on the client begins a new TCP connection: proc(5), /proc/net/tcp, state 02 is SYN_SENT. */
async function untilCalling(lab: Lab): Promise<void> {
  const table = `/proc/${lab.host('client1').keeper.pid}/net/tcp`
  while (!/^ *\d+: \S+ \S+ 02 /m.test(readFileSync(table, 'latin1'))) await pause(20)
}

describe('a lost server', { skip: noMapping, timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await startLab({ servers: { srv: {}, srv2: {} } })
  })
  after(async () => {
    await nothingLeftButSessions(lab) // of one that refuses us none is known to be gone
    await nothingLeft(lab)
    lab.dispose()
  })
  const whole = async (...how: Parameters<typeof copyWhile>): Promise<number> => {
    const { said, end } = await copyWhile(...how)
    assert.deepEqual([said, end.stderr, end.receipt.end, end.receipt.warnings], ['0', '', 'acknowledged', []])
    return end.receipt.reconnects
  }

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    test(`that is restarted in the middle of a copy (${signal}): the copy goes on and is whole`, async () => {
      const reconnects = await whole(lab, 32, [], async () => {
        await lab.stopSmbd('srv', signal)
        await pause(700)
        await lab.startSmbd('srv')
      })
      assert.equal(reconnects, 1)
    })
  }

  test('whose process ends again and again: the copy goes on and is whole', async () => {
    const reconnects = await whole(lab, 32, [], async () => {
      for (let i = 0; i < 3; i++) {
        void closeConnections(lab)
        await pause(150)
      }
    })
    assert.ok(reconnects >= 1, `${reconnects} times`)
  })

  test('whose cable is pulled for 2 s: the copy goes on, on the same connection', async () => {
    const reconnects = await whole(lab, 32, [], async () => {
      lab.link('srv', 'down')
      await pause(2000)
      lab.link('srv', 'up')
    })
    assert.equal(reconnects, 0)
  })

  test('whose cable is pulled for longer than an ECHO may take: a new connection, a whole copy', async () => {
    const reconnects = await whole(lab, 32, ['--io-timeout', '12s'], async () => {
      lab.link('srv', 'down')
      await untilCalling(lab)
      lab.link('srv', 'up')
    })
    assert.equal(reconnects, 1)
  })

  test('that is gone for good: an error within --io-timeout, the later ones at once, one line, and kill -9 works', async () => {
    await using puppet = await Puppet.start(lab, { options: ['--io-timeout', '5s', '--teardown-timeout', '1s'] })
    await puppet.ask("[op('kept', RW|C), put('kept', 'x')]")
    await lab.stopSmbd('srv', 'SIGKILL')
    try {
      for (const [line, most] of [
        ["get('kept')", 15_000], // not the 20 s of a limit that nobody set
        ["read('kept')", 15_000],
        ["os.listdir('.')", 4000],
        ["put('kept', 'y')", 4000],
      ] as const) {
        const began = performance.now()
        assert.match(await puppet.ask(line), /^(EIO|ETIMEDOUT)$/, line)
        assert.ok(performance.now() - began < most, `${line}: ${performance.now() - began} ms`)
      }
      puppet.tell("read('kept')")
      const killed = performance.now()
      process.kill(puppet.pid, 'SIGKILL')
      const { code, stderr, receipt } = await puppet.end()
      assert.ok(performance.now() - killed < 15_000, `${performance.now() - killed} ms`)
      assert.equal(code, 137)
      assert.match(stderr, /^nbtrun: the connection to srv is lost: [^\n]*refused[^\n]*\n$/)
      assert.deepEqual([receipt.reconnects, receipt.end], [0, 'lost'])
      await nothingLeftButSessions(lab)
    } finally {
      await lab.startSmbd('srv')
    }
  })

  test('that refuses the second login: EIO from then on, one line', async () => {
    await using puppet = await Puppet.start(lab, { as: 'bob' })
    assert.equal(await puppet.ask("write('note', 'x')"), 'written')
    await lab.server().tool('pdbedit', '--modify', '--user', 'bob', '--account-control', '[D]')
    try {
      await closeConnections(lab)
      for (let i = 0; i < 3; i++) assert.equal(await puppet.ask("read('note')"), 'EIO')
      const { stderr, receipt } = await puppet.end()
      assert.match(stderr, /^nbtrun: the connection to srv is lost: [^\n]*ACCOUNT_DISABLED[^\n]*\n$/)
      assert.equal(receipt.end, 'lost')
    } finally {
      await lab.server().tool('pdbedit', '--modify', '--user', 'bob', '--account-control', '[]')
    }
  })
})
