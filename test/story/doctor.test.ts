// The doctor at servers that are ill: it is told what is wrong in bounded time, and leaves nothing.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { execa, type Options, type ResultPromise } from 'execa'
import { decode, encode } from '../../src/base/wire.ts'
import { spellName } from '../../src/nbt/names.ts'
import { type SessionPacket, sessionPacket } from '../../src/nbt/session.ts'
import { COMMAND } from '../../src/smb/smb2/header.ts'
import { STATUS } from '../../src/smb/status.ts'
import { examined, inState, row } from '../lab/doctor.ts'
import { useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { field, proxy } from './proxy.ts'
import { listen } from './story.ts'

const NBTRUN = join(import.meta.dirname, '..', '..', 'bin', 'nbtrun.js')

describe('nbtrun doctor, at a server that', { timeout: 290_000 }, () => {
  const home = mkdtempSync(join(tmpdir(), 'story-doctor-'))
  after(() => {
    assert.deepEqual(readdirSync(join(home, '.local', 'state', 'nbtrun', 'journal')), [])
    rmSync(home, { recursive: true })
  })

  function start(words: readonly string[], input = ''): ResultPromise<Options> {
    const env = { PATH: process.env['PATH'] ?? '', HOME: home, TMPDIR: home }
    const options: Options = { reject: false, timeout: 60_000, env, extendEnv: false, input }
    return execa(NBTRUN, ['doctor', ...words, '--json'], options)
  }

  const seenBy = async (run: ResultPromise<Options>): Promise<ReturnType<typeof examined>> => {
    const { exitCode, stdout, stderr } = await run
    return examined({ code: exitCode, stdout: String(stdout), stderr: String(stderr) })
  }
  const ask = (...words: string[]): Promise<ReturnType<typeof examined>> => seenBy(start(words))
  const remote = (findings: readonly string[]): string[] => findings.filter(each => !each.startsWith('host.'))

  test('takes the connection and says nothing: two questions in vain, and no more', async () => {
    let taken = 0
    await using server = await listen(() => taken++)
    const seen = await ask('//127.0.0.1/app', '--port', `${server.port}`, '--io-timeout', '300ms')
    assert.deepEqual(remote(seen.findings), ['server.dialects TIMED_OUT'])
    assert.equal(taken, 3) // the port, and two dialects
    assert.ok(inState(seen, 'skipped').includes('share.login'))
  })

  test('closes whatever comes: no SMB', async () => {
    await using server = await listen(socket => socket.end())
    const seen = await ask('127.0.0.1', '--port', `${server.port}`)
    assert.deepEqual(remote(seen.findings), ['server.dialects DIALECT_REFUSED'])
  })

  test('is not there', async () => {
    const { port } = await listen(() => {}).then(async server => {
      await server[Symbol.asyncDispose]()
      return server
    })
    const seen = await ask('127.0.0.1', '--port', `${port}`)
    assert.deepEqual(remote(seen.findings), [`ports.tcp-${port} CONNECT_FAILED`])
  })

  test('takes no name on its NetBIOS port: each rung with its code, and the cure', async () => {
    await using server = await listen(socket => void socket.once('data', () => socket.end(encode(sessionPacket, { type: 'negative', reason: 0x82 }))))
    const seen = await ask('//127.0.0.1', '--port', `${server.port}`, '--transport', 'nbt', '--called-name', 'OTHER')
    assert.deepEqual(remote(seen.findings), ['ports.call CALLED_NAME_REFUSED'])
    assert.deepEqual(row(seen, 'ports.call').facts, { name: 'OTHER<20>', reason: 0x82 })
    assert.ok(seen.rows.some(({ cure }) => cure?.includes('--called-name')))
  })

  test('takes the second name that it is called by: both rungs are told, and the one is no finding', async () => {
    const called: string[] = []
    await using server = await listen(socket => {
      socket.once('data', chunk => {
        const request = decode(sessionPacket, chunk)
        if (request.type !== 'request') return
        called.push(spellName(request.called))
        const answer: SessionPacket = called.length === 1 ? { type: 'negative', reason: 0x82 } : { type: 'positive' }
        socket.write(encode(sessionPacket, answer))
      })
    })
    const seen = await ask('//localhost', '--port', `${server.port}`, '--transport', 'nbt', '--io-timeout', '300ms')
    assert.deepEqual(remote(seen.findings), ['server.dialects TIMED_OUT'])
    const rungs = seen.rows.filter(({ check }) => check === 'call').map(({ state, facts }) => [state, facts['name'], facts['reason']])
    assert.deepEqual(rungs, [
      ['note', 'LOCALHOST<20>', 0x82],
      ['ok', '*SMBSERVER<20>', undefined],
    ])
    // the dialects are asked for under the name that was taken
    assert.deepEqual(called, ['LOCALHOST<20>', ...Array<string>(3).fill('*SMBSERVER<20>')])
  })

  test('is silent when Ctrl-C comes: it ends at once, of the signal', async () => {
    let run: ResultPromise<Options> | undefined
    await using server = await listen(socket => void socket.once('data', () => run?.kill('SIGINT')))
    run = start(['//127.0.0.1/app', '--port', `${server.port}`, '--io-timeout', '50s'])
    const { exitCode, stdout, stderr } = await run
    assert.deepEqual([exitCode, stdout], [130, ''])
    assert.match(String(stderr), /cancelled by SIGINT \[CANCELLED\]$/)
  })

  test('is written to when Ctrl-C comes: file, share and session are given back', { skip: noLab }, async () => {
    const lab = await useLab()
    let run: ResultPromise<Options> | undefined
    let interrupted = false
    {
      await using between = await proxy(
        { host: lab.server().address, port: 445 },
        {
          fromClient(frame) {
            if (field.command(frame) === COMMAND.WRITE && !interrupted) interrupted = run?.kill('SIGINT') === true
            return frame
          },
        },
      )
      const password = ['--user', 'LAB/alice', '--password-fd', '0']
      run = start(['//127.0.0.1/app', '--port', `${between.port}`, ...password], `${lab.password()}\n`)
      const { exitCode, stdout, stderr } = await run
      assert.deepEqual([exitCode, stdout, stderr], [130, '', 'nbtrun: cancelled by SIGINT [CANCELLED]'])
    }
    assert.deepEqual(readdirSync(lab.server().diskPath('app')), [])
    await lab.server().untilSessions(0)
  })

  test('refuses the login: it is asked once', { skip: noLab }, async () => {
    const lab = await useLab()
    let refusals = 0
    {
      await using between = await proxy(
        { host: lab.server().address, port: 445 },
        {
          fromServer(frame) {
            if (field.status(frame) === STATUS.LOGON_FAILURE) refusals++
            return frame
          },
        },
      )
      const seen = await seenBy(start(['//127.0.0.1/app', '--port', `${between.port}`, '--user', 'alice', '--password-fd', '0'], 'wrong\n'))
      assert.deepEqual(remote(seen.findings), ['share.login LOGON_FAILED'])
    }
    assert.equal(refusals, 1)
    await lab.server().untilSessions(0)
  })
})
