import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { pause } from '../../src/base/time.ts'
import { enter } from './host.ts'
import { judge, type Lab, missing, startLab } from './index.ts'
import { LabNode, nmblookup, QUIET } from './nbt-node.ts'
import { isAlive } from './processes.ts'
import { startDaemon } from './samba.ts'

const ALL = 'udp port 137 or udp port 138 or tcp port 139'

describe('names by broadcast, and clients that others wrote', { skip: missing('lab', 'capture', 'nbtscan'), timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await startLab({ servers: { srv: { global: QUIET } }, clients: ['alpha', 'beta', 'gamma'], reachable: false })
  })
  after(() => lab.dispose())

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
    // on a busy machine one of the two may answer when nobody listens any more
    const states = (): Promise<string[]> => Promise.all([a, b].map(node => node.do<string>('state', { name: 'CLAIM#20' })))
    let winner: string | undefined
    for (let tries = 0; tries < 10 && !(await states()).includes('conflict'); tries++) {
      ;[winner] = await c.do<string[]>('lookUp', { name: 'CLAIM#20' })
      for (let i = 0; i < 100 && !(await states()).includes('conflict'); i++) await pause(20)
    }
    const loser = winner === a.address ? b : a
    assert.equal(await loser.do('state', { name: 'CLAIM#20' }), 'conflict')
    assert.equal(await (loser === a ? b : a).do('state', { name: 'CLAIM#20' }), 'active')
    assert.deepEqual(await c.do('lookUp', { name: 'CLAIM#20' }), [winner])
    const judgement = await judge(await capture.stop())
    assert.deepEqual([judgement.malformed(a.address), judgement.malformed(b.address), judgement.malformed(c.address)], [[], [], []])
  })

  test('nmblookup and nbtscan list our names, nmblookup finds one by broadcast, smbclient gets a session', async () => {
    await using a = await LabNode.start(lab, 'alpha', { sessions: true, datagrams: true })
    const capture = await lab.capture('alpha', ALL)
    await a.do('register', { name: 'PAYROLL#20' })
    await a.do('register', { name: 'PAYROLL#00' })
    await a.do('register', { name: 'OURGROUP#00', group: true })
    const status = await nmblookup(lab, '-A', a.address)
    for (const line of [/PAYROLL\s+<20> -\s+B <ACTIVE>/, /PAYROLL\s+<00> -\s+B <ACTIVE>/, /OURGROUP\s+<00> - <GROUP>\s+B <ACTIVE>/]) assert.match(status, line)
    const scan = await lab.run('gamma', ['nbtscan', '-v', '-s', ':', a.address])
    for (const line of [/PAYROLL\s*:20U/, /PAYROLL\s*:00U/, /OURGROUP\s*:00G/]) assert.match(scan.stdout, line)
    const broadcast = a.address.replace(/\.\d+$/, '.255')
    assert.match(await nmblookup(lab, `--broadcast=${broadcast}`, 'PAYROLL#20'), new RegExp(`^${a.address} PAYROLL<20>$`, 'm'))
    const smbclient = ['smbclient', '-p', '139', '-I', a.address, '-N', '-L', 'PAYROLL']
    assert.notEqual((await lab.run('gamma', smbclient)).code, 0)
    await a.do('listen', { name: 'PAYROLL#20' })
    await lab.run('gamma', smbclient)
    const heard = await a.do<string[]>('heard', { name: 'PAYROLL#20' })
    assert.equal(heard[0], `session from GAMMA<00> at ${lab.host('gamma').address}`)
    assert.match(heard[1] ?? '', /^.SMB$/)
    const judgement = await judge(await capture.stop())
    assert.deepEqual(judgement.malformed(a.address), [])
    const answers = judgement.streams.map(({ sessionService }) => sessionService.join())
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
    const heard = await a.until('BOX#20', list => list.length === 2)
    assert.deepEqual(
      heard.map(text => text.length),
      [`unique from SENDER<00>: `.length + 2000, `unique from SENDER<00>: short`.length],
    )
    const judgement = await judge(await capture.stop())
    assert.deepEqual(judgement.malformed(b.address), [])

    // nmbd announces its host when it starts
    const other = lab.host('srv')
    await a.do('register', { name: 'LAB#1d' })
    await a.do('listen', { name: 'LAB#1d' })
    assert.ok(other.daemons !== undefined)
    process.kill(other.daemons.nmbd.pid, 'SIGKILL')
    while (isAlive(other.daemons.nmbd)) await pause(5)
    const nmbd = startDaemon(enter(other), 'nmbd', other.folder)
    try {
      const announced = await a.until('LAB#1d', list => list.some(text => text.includes('MAILSLOT')), 60_000)
      assert.match(announced.join('\n'), /^(group|unique) from SRV<00>: .*\\MAILSLOT\\BROWSE/ms)
    } finally {
      process.kill(nmbd.pid, 'SIGKILL')
    }
  })
})
