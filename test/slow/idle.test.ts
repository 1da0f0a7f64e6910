// The server closes what idles for a minute, by its own clock.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pause } from '../../src/base/time.ts'
import { startLab } from '../lab/index.ts'
import { noMapping, nothingLeft } from '../lab/nbtrun.ts'
import { Puppet, Witness } from '../story/puppet.ts'

test('deadtime = 1: the program sleeps 150 s, then reads and writes, and the server never had two sessions', {
  skip: noMapping,
  timeout: 300_000,
}, async () => {
  await using lab = await startLab({ servers: { srv: { global: ['deadtime = 1'] }, srv2: {} } })
  await using puppet = await Puppet.start(lab)
  const witness = new Witness(lab)
  assert.equal(await puppet.ask("write('note', 'before')"), 'written')
  puppet.tell('time.sleep(150)')
  await pause(145_000)
  assert.deepEqual(await lab.server().sessions(), [], 'the server has closed it, ECHO or not')
  assert.equal(await puppet.said(), 'None')
  assert.equal(await puppet.ask("[read('note'), write('note', 'after'), read('note')]"), "['before', 'written', 'after']")
  const { stderr, receipt } = await puppet.end()
  assert.equal(await witness.neverTwo(), 2)
  assert.deepEqual([stderr, receipt.reconnects, receipt.end], ['', 1, 'acknowledged'])
  await nothingLeft(lab)
})
