import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { pause } from '../../src/base/time.ts'
import { enter } from './host.ts'
import { judge, type Lab, missing, startLab } from './index.ts'
import { LabNode } from './nbt-node.ts'
import { isAlive } from './processes.ts'
import { startDaemon } from './samba.ts'

/** No browser elections, so that <1d> is free. */
const QUIET = ['local master = no', 'preferred master = no', 'domain master = no']
const ALL = 'udp port 137 or udp port 138 or tcp port 139'

describe('names against nmbd and its tools', { skip: missing('lab', 'capture', 'nbtscan'), timeout: 110_000 }, () => {
  let lab: Lab
  let wins: string
  before(async () => {
    lab = await startLab({
      servers: { srv: { global: QUIET }, other: { global: QUIET } },
      clients: ['alpha', 'beta', 'gamma'],
      reachable: false,
    })
    wins = lab.server('srv').address
  })
  after(() => lab.dispose())

  const nmblookup = async (...words: string[]): Promise<string> => (await lab.run('gamma', ['nmblookup', ...words])).stdout
  const atWins = (name: string): Promise<string> => nmblookup('--recursion', `--unicast=${wins}`, name)
  const held = { code: 'NAME_HELD' }

  test('a name at nmbd: registered, seen by nmblookup, refreshed, released, gone; another host’s release changes nothing', async () => {
    const capture = await lab.capture('alpha', ALL)
    await using a = await LabNode.start(lab, 'alpha', { wins: [wins] })
    await using b = await LabNode.start(lab, 'beta', { wins: [wins] })
    const registration = await a.do<{ server: string; broadcast: boolean; ttl: number }>('register', { name: 'PAYROLL#20' })
    assert.deepEqual([registration.server, registration.broadcast, registration.ttl], [wins, false, 300_000])
    assert.match(await atWins('PAYROLL#20'), new RegExp(`^${a.address} PAYROLL<20>$`, 'm'))
    assert.equal(await a.do('refresh', { name: 'PAYROLL#20' }), 300_000)
    assert.deepEqual(await b.do('release another’s', { name: 'PAYROLL#20', text: wins }), [{ where: wins, outcome: 'not registered' }])
    assert.match(await atWins('PAYROLL#20'), new RegExp(`^${a.address} PAYROLL<20>$`, 'm'))
    assert.deepEqual(await b.do('lookUp', { name: 'PAYROLL#20' }), [a.address])
    const [released] = await a.do<{ outcome: string }[]>('release', { name: 'PAYROLL#20' })
    assert.match(released?.outcome ?? '', /^(released|not registered)$/)
    assert.match(await atWins('PAYROLL#20'), /name_query failed/)
    const { malformed } = await judge(await capture.stop())
    assert.deepEqual(malformed(a.address), [])
  })

  test('a unique name is refused where a group is, and a group where a unique name’s owner answers, behind a wait acknowledgement', async () => {
    await using a = await LabNode.start(lab, 'alpha', { wins: [wins] })
    await using b = await LabNode.start(lab, 'beta', { wins: [wins] })
    await assert.rejects(a.do('register', { name: 'LAB#00' }), held)
    await a.do('register', { name: 'BOX#20' })
    const capture = await lab.capture('beta', ALL)
    await assert.rejects(b.do('register', { name: 'BOX#20', group: true }), { code: 'NAME_HELD', message: `the name BOX<20> is held by ${a.address}` })
    await assert.rejects(b.do('register', { name: 'BOX#20' }), held)
    const { malformed } = await judge(await capture.stop())
    assert.deepEqual(malformed(b.address), [])
    await a.do('release', { name: 'BOX#20' })
    assert.equal((await b.do<{ server: string }>('register', { name: 'BOX#20' })).server, wins)
    await b.do('release', { name: 'BOX#20' })
  })

  test('the holder is killed: the same host gets the name at once, another after the name server’s challenge', async () => {
    const first = await LabNode.start(lab, 'alpha', { wins: [wins] })
    await first.do('register', { name: 'LEDGER#20' })
    await first.kill()
    const again = await LabNode.start(lab, 'alpha', { wins: [wins] })
    let began = performance.now()
    await again.do('register', { name: 'LEDGER#20' })
    assert.ok(performance.now() - began < 1000)
    await again.kill()
    await using b = await LabNode.start(lab, 'beta', { wins: [wins] })
    began = performance.now()
    await b.do('register', { name: 'LEDGER#20' })
    const took = performance.now() - began
    assert.ok(took > 5000 && took < 60_000, `${took} ms`)
    assert.match(await atWins('LEDGER#20'), new RegExp(`^${b.address} LEDGER<20>$`, 'm'))
    await b.do('release', { name: 'LEDGER#20' })
  })

  test('three broadcast nodes: claim, defence, conflict after a cut cable', async () => {
    await using a = await LabNode.start(lab, 'alpha')
    await using b = await LabNode.start(lab, 'beta')
    await using c = await LabNode.start(lab, 'gamma')
    const capture = await lab.capture('alpha', ALL)
    assert.deepEqual(await a.do('register', { name: 'CLAIM#20' }), { broadcast: true, ttl: 0 })
    await assert.rejects(b.do('register', { name: 'CLAIM#20' }), { code: 'NAME_HELD', message: `the name CLAIM<20> is held by ${a.address}` })
    lab.link('beta', 'down')
    await b.do('register', { name: 'CLAIM#20' })
    lab.link('beta', 'up')
    const [winner] = await c.do<string[]>('lookUp', { name: 'CLAIM#20' })
    const loser = winner === a.address ? b : a
    for (let i = 0; i < 100 && (await loser.do('state', { name: 'CLAIM#20' })) !== 'conflict'; i++) await pause(20)
    assert.equal(await loser.do('state', { name: 'CLAIM#20' }), 'conflict')
    assert.equal(await (loser === a ? b : a).do('state', { name: 'CLAIM#20' }), 'active')
    assert.deepEqual(await c.do('lookUp', { name: 'CLAIM#20' }), [winner])
    const { malformed } = await judge(await capture.stop())
    assert.deepEqual([malformed(a.address), malformed(b.address), malformed(c.address)], [[], [], []])
  })

  test('nmblookup and nbtscan list our names, nmblookup finds one by broadcast, smbclient gets a session', async () => {
    await using a = await LabNode.start(lab, 'alpha', { sessions: true, datagrams: true })
    const capture = await lab.capture('alpha', ALL)
    await a.do('register', { name: 'PAYROLL#20' })
    await a.do('register', { name: 'PAYROLL#00' })
    await a.do('register', { name: 'OURGROUP#00', group: true })
    const status = await nmblookup('-A', a.address)
    for (const line of [/PAYROLL\s+<20> -\s+B <ACTIVE>/, /PAYROLL\s+<00> -\s+B <ACTIVE>/, /OURGROUP\s+<00> - <GROUP>\s+B <ACTIVE>/]) assert.match(status, line)
    const scan = await lab.run('gamma', ['nbtscan', '-v', '-s', ':', a.address])
    for (const line of [/PAYROLL\s*:20U/, /PAYROLL\s*:00U/, /OURGROUP\s*:00G/]) assert.match(scan.stdout, line)
    const broadcast = a.address.replace(/\.\d+$/, '.255')
    assert.match(await nmblookup(`--broadcast=${broadcast}`, 'PAYROLL#20'), new RegExp(`^${a.address} PAYROLL<20>$`, 'm'))
    const smbclient = ['smbclient', '-p', '139', '-I', a.address, '-N', '-L', 'PAYROLL']
    assert.notEqual((await lab.run('gamma', smbclient)).code, 0)
    await a.do('listen', { name: 'PAYROLL#20' })
    await lab.run('gamma', smbclient)
    const heard = await a.do<string[]>('heard', { name: 'PAYROLL#20' })
    assert.equal(heard[0], `session from GAMMA<00> at ${lab.host('gamma').address}`)
    assert.match(heard[1] ?? '', /^.SMB$/)
    const { malformed, streams } = await judge(await capture.stop())
    assert.deepEqual(malformed(a.address), [])
    const answers = streams.map(({ sessionService }) => sessionService.join())
    assert.ok(answers.includes('request,negative') && answers.includes('request,positive'), answers.join(' '))
  })

  test('datagrams between two nodes, and nmbd’s announcement to a listener on <1d>', async () => {
    await using a = await LabNode.start(lab, 'alpha', { datagrams: true })
    await using b = await LabNode.start(lab, 'beta', { datagrams: true })
    const capture = await lab.capture('alpha', ALL)
    await a.do('register', { name: 'BOX#20' })
    await a.do('listen', { name: 'BOX#20' })
    await b.do('send', { name: 'BOX#20', text: 'x'.repeat(2000) })
    await b.do('send', { name: 'BOX#20', text: 'short' })
    const until = async (name: string, done: (heard: string[]) => boolean, ms: number): Promise<string[]> => {
      for (const began = performance.now(); ; await pause(50)) {
        const heard = await a.do<string[]>('heard', { name })
        if (done(heard) || performance.now() - began > ms) return heard
      }
    }
    const heard = await until('BOX#20', list => list.length === 2, 5000)
    assert.deepEqual(
      heard.map(text => text.length),
      [`unique from SENDER<00>: `.length + 2000, `unique from SENDER<00>: short`.length],
    )
    const { malformed } = await judge(await capture.stop())
    assert.deepEqual(malformed(b.address), [])

    // nmbd announces its host when it starts
    const other = lab.host('other')
    await a.do('register', { name: 'LAB#1d' })
    await a.do('listen', { name: 'LAB#1d' })
    assert.ok(other.daemons !== undefined)
    process.kill(other.daemons.nmbd.pid, 'SIGKILL')
    while (isAlive(other.daemons.nmbd)) await pause(5)
    const nmbd = startDaemon(enter(other), 'nmbd', other.folder)
    try {
      const announced = await until('LAB#1d', list => list.some(text => text.includes('MAILSLOT')), 60_000)
      assert.match(announced.join('\n'), /^(group|unique) from OTHER<00>: .*\\MAILSLOT\\BROWSE/ms)
    } finally {
      process.kill(nmbd.pid, 'SIGKILL')
    }
  })
})
