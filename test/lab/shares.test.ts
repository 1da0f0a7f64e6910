import assert from 'node:assert/strict'
import { constants } from 'node:os'
import { before, describe, test } from 'node:test'
import { type Lab, useLab } from './index.ts'
import { noLab, nothingLeftHere } from './nbtrun.ts'
import { untilCatches } from './watch.ts'

describe('nbtrun shares', { skip: noLab, timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })
  const shares = (target: string, ...options: string[]) => lab.run('client1', ['nbtrun', 'shares', target, '--auth-file', lab.authFile(), ...options])
  const NAMES = ['IPC$', 'app', 'cad', 'private', 'readonly']

  test('lists what a server shares, by name and by address, on 445 and on 139', async () => {
    for (const target of ['//srv', '\\\\srv', `//${lab.server().address}`, 'smb://srv/'])
      for (const mode of ['tcp', 'nbt']) {
        const { code, stdout, stderr } = await shares(target, '--transport', mode)
        assert.deepEqual([code, stderr], [0, ''], `${target} ${mode}`)
        const [head, ...rows] = stdout.trimEnd().split('\n')
        assert.match(head ?? '', /^SHARE +TYPE +IN USE +COMMENT$/)
        assert.deepEqual(sorted(rows.map(line => line.split(' ', 1)[0] ?? '')), NAMES)
        assert.match(stdout, /^cad +disk +0 of 1$/m)
        assert.match(stdout, /^IPC\$ +IPC +1 +IPC Service/m)
      }
    await lab.server().untilSessions(0)
    nothingLeftHere(lab)
  })

  for (const dialect of ['2.0.2', '2.1', '3.0', '3.0.2', '3.1.1'])
    test(`over SMB ${dialect}, and encrypted where it can be`, async () => {
      const words = ['--min-dialect', dialect, '--max-dialect', dialect, ...(dialect.startsWith('3') ? ['--encrypt'] : [])]
      const { code, stdout } = await shares('//srv', '--json', ...words)
      assert.equal(code, 0)
      const told = JSON.parse(stdout) as { server: string; shares: { name: string; kind: string; special: boolean; limit: number | null; uses: number }[] }
      assert.equal(told.server, 'srv')
      assert.deepEqual(sorted(told.shares.map(({ name }) => name)), NAMES)
      const cad = told.shares.find(({ name }) => name === 'cad')
      assert.deepEqual([cad?.kind, cad?.special, cad?.limit, cad?.uses], ['disk', false, 1, 0])
    })

  test('complains in one line about what is no server, and about a refused login', async () => {
    for (const [target, line] of [
      ['srv', /^nbtrun: the server must be .* \[USAGE\]\n$/],
      ['//srv/app/folder', /^nbtrun: the server must be \/\/server or \/\/server\/share, not /],
      ['/srv', /begins with one slash.* \[SHELL_ATE_SHARE\]\n$/],
    ] as const) {
      const { code, stdout, stderr } = await shares(target)
      assert.deepEqual([code, stdout], [125, ''], target)
      assert.match(stderr, line)
    }
    const { code, stderr } = await lab.run('client1', ['nbtrun', 'shares', '//srv', '--user', 'nobodyknows', '--password-fd', '0'], { input: 'x\n' })
    assert.equal(code, 125)
    assert.match(stderr, /\[LOGON_FAILED\]\n$/)
    await lab.server().untilSessions(0)
  })

  test('a signal ends it, and the session with it', async () => {
    const undo = lab.mute('srv', 445)
    const going = lab.spawn('client1', ['nbtrun', 'shares', '//srv', '--transport', 'tcp', '--auth-file', lab.authFile(), '--connect-timeout', '20s'])
    try {
      await untilCatches(going.pid, constants.signals.SIGHUP)
      going.kill('SIGTERM')
      const { exitCode, stderr } = await going
      assert.equal(exitCode, 128 + 15)
      assert.match(String(stderr), /cancelled by SIGTERM \[CANCELLED\]/)
    } finally {
      undo()
    }
  })
})

function sorted(names: string[]): string[] {
  return names.sort((a, b) => (a < b ? -1 : 1))
}
