import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { execa } from 'execa'
import type { Receipt } from '../../src/run/receipt.ts'
import { COMMAND } from '../../src/smb/smb2/header.ts'
import { STATUS } from '../../src/smb/status.ts'
import { type Lab, startLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { field, proxy, type Proxy } from './proxy.ts'

/** What servers say when they let nobody in any more, and what others say who never will. */
const FULL = [
  'INSUFFICIENT_RESOURCES',
  'INSUFF_SERVER_RESOURCES',
  'REQUEST_NOT_ACCEPTED',
  'TOO_MANY_SESSIONS',
  'CONNECTION_COUNT_LIMIT',
  'LICENSE_QUOTA_EXCEEDED',
] as const
const FINAL = ['ACCESS_DENIED', 'BAD_NETWORK_NAME', 'LOGON_FAILURE', 'ACCOUNT_LOCKED_OUT'] as const

const WHERE = { 'session setup': COMMAND.SESSION_SETUP, 'tree connect': COMMAND.TREE_CONNECT } as const

describe('a server that says it is full', { skip: noLab, concurrency: 2, timeout: 800_000 }, () => {
  let lab: Lab
  const place = mkdtempSync(join(tmpdir(), 'story-'))
  const state = mkdtempSync(join(tmpdir(), 'story-state-'))
  before(async () => {
    lab = await startLab({
      servers: { srv: { global: ['map to guest = Bad User', 'guest account = nobody'], shares: { open: ['guest ok = yes'] } } },
      clients: [],
    })
  })
  after(async () => {
    await lab.server().untilSessions(0)
    lab.dispose()
    assert.deepEqual(readdirSync(place), [], 'folders of runs')
    assert.deepEqual(readdirSync(join(state, 'nbtrun', 'journal')), [], 'the journal')
    for (const folder of [place, state]) rmSync(folder, { recursive: true })
  })

  /** The real server, in whose mouth this refusal is put in the first `times` connections. Guests, as nothing of theirs is signed. */
  function server(command: number, status: number, times: number): Promise<Proxy> {
    const refused = new Set<object>()
    return proxy(
      { host: lab.server().address, port: 445 },
      {
        fromServer(frame, { client }) {
          const interim = field.status(frame) === STATUS.MORE_PROCESSING_REQUIRED
          if (field.command(frame) !== command || interim || (refused.size === times && !refused.has(client))) return frame
          refused.add(client)
          frame.writeUInt32LE(status, 8)
          return Buffer.concat([frame.subarray(0, 64), Buffer.from('090000000000000000', 'hex')])
        },
      },
    )
  }

  async function run({ port }: Proxy, ...options: string[]): Promise<{ exitCode: number | undefined; stderr: string; receipt: Receipt }> {
    const file = join(tmpdir(), `story-full-${port}.json`)
    const words = ['--share', '//127.0.0.1/open', '--port', `${port}`, '--guest', '--mapping', 'none', '--grace', '0', '--receipt', file]
    const env = { PATH: process.env['PATH'] ?? '', XDG_RUNTIME_DIR: place, XDG_STATE_HOME: state, HOME: place }
    try {
      const nbtrun = join(import.meta.dirname, '..', '..', 'bin', 'nbtrun.js')
      const { exitCode, stderr } = await execa(nbtrun, [...words, ...options, '--', 'true'], { reject: false, timeout: 90_000, env, extendEnv: false })
      return { exitCode, stderr, receipt: JSON.parse(readFileSync(file, 'utf8')) as Receipt }
    } finally {
      rmSync(file, { force: true })
    }
  }

  for (const [where, command] of Object.entries(WHERE)) {
    for (const name of FULL)
      test(`by STATUS_${name} at ${where} is asked again, and lets the third try in`, async () => {
        await using between = await server(command, STATUS[name], 2)
        const once = await run(between)
        assert.equal(once.exitCode, 75, once.stderr)
        assert.match(once.stderr, /it is full \(server said STATUS_[A-Z_]+\); add --wait 10m to queue, .* \[SHARE_FULL\]$/)
        const { exitCode, stderr, receipt } = await run(between, '--wait', '30s')
        assert.deepEqual([exitCode, stderr, receipt.attempts, receipt.end], [0, '', 2, 'acknowledged'])
        assert.equal(between.taken, 3)
      })
    for (const name of FINAL)
      test(`is told from one that says STATUS_${name} at ${where}, which is final`, async () => {
        await using between = await server(command, STATUS[name], 2)
        const { exitCode, receipt } = await run(between, '--wait', '30s')
        assert.deepEqual([exitCode, receipt.attempts, between.taken], [125, 1, 1])
      })
  }
})
