// A server by other hands than Samba's: impacket's. It speaks SMB 2.0.2, and signs each answer of a compound before it puts them together.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { type Lab, missing, useLab } from './index.ts'
import { tool } from './packages.ts'
import { nbtrunReceipt, nothingLeftHere } from './nbtrun.ts'

describe('impacket’s server', { skip: missing('lab', 'fuse', 'impacket'), timeout: 800_000 }, () => {
  let lab: Lab
  let folder: string
  let address: string
  let log = ''
  let stop: () => Promise<unknown>

  before(async () => {
    lab = await useLab()
    address = lab.host('client2').address
    folder = mkdtempSync(join(lab.host('client2').folder, 'tmp', 'root', 'impacket-'))
    const fixture = join(import.meta.dirname, 'fixtures', 'impacket-server.py')
    const server = lab.spawn('client2', [tool('python3') ?? 'python3', fixture, address, lab.authFile(), folder])
    server.stderr?.on('data', chunk => (log += String(chunk)))
    await Promise.race([once(server.stdout!, 'data'), server.then(() => assert.fail(log))])
    stop = async () => {
      server.kill('SIGKILL')
      await server.catch(() => {})
      rmSync(folder, { recursive: true })
    }
  })
  after(() => stop())

  /** By its own account. */
  const remaining = (): string | undefined => /.*Remaining connections (.*)$/s.exec(log.trimEnd())?.[1]
  const untilAlone = async (): Promise<void> => {
    for (let tries = 0; remaining() !== '[]' && tries < 3000; tries++) await new Promise(resolve => setTimeout(resolve, 10))
    assert.equal(remaining(), '[]', log.slice(-2000))
  }

  test('runs the program from the share, which reads, writes, lists, renames and removes there, and is told goodbye', async () => {
    const bytes = randomBytes(300_000)
    writeFileSync(join(folder, 'from'), bytes)
    const job = [
      'cd "$NBTRUN_MOUNT"',
      'cp from to',
      'cmp from to',
      'echo a >log',
      'echo b >>log',
      'cat log',
      'truncate -s 2 log',
      'mv log logs',
      'mkdir d',
      'mv logs d',
      'ls',
      'ls d',
    ]
    writeFileSync(join(folder, 'job'), `#!/bin/sh -e\n${job.join('\n')}\nrm d/logs\nrmdir d\n`, { mode: 0o755 })
    const { code, stdout, stderr, receipt } = await nbtrunReceipt(lab, ['{mount}/job'], { share: `//${address}/app` })
    assert.deepEqual([code, stderr, stdout], [0, '', 'a\nb\nd\nfrom\njob\nto\nlogs\n'])
    assert.deepEqual(readdirSync(folder).sort(), ['from', 'job', 'to'])
    assert.ok(readFileSync(join(folder, 'to')).equals(bytes), 'the copy is the same on the server’s disk')
    assert.deepEqual([receipt.end, receipt.shares[0]?.dialect, receipt.shares[0]?.signing], ['acknowledged', '2.0.2', 'HMAC-SHA256'])
    const undone = receipt.steps
      .filter(({ phase, name }) => phase === 'teardown' && /^[A-Z]/.test(name))
      .map(({ name, ok, status }) => `${name.split(' ')[0]} ${ok} ${status}`)
    assert.deepEqual(undone, ['TREE_DISCONNECT true STATUS_SUCCESS', 'TREE_DISCONNECT true STATUS_SUCCESS', 'LOGOFF true STATUS_SUCCESS', 'FIN true undefined'])
    await untilAlone()
    nothingLeftHere(lab)
  })

  test('is left alone after a wrong password and a wrong share', async () => {
    const refused = await nbtrunReceipt(lab, ['true'], { share: `//${address}/none`, options: ['--mapping', 'none'] })
    assert.deepEqual([refused.code, refused.receipt.end], [125, 'acknowledged'])
    const stranger = await nbtrunReceipt(lab, ['true'], { share: `//${address}/app`, as: 'bob', options: ['--mapping', 'none'] })
    assert.deepEqual([stranger.code, stranger.receipt.error?.code], [125, 'LOGON_FAILED'])
    await untilAlone()
  })

  const cannot = /^nbtrun: the server service of [\d.]+ said RPC_S_CANNOT_SUPPORT \[SERVER_REFUSED\]\n$/
  for (const [command, exit, says, complains] of [
    ['shares', 0, /^APP +disk +\? *$/m, /^$/],
    ['sessions', 125, /^$/, cannot],
    ['ipc', 0, /^connected to IPC\$ on [\d.]+ as LAB\/alice, and disconnected$/m, /^nbtrun: what [\d.]+ still holds is not known: .* RPC_S_CANNOT_SUPPORT\n$/],
    ['autodisconnect', 125, /^$/, /^nbtrun: asking [\d.]+ for its settings \(level 1010\): server said ERROR_INVALID_LEVEL \[SERVER_REFUSED\]\n$/],
  ] as const)
    test(`nbtrun ${command} ${exit === 0 ? 'says what it can' : 'says in one line that this server cannot'}`, async () => {
      const { code, stdout, stderr } = await lab.run('client1', ['nbtrun', command, `//${address}`, '--auth-file', lab.authFile()])
      assert.equal(code, exit, stderr)
      assert.match(stdout, says)
      assert.match(stderr, complains)
      await untilAlone()
    })
})
