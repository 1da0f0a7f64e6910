// NetBIOS names that a run holds for its program (Q124565).
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import type { Receipt } from '../../src/run/receipt.ts'
import { encode } from '../../src/base/wire.ts'
import { parseName } from '../../src/nbt/names.ts'
import { sessionPacket } from '../../src/nbt/session.ts'
import { clientEnv } from './client.ts'
import { judge, type Lab, missing, type RunOptions, startLab, type User } from './index.ts'
import { LabNode, nmblookup, QUIET } from './nbt-node.ts'
import { here } from './nbtrun.ts'

describe('a run with a NetBIOS name', { skip: missing('lab', 'capture'), timeout: 800_000 }, () => {
  let lab: Lab
  let wins: string
  before(async () => {
    lab = await startLab({ servers: { srv: { global: [...QUIET, 'netbios aliases = LEGACY'] } }, clients: ['alpha', 'beta', 'gamma'], reachable: false })
    wins = lab.server().address
  })
  after(() => lab.dispose())

  const words = (client: string, options: readonly string[], program: readonly string[] = ['true'], user: RunOptions['user'] = 'root'): string[] => [
    ...`nbtrun ${options.includes('--share') ? '' : '--share //srv/app '}--mapping none --grace 0 --auth-file`.split(' '),
    lab.authFile(),
    '--receipt',
    here(lab, 'receipt.json', { user, client }),
    ...options,
    '--',
    ...program,
  ]
  const run = (client: string, options: readonly string[], program?: readonly string[], more: RunOptions = {}) =>
    lab.run(client, words(client, options, program, more.user), { user: 'root', ...more })
  const receiptOf = (client: string, user: User | 'root' = 'root'): Receipt =>
    JSON.parse(readFileSync(here(lab, 'receipt.json', { user, client }), 'utf8')) as Receipt
  const atWins = (name: string): Promise<string> => nmblookup(lab, '--recursion', `--unicast=${wins}`, name)
  const byBroadcast = (name: string): Promise<string> => nmblookup(lab, `--broadcast=${wins.replace(/\.\d+$/, '.255')}`, name)
  const address = (client: string): string => lab.host(client).address

  /** What a call of a name on port 139 gets, in hex. */
  async function call(to: string, called: string): Promise<string> {
    const request = encode(sessionPacket, { type: 'request', called: parseName(called, 0x20), calling: parseName('GAMMA', 0) })
    const script = `require('net').connect(139, '${to}').on('data', d => console.log(d.toString('hex'))).end(Buffer.from('${request.toString('hex')}', 'hex'))`
    return (await lab.run('gamma', ['node', '-e', script], { user: 'root' })).stdout.trim()
  }

  /** A run whose program waits for the end of its input, once it runs. */
  async function holding(client: string, options: readonly string[], more: RunOptions = {}) {
    const child = lab.spawn(client, words(client, options, ['sh', '-c', 'echo up; read line; exit 7'], more.user), { user: 'root', stdin: 'pipe', ...more })
    await Promise.race([once(child.stdout ?? process.stdin, 'data'), child.then(({ stderr }) => assert.fail(`it has ended: ${String(stderr)}`))])
    const kill = async (): Promise<void> => {
      child.kill('SIGKILL')
      await child
    }
    return { child, kill, [Symbol.asyncDispose]: kill }
  }

  /** No session, no name at the name server or on the wire, and nobody on port 137 or 139. */
  async function nothingHeld(client: string, name: string): Promise<void> {
    await lab.server().untilSessions(0)
    assert.match(await atWins(name), /name_query failed/)
    assert.match(await byBroadcast(name), /name_query failed/)
    const { stdout } = await lab.run(client, ['sh', '-c', 'cat /proc/net/udp /proc/net/tcp /proc/net/unix'], { user: 'root' })
    assert.doesNotMatch(stdout, /:0089 |:008A |:008B 00000000:0000 0A|nbtrun-name/, `sockets on ${client}`)
  }

  for (const [title, options] of [
    ['at a name server', (server: string) => ['--wins', server]],
    ['by broadcast', () => []],
  ] as const) {
    test(`held ${title} while the program runs, and given back after the connection`, async () => {
      await using held = await holding('alpha', ['--hold-name', 'payroll#20', ...options(wins)])
      const seen = title === 'by broadcast' ? await byBroadcast('PAYROLL#20') : await atWins('PAYROLL#20')
      assert.match(seen, new RegExp(`^${address('alpha')} PAYROLL<20>$`, 'm'))
      assert.match(await nmblookup(lab, '-A', address('alpha')), /PAYROLL\s+<20> -\s+[BH] <ACTIVE>/)
      // a mere run takes no sessions
      assert.equal(await call(address('alpha'), 'PAYROLL'), '8300000180')
      held.child.stdin?.end()
      assert.equal((await held.child).exitCode, 7)
      const { names, steps, end, warnings } = receiptOf('alpha')
      const server = title === 'by broadcast' ? null : wins
      const broadcast = title === 'by broadcast'
      assert.deepEqual(names, [{ name: 'PAYROLL<20>', addresses: [address('alpha')], server, broadcast, defended: true, lost: null }])
      assert.deepEqual([end, warnings], ['acknowledged', []])
      assert.deepEqual(
        steps.filter(step => step.phase === 'teardown').map(({ name, ok }) => [name, ok]),
        ['mapping', 'TREE_DISCONNECT app', 'TREE_DISCONNECT IPC$', 'LOGOFF srv', 'FIN srv', 'RELEASE PAYROLL<20>', 'name service'].map(name => [name, true]),
      )
      assert.deepEqual(
        steps.slice(0, 3).map(({ phase, name }) => [phase, name]),
        [
          ['name', 'name service'],
          ['name', 'name PAYROLL<20>'],
          ['reach', 'name srv by dns'],
        ],
      )
      await nothingHeld('alpha', 'PAYROLL#20')
    })
  }

  for (const [title, options, code] of [
    ['a refused login', ['--password-file', '/dev/null', '--user', 'alice'], 125],
    ['a share that is not there', ['--share', '//srv/nowhere'], 125],
    ['a server that cannot be reached', ['--port', '9'], 125],
    ['a program that is not there', [], 127],
    ['a program that crashes', [], 139],
  ] as const) {
    test(`given back after ${title}`, async () => {
      const program = title.includes('crashes') ? ['sh', '-c', 'kill -SEGV $$'] : title.includes('not there') && code === 127 ? ['no-such-program'] : ['true']
      const own = title.includes('login') ? words('alpha', [...options], program).filter(word => word !== '--auth-file' && word !== lab.authFile()) : undefined
      const all = own ?? words('alpha', options, program)
      all.splice(1, 0, '--hold-name', 'PAYROLL', '--wins', wins)
      const outcome = await lab.run('alpha', all, { user: 'root' })
      assert.equal(outcome.code, code, outcome.stderr)
      assert.deepEqual(
        receiptOf('alpha').steps.flatMap(({ name, ok, status }) => (name.startsWith('RELEASE') ? [ok, /: (released|not registered)$/.test(status ?? '')] : [])),
        [true, true],
      )
      await nothingHeld('alpha', 'PAYROLL#20')
    })
  }

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    test(`given back after ${signal}`, async () => {
      await using held = await holding('alpha', ['--hold-name', 'PAYROLL', '--wins', wins])
      held.child.kill(signal)
      await held.child
      await nothingHeld('alpha', 'PAYROLL#20')
    })
  }

  test('held by another host: one line that says by whom, 75, and no seat is taken', async () => {
    await using held = await holding('beta', ['--hold-name', 'PAYROLL', '--wins', wins])
    const { code, stderr } = await run('alpha', ['--hold-name', 'PAYROLL', '--wins', wins])
    assert.deepEqual(
      [code, stderr],
      [75, `nbtrun: the name PAYROLL<20> is held by ${address('beta')}; end the program that holds it there, or add --wait 10m to wait for it [NAME_HELD]\n`],
    )
    const { steps, names, error, end } = receiptOf('alpha')
    assert.deepEqual([names, error?.code, end, steps.filter(({ phase }) => phase === 'connect')], [[], 'NAME_HELD', 'nothing-held', []])
    assert.match(await atWins('PAYROLL#20'), new RegExp(`^${address('beta')} PAYROLL<20>$`, 'm'))
    const byWire = await run('gamma', ['--hold-name', 'PAYROLL'])
    assert.deepEqual([byWire.code, byWire.stderr.includes(`held by ${address('beta')}`)], [75, true], byWire.stderr)
    held.child.stdin?.end()
    assert.equal((await held.child).exitCode, 7)
    await nothingHeld('beta', 'PAYROLL#20')
  })

  for (const user of ['root', 'alice'] as const) {
    test(`a second run of the same host (${user}) is told which process holds the name, and takes nothing from it`, async () => {
      const own = user === 'root' ? {} : { user, cwd: '/' }
      const options = ['--hold-name', 'PAYROLL', '--wins', wins]
      await using held = await holding('alpha', options, own)
      const { code, stderr } = await run('alpha', options, ['true'], own)
      assert.equal(code, 75)
      assert.match(stderr, new RegExp(`the name PAYROLL<20> is held by process ${held.child.pid} on this machine; .*NAME_HELD.\n$`))
      assert.match(await atWins('PAYROLL#20'), new RegExp(`^${address('alpha')} PAYROLL<20>$`, 'm'))
      held.child.stdin?.end()
      assert.equal((await held.child).exitCode, 7)
      await nothingHeld('alpha', 'PAYROLL#20')
    })
  }

  test('an ordinary user: registered at the name server, with a warning that nobody defends it; without one an error with the cures', async () => {
    const own = { user: 'alice', cwd: '/' } as const
    const { code, stderr } = await run('alpha', ['--hold-name', 'PAYROLL', '--wins', wins], ['true'], own)
    assert.equal(code, 0)
    const line = 'nobody defends PAYROLL<20>, registered at the name server alone: UDP port 137 of 0.0.0.0 cannot be bound (EACCES)'
    assert.match(stderr, /^nbtrun: .*setcap cap_net_bind_service.*\n$/)
    assert.ok(stderr.startsWith(`nbtrun: ${line}; `), stderr)
    const { names, warnings } = receiptOf('alpha', 'alice')
    assert.deepEqual([names.map(({ name, server, defended }) => [name, server, defended]), warnings], [[['PAYROLL<20>', wins, false]], [line]])
    const without = await run('alpha', ['--hold-name', 'PAYROLL'], ['true'], own)
    assert.equal(without.code, 125)
    assert.match(
      without.stderr,
      /^nbtrun: PAYROLL<20> cannot be held: UDP port 137 of 0\.0\.0\.0 cannot be bound \(EACCES\); .*setcap .*ip_unprivileged_port_start=137.*ListenDatagram=137.*--wins ADDRESS.*PORT_UNAVAILABLE.\n$/,
    )
    await nothingHeld('alpha', 'PAYROLL#20')
  })

  test('beside another name service: its own names are not taken from it, others are registered at the name server', async () => {
    await using other = await LabNode.start(lab, 'alpha', { wins: [wins] })
    await other.do('register', { name: 'BOX#20' })
    const own = await run('alpha', ['--hold-name', 'BOX', '--wins', wins])
    assert.deepEqual(
      [own.code, own.stderr],
      [75, 'nbtrun: the name BOX<20> is held by the name service of this machine; choose another name, or add --wait 10m to wait for it [NAME_HELD]\n'],
    )
    assert.match(await atWins('BOX#20'), new RegExp(`^${address('alpha')} BOX<20>$`, 'm'))
    const { code, stderr } = await run('alpha', ['--hold-name', 'PAYROLL', '--wins', wins])
    assert.equal(code, 0)
    assert.match(stderr, /^nbtrun: nobody defends PAYROLL<20>, .*EADDRINUSE.*nmbd.*\n$/)
    const without = await run('alpha', ['--hold-name', 'PAYROLL'])
    assert.equal(without.code, 125)
    assert.match(without.stderr, /PAYROLL<20> cannot be held: .*EADDRINUSE.*nmbd.*--wins ADDRESS/)
    await other.do('release', { name: 'BOX#20' })
  })

  test('an ordinary user with a socket that was handed down defends the name, and the program does not get the socket', async () => {
    const hand = `import os, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('', 137))
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.setgid(2001); os.setuid(2001)
os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))
os.execvp(sys.argv[1], sys.argv[1:])`
    const program = ['sh', '-c', 'ls -l /proc/self/fd/3 2>&1']
    // as root, with alice's folders: the socket is bound before she is who runs
    const env = clientEnv(lab.host('alpha'), 'alice')
    const all = words('alpha', ['--hold-name', 'PAYROLL'], program, 'alice')
    const { code, stdout, stderr } = await lab.run('alpha', ['python3', '-c', hand, ...all], { user: 'root', env, cwd: '/' })
    assert.deepEqual([code, stderr], [2, ''])
    assert.match(stdout, /No such file/)
    assert.deepEqual(
      receiptOf('alpha', 'alice').names.map(({ name, broadcast, defended }) => [name, broadcast, defended]),
      [['PAYROLL<20>', true, true]],
    )
    await nothingHeld('alpha', 'PAYROLL#20')
  })

  test('a name that somebody takes away: a warning in line and receipt, and the run goes on', async () => {
    await using held = await holding('alpha', ['--hold-name', 'PAYROLL'])
    await using beta = await LabNode.start(lab, 'beta')
    const said = once(held.child.stderr ?? process.stdin, 'data')
    await beta.do('conflict', { name: 'PAYROLL#20', text: address('alpha') })
    assert.match(String((await said)[0]), new RegExp(`^nbtrun: PAYROLL<20> was taken away by ${address('beta')}; whoever calls it now reaches another host\n$`))
    held.child.stdin?.end()
    assert.equal((await held.child).exitCode, 7)
    const { names, warnings } = receiptOf('alpha')
    assert.deepEqual([names[0]?.lost, warnings], [`PAYROLL<20> was taken away by ${address('beta')}`, [`PAYROLL<20> was taken away by ${address('beta')}`]])
    await nothingHeld('alpha', 'PAYROLL#20')
  })

  test('killed with -9: the next run of this host has the name at once, another host after the name server’s challenge', async () => {
    const first = await holding('alpha', ['--hold-name', 'LEDGER', '--wins', wins])
    await first.kill()
    assert.match(await atWins('LEDGER#20'), new RegExp(`^${address('alpha')} LEDGER<20>$`, 'm'))
    const again = await holding('alpha', ['--hold-name', 'LEDGER', '--wins', wins])
    await again.kill()
    const { receipt: step } = await nameStep('alpha', ['--hold-name', 'LEDGER', '--wins', wins])
    assert.ok(
      step.ok && step.ms < 4500, // a challenge takes longer than 5 s
      `${step.ms} ms`,
    )
    // that one gave it back: leave it behind once more
    const last = await holding('alpha', ['--hold-name', 'LEDGER', '--wins', wins])
    await last.kill()
    const other = await nameStep('beta', ['--hold-name', 'LEDGER', '--wins', wins])
    assert.ok(other.receipt.ok && other.receipt.ms > 5000 && other.receipt.ms < 60_000, `${other.receipt.ms} ms`)
    await nothingHeld('beta', 'LEDGER#20')
  })

  test('Q124565: 20 runs in a row, each called and sent datagrams before it ends, get the name at the first try', async () => {
    await using beta = await LabNode.start(lab, 'beta', { wins: [wins], nodeType: 'P', datagrams: true })
    for (let round = 0; round < 20; round++) {
      await using held = await holding('alpha', ['--hold-name', 'PAYROLL', '--wins', wins])
      for (const text of ['one', 'two']) await beta.do('send', { name: 'PAYROLL#20', text })
      if (round === 0) assert.equal(await call(address('alpha'), 'PAYROLL'), '8300000180')
      held.child.stdin?.end()
      const { exitCode, stderr } = await held.child
      assert.deepEqual([exitCode, stderr], [7, ''], `round ${round}`)
      assert.deepEqual(await beta.do('lookUp', { name: 'PAYROLL#20' }), [], `round ${round}`)
    }
    await nothingHeld('alpha', 'PAYROLL#20')
  })

  test('--wait: who waits for a name has it when its holder ends', async () => {
    await using held = await holding('beta', ['--hold-name', 'PAYROLL', '--wins', wins])
    const waiting = words('alpha', ['--hold-name', 'PAYROLL', '--wins', wins, '--wait', '100s', '--events', 'fd:1'])
    const child = lab.spawn('alpha', waiting, { user: 'root' })
    let events = ''
    const told = new Promise<void>(resolve =>
      child.stdout?.on('data', (text: Buffer) => ((events += String(text)).includes('"lack":"name"') ? resolve() : undefined)),
    )
    await Promise.race([told, child.then(({ stderr }) => assert.fail(`it has ended: ${String(stderr)}`))])
    held.child.stdin?.end()
    const [{ exitCode, stderr }] = await Promise.all([child, held.child])
    assert.equal(exitCode, 0, String(stderr))
    const { attempts, names } = receiptOf('alpha')
    assert.ok(attempts > 1)
    assert.deepEqual(
      names.map(({ name, lost }) => [name, lost]),
      [['PAYROLL<20>', null]],
    )
    await nothingHeld('alpha', 'PAYROLL#20')
  })

  test('a host with two addresses: found under both, refreshed, and given back for both', async () => {
    const second = address('alpha').replace(/\.\d+$/, '.201')
    await lab.run('alpha', ['ip', 'address', 'add', `${second}/24`, 'dev', 'eth0'], { user: 'root' })
    try {
      const capture = await lab.capture('alpha', 'udp port 137')
      await using held = await holding('alpha', ['--hold-name', 'PAYROLL', '--wins', wins])
      const found = await atWins('PAYROLL#20')
      for (const each of [address('alpha'), second]) assert.match(found, new RegExp(`^${each} PAYROLL<20>$`, 'm'))
      held.child.stdin?.end()
      await held.child
      const judgement = await judge(await capture.stop())
      assert.deepEqual([judgement.malformed(address('alpha')), judgement.malformed(second)], [[], []])
      assert.deepEqual(receiptOf('alpha').names[0]?.addresses, [address('alpha'), second])
      await nothingHeld('alpha', 'PAYROLL#20')
    } finally {
      await lab.run('alpha', ['ip', 'address', 'del', `${second}/24`, 'dev', 'eth0'], { user: 'root' })
    }
  })

  async function nameStep(client: string, options: readonly string[]) {
    const { code, stderr } = await run(client, options)
    assert.equal(code, 0, stderr)
    const receipt = receiptOf(client).steps.find(({ name }) => name.startsWith('name LEDGER'))
    assert.ok(receipt !== undefined)
    return { receipt }
  }
})
