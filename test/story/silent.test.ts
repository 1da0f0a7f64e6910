// A server that falls silent: it takes everything and says nothing more, not even FIN.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { before, describe, test } from 'node:test'
import { NbtrunError } from '../../src/base/errors.ts'
import { Scope } from '../../src/base/scope.ts'
import { pause } from '../../src/base/time.ts'
import { logIn } from '../../src/smb/acquire.ts'
import { Credentials } from '../../src/smb/auth/credentials.ts'
import { Secret } from '../../src/smb/auth/secret.ts'
import { connect, type Share } from '../../src/smb/index.ts'
import { COMMAND, type CommandName } from '../../src/smb/smb2/header.ts'
import { type Lab, useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { field, proxy, type Proxy } from './proxy.ts'
import { BRIEF, converse, nothingLeft, SOON_MS, touch } from './story.ts'

describe('a server that falls silent', { skip: noLab, timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })

  /** The real server, of which nothing is heard from its first answer to `command` on, or of that command alone; and no FIN, unless told. */
  function mute(command: CommandName, what: 'all' | 'this' = 'all', fin: 'and no FIN' | 'but FIN' = 'and no FIN'): Promise<Proxy> {
    let isMute = false
    return proxy(
      { host: lab.server().address, port: 445 },
      {
        fromServer(frame, { server }) {
          if (fin === 'and no FIN') server.removeAllListeners('end')
          const isIt = field.command(frame) === COMMAND[command]
          isMute ||= isIt
          return (what === 'all' ? isMute : isIt) ? undefined : frame
        },
      },
    )
  }

  test('is TIMED_OUT, and every step of the teardown is tried, each within its time', async () => {
    const all = ['TREE_DISCONNECT: TIMED_OUT', 'LOGOFF: TIMED_OUT', 'FIN: TIMED_OUT']
    const cases: [CommandName, readonly string[]][] = [
      ['NEGOTIATE', []],
      ['SESSION_SETUP', []],
      ['TREE_CONNECT', all.slice(1)],
      ['CREATE', all],
      ['READ', all],
      ['LOGOFF', ['TREE_DISCONNECT: STATUS_SUCCESS', 'LOGOFF: TIMED_OUT', 'FIN: TIMED_OUT']],
    ]
    await Promise.all(
      cases.map(async ([command, steps]) => {
        await using between = await mute(command)
        const { code, teardown, ms } = await converse(lab, between.port, share => touch(share, undefined, command), BRIEF)
        assert.equal(code, 'TIMED_OUT', command)
        assert.deepEqual(teardown, steps, command)
        assert.ok(ms < 15_000, `${command}: ${ms} ms`) // one deadline, and 2 s for each step
      }),
    )
    await nothingLeft(lab)
  })

  test('about one READ: its deadline while we wait for FIN is nobody’s uncaught exception', async () => {
    {
      await using between = await mute('READ', 'this')
      let read: Promise<unknown> | undefined
      const leaveOne = async ({ files }: Share): Promise<void> => {
        const file = await files.open('note', { read: true, write: true, disposition: 'open-or-create' })
        read = file.read(0, 10).catch((thrown: unknown) => thrown)
        await pause(2500)
      }
      const { teardown } = await converse(lab, between.port, leaveOne, { ioTimeoutMs: 3000 })
      assert.deepEqual(teardown, ['TREE_DISCONNECT: STATUS_SUCCESS', 'LOGOFF: STATUS_SUCCESS', 'FIN: TIMED_OUT'])
      assert.ok((await read) instanceof NbtrunError)
    }
    await nothingLeft(lab)
  })

  test('at LOGOFF, to a user in a hurry: the unwind is short, and nothing goes on after it', async () => {
    {
      await using between = await mute('LOGOFF')
      const scope = new Scope(new AbortController().signal)
      const { connection } = await logIn(scope, {
        host: '127.0.0.1',
        transport: { host: '127.0.0.1', mode: 'tcp', port: between.port, timeoutMs: 20_000 },
        ioTimeoutMs: 20_000,
        clientGuid: randomBytes(16),
        credentials: Credentials.fromPassword({ user: 'alice', domain: 'LAB', workstation: '' }, Secret.fromText(lab.password())),
        who: 'alice',
        allowUnsigned: false,
      })
      scope.hurry(100)
      const began = performance.now()
      await scope.unwind()
      assert.ok(performance.now() - began < 1800) // twice 100 ms; LOGOFF alone would have 2 s
      for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate) // sockets close a few turns after their objects
      const timers = process.getActiveResourcesInfo().filter(kind => kind === 'Timeout')
      const { ending } = connection
      await connection.closed
      assert.deepEqual([ending !== undefined, timers], [true, []])
    }
    await nothingLeft(lab)
  })

  for (const command of ['NEGOTIATE', 'SESSION_SETUP'] as const) {
    test(`a signal ends the wait for ${command} at once, with its reason`, async () => {
      {
        await using server = await mute(command, 'all', 'but FIN')
        const stop = new AbortController()
        const reason = new NbtrunError('CANCELLED', 'Ctrl-C')
        const timer = setTimeout(() => stop.abort(reason), 100)
        const began = performance.now()
        const login = { user: 'alice', password: lab.password(), domain: 'LAB', port: server.port, ioTimeoutMs: 2 * SOON_MS }
        await assert.rejects(connect('127.0.0.1', { ...login, signal: stop.signal }), reason)
        clearTimeout(timer)
        const ms = performance.now() - began
        assert.ok(ms < SOON_MS, `it took ${Math.round(ms)} ms`)
      }
      await nothingLeft(lab)
    })
  }
})
