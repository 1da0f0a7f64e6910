import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { judge, type Lab, missing, startLab } from './index.ts'
import { LabNode, nmblookup, QUIET } from './nbt-node.ts'

const ALL = 'udp port 137 or udp port 138 or tcp port 139'

describe('names at nmbd as name server', { skip: missing('lab', 'capture'), timeout: 800_000 }, () => {
  let lab: Lab
  let wins: string
  before(async () => {
    lab = await startLab({ servers: { srv: { global: QUIET } }, clients: ['alpha', 'beta', 'gamma'], reachable: false })
    wins = lab.server('srv').address
  })
  after(() => lab.dispose())

  const atWins = (name: string): Promise<string> => nmblookup(lab, '--recursion', `--unicast=${wins}`, name)
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
    const judgement = await judge(await capture.stop())
    assert.deepEqual(judgement.malformed(a.address), [])
  })

  test('a unique name is refused where a group is, and a group where a unique name’s owner answers, behind a wait acknowledgement', async () => {
    await using a = await LabNode.start(lab, 'alpha', { wins: [wins] })
    await using b = await LabNode.start(lab, 'beta', { wins: [wins] })
    await assert.rejects(a.do('register', { name: 'LAB#00' }), held)
    await a.do('register', { name: 'BOX#20' })
    const capture = await lab.capture('beta', ALL)
    await assert.rejects(b.do('register', { name: 'BOX#20', group: true }), { code: 'NAME_HELD', message: `the name BOX<20> is held by ${a.address}` })
    await assert.rejects(b.do('register', { name: 'BOX#20' }), held)
    const judgement = await judge(await capture.stop())
    assert.deepEqual(judgement.malformed(b.address), [])
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
    assert.ok(performance.now() - began < 4500) // a challenge takes longer than 5 s
    await again.kill()
    await using b = await LabNode.start(lab, 'beta', { wins: [wins] })
    began = performance.now()
    await b.do('register', { name: 'LEDGER#20' })
    const took = performance.now() - began
    assert.ok(took > 5000 && took < 60_000, `${took} ms`)
    assert.match(await atWins('LEDGER#20'), new RegExp(`^${b.address} LEDGER<20>$`, 'm'))
    await b.do('release', { name: 'LEDGER#20' })
  })

  test('Q124565 with real processes: datagrams, then delete, then at once the same name again, 20 times and by a new process', async () => {
    const options = { wins: [wins], nodeType: 'M', datagrams: true, times: { broadcastMs: 20 } } as const
    await using beta = await LabNode.start(lab, 'beta', { ...options, nodeType: 'P' })
    for (const rounds of [20, 1]) {
      await using alpha = await LabNode.start(lab, 'alpha', options)
      for (let round = 0; round < rounds; round++) {
        const { server, broadcast } = await alpha.do<{ server: string; broadcast: boolean }>('register', { name: 'PAYROLL#20' })
        assert.deepEqual([server, broadcast], [wins, true])
        await alpha.do('listen', { name: 'PAYROLL#20' })
        await beta.do('send', { name: 'PAYROLL#20', text: 'hello' })
        await alpha.until('PAYROLL#20', heard => heard.length === 1)
        const released = await alpha.do<{ where: string; outcome: string }[]>('release', { name: 'PAYROLL#20' })
        assert.equal(released[0]?.where, wins)
        assert.match(released[0].outcome, /^(released|not registered)$/)
        assert.deepEqual([await alpha.do('view'), await beta.do('lookUp', { name: 'PAYROLL#20' })], [[], []], `round ${round}`)
      }
    }
  })

  for (const [title, nodeType] of [
    ['at the name server', 'P'],
    ['by broadcast', 'B'],
  ] as const) {
    test(`Q124565 with real processes, ${title}: deleted with a session open, free with its end, 20 times`, async () => {
      const options = { ...(nodeType === 'P' ? { wins: [wins] } : {}), nodeType, datagrams: true, times: { broadcastMs: 20 } } as const
      await using alpha = await LabNode.start(lab, 'alpha', { ...options, sessions: true })
      await using beta = await LabNode.start(lab, 'beta', options)
      for (let round = 0; round < 20; round++) {
        await alpha.do('register', { name: 'PAYROLL#20' })
        await alpha.do('listen', { name: 'PAYROLL#20' })
        await beta.do('send', { name: 'PAYROLL#20', text: 'hello' })
        await beta.do('call', { name: 'PAYROLL#20', text: alpha.address })
        await alpha.until('PAYROLL#20', heard => heard.length === 2)
        const released = alpha.do('release', { name: 'PAYROLL#20' })
        const [view] = await alpha.do<{ deleted: boolean; references: { holder: string }[] }[]>('view')
        assert.deepEqual([view?.deleted, view?.references.length], [true, 1], `round ${round}`)
        assert.match(view?.references[0]?.holder ?? '', new RegExp(`^session from CALLER<00> at ${beta.address}:`))
        assert.deepEqual(await beta.do('lookUp', { name: 'PAYROLL#20' }), [alpha.address], 'still ours')
        await beta.do('hang up')
        await released
        assert.deepEqual([await alpha.do('view'), await beta.do('lookUp', { name: 'PAYROLL#20' })], [[], []], `round ${round}`)
      }
    })
  }
})
