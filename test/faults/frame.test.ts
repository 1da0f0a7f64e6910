// The fault matrix itself: a round that was not at its place is void, what is left is seen, a few of its cells are green.
import assert from 'node:assert/strict'
import { mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { type Lab, useLab } from '../lab/index.ts'
import { journalOf } from '../lab/journal.ts'
import { noMapping } from '../lab/nbtrun.ts'
import { FAULTS, type FaultName, impossible } from './faults.ts'
import { judgeEnd, judgeLeft } from './judge.ts'
import { type Place, PLACES, type PlaceName } from './places.ts'
import { nth } from './relay.ts'
import { playRound } from './round.ts'
import { count, isOver, legend, table, tell, uncounted } from './table.ts'
import { WAYS } from './ways.ts'

const WAY = WAYS.b2

describe('the fault matrix', { skip: noMapping, timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })

  for (const [why, place, says] of [
    [
      'whose packet never comes',
      { ...PLACES.login, holds: () => nth('OPLOCK_BREAK', 1) },
      /^the run was never there: nothing was held, told were .*returned$/m,
    ],
    ['of which its events tell more', { ...PLACES.spawn, holds: () => nth('LOGOFF', 1) }, /^the run was further than that: told were .*quit$/m],
  ] satisfies [string, Place, RegExp][])
    test(`a place ${why} is void`, async () => {
      const { result, why: told } = await playRound(lab, { place, fault: FAULTS.TERM, way: WAY }, 0)
      assert.equal(result, 'void', told)
      assert.match(told, says)
      await lab.reset() // the run was killed
    })

  for (const [place, fault, why] of [
    ['connect', 'RST', /nothing happened to the run: there was no connection$/m],
    ['idle', 'fds', /nothing happened to the run: nbtrun asked for no descriptor any more$/m],
  ] satisfies [PlaceName, FaultName, RegExp][])
    test(`a fault that has no effect is void: ${place} × ${fault}`, async () => {
      assert.notEqual(impossible(PLACES[place], FAULTS[fault], WAY), undefined)
      const { result, why: told } = await playRound(lab, { place: PLACES[place], fault: FAULTS[fault], way: WAY }, 0)
      assert.equal(result, 'void', told)
      assert.match(told, why)
    })

  test('another end than the documented one is told, and more words than one line', () => {
    const expected = FAULTS.TERM.expected(PLACES.login, WAY)
    const said = 'nbtrun: cancelled by SIGTERM\n'
    assert.deepEqual(judgeEnd({ end: 143, stderr: said, events: [] }, expected), [])
    assert.match(judgeEnd({ end: 125, stderr: said, events: [] }, expected).join(), /^it ended with 125, not 143/)
    assert.match(judgeEnd({ end: 143, stderr: `${said}${said}`, events: [] }, expected).join(), /^it said /)
  })

  test('a folder that is left is told', async () => {
    const left = join(lab.host('client1').folder, 'run', 'alice', 'nbtrun')
    mkdirSync(left)
    try {
      const ended = { end: 0, stderr: '', events: [] }
      const target = [`//${lab.server().address}`]
      const complaints = await judgeLeft(lab, { ended, user: 'alice', target, expected: FAULTS.TERM.expected(PLACES.io, WAY), settleMs: 0 })
      assert.match(complaints.join('\n'), /^its end is not told[\s\S]*^left here[^:]*: runtime folder of alice/m)
    } finally {
      rmdirSync(left)
    }
  })

  test('what is left is red and told, also where nothing happened to the run', async () => {
    const left = join(journalOf(lab, 'client1', 'alice'), 'stranger')
    writeFileSync(left, 'of nobody')
    try {
      const { result, why } = await playRound(lab, { place: PLACES.idle, fault: FAULTS.fds, way: WAY }, 0)
      assert.equal(result, 'red', why)
      assert.match(why, /^nothing happened to the run: [^\n]+\nleft in the journal: [\s\S]*\nleft here in the end: [\s\S]*\nof nobody$/)
    } finally {
      rmSync(left)
    }
  })

  for (const [place, fault] of [
    ['login', 'TERM'],
    ['tree', 'fds'],
    ['io', 'crash'],
    ['unmap', 'KILL'],
    ['logoff', 'RST'],
    ['logoff', 'disk'],
    ['io', 'full'],
  ] satisfies [PlaceName, FaultName][])
    test(`${place} × ${fault}`, async () => {
      assert.deepEqual(await playRound(lab, { place: PLACES[place], fault: FAULTS[fault], way: WAY }, 0), { result: 'green', why: '' })
    })
})

test('its table: what was red is red, what cannot be has its reason', () => {
  assert.equal(impossible(PLACES.login, FAULTS.crash, WAY), 'there is no program yet')
  const green = count(uncounted(1), { result: 'green', why: '' })
  const red = count(count(green, { result: 'void', why: 'elsewhere' }), { result: 'red', why: 'left' })
  assert.deepEqual([tell(green), tell(red), red.why], ['ok', 'RED 1/3', 'left'])
  assert.equal(
    table(['login', 'io'], ['TERM', 'crash'], 'b2', (place, fault) => (place === 'login' ? green : fault === 'crash' ? red : undefined)),
    ['b2     login  io', 'TERM   ok', 'crash  –      RED 1/3'].join('\n'),
  )
  assert.match(legend(['login', 'io'], ['TERM', 'crash'], ['b2']), /\n\n–  there is no program yet: crash at login$/)
})

test('a void round is played again, as often as a cell has others', () => {
  const played = (...results: ('green' | 'red' | 'void')[]) => results.reduce((so, result) => count(so, { result, why: '' }), uncounted(2))
  const cells = [
    played('green'),
    played('void', 'green', 'green'),
    played('void', 'void', 'green'),
    played('void', 'void', 'void'),
    played('void', 'red', 'green'),
  ]
  assert.deepEqual(cells.map(isOver), [false, true, false, true, true])
  assert.deepEqual(cells.map(tell), ['void 0/1', 'ok', 'void 2/3', 'void 3/3', 'RED 1/3'])
})
