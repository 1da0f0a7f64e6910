// A server that hangs up on `nbtrun sessions` in place of an answer to LOGOFF: that session, too, is in the journal.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { COMMAND } from '../../src/smb/smb2/header.ts'
import { REPOSITORY } from '../lab/client.ts'
import { useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { field, proxy } from './proxy.ts'

describe('a server that hangs up at the LOGOFF of `nbtrun sessions`', { skip: noLab, timeout: 120_000 }, () => {
  const state = mkdtempSync(join(tmpdir(), 'story-state-'))
  after(() => rmSync(state, { recursive: true }))

  test('which has it no more: it asks, and keeps nothing in the journal', async () => {
    const lab = await useLab()
    let isOver = false
    await using between = await proxy(
      { host: lab.server().address, port: 445 },
      {
        fromClient(frame, { client, server }) {
          isOver ||= field.command(frame) === COMMAND.LOGOFF
          if (isOver) for (const socket of [client, server]) socket.destroy()
          return isOver ? undefined : frame
        },
      },
    )
    const words = ['sessions', '//127.0.0.1', '--port', `${between.port}`, '--auth-file', lab.authFile('boss')]
    const env = { PATH: process.env['PATH'], XDG_STATE_HOME: state, HOME: state }
    const { stderr } = await promisify(execFile)(process.execPath, [join(REPOSITORY, 'bin', 'nbtrun.js'), ...words], { env })
    assert.deepEqual([isOver, stderr], [true, ''])
    assert.deepEqual(readdirSync(join(state, 'nbtrun', 'journal')), [])
    await lab.server().untilSessions(0)
  })
})
