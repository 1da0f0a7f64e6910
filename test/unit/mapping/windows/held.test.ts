import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Held } from '../../../../src/mapping/windows/held.ts'
import { Machine, Workstation } from './workstation.ts'

const IPC = { device: '', remote: '\\\\srv\\IPC$' }

test('of several runs the last one ends IPC$, also where Windows counts how often it was connected', async () => {
  const [windows, machine] = [new Workstation(), new Machine()]
  const [one, two, three] = [machine.book('1'), machine.book('2'), machine.book('3')]
  const first = await Held.take(windows, one, IPC, undefined)
  const second = await Held.take(windows, two, IPC, undefined)
  assert.equal(await first.end({ force: false }), 'left to another run')
  const third = await Held.take(windows, three, IPC, undefined)
  assert.equal(await second.end({ force: false }), 'left to another run')
  assert.equal((await windows.connections()).length, 1)
  assert.equal(await third.end({ force: false }), 'cancelled')
  assert.deepEqual(await windows.connections(), [])
  assert.deepEqual(
    [...machine.lines.values()].map(lines => lines.size),
    [0, 0, 0],
  )
})

test('a connection that was there before nbtrun stays', async () => {
  const [windows, machine] = [new Workstation(), new Machine()]
  await windows.connect(IPC)
  const held = await Held.take(windows, machine.book('1'), { ...IPC, remote: '\\\\SRV\\ipc$' }, undefined)
  assert.equal(await held.end({ force: false }), 'was there before')
  assert.equal(
    (await windows.connections()).some(({ remote }) => remote === IPC.remote),
    true,
  )
})

test('open files are waited for; a hurried end does not wait, and by force nothing does', async () => {
  const [windows, machine] = [new Workstation(), new Machine()]
  const book = machine.book('1')
  const connection = { device: 'P:', remote: '\\\\srv\\app' }
  const patient = await Held.take(windows, book, connection, undefined)
  windows.inUse = 2
  assert.equal(await patient.end({ force: false }), 'cancelled')
  assert.equal(windows.inUse, 0)

  const hurried = await Held.take(windows, book, connection, undefined)
  windows.inUse = Number.POSITIVE_INFINITY
  await assert.rejects(hurried.end({ force: false, hurried: AbortSignal.abort() }), {
    code: 'TEARDOWN_FAILED',
    message: /^P: is in use: .* net use P: \/delete$/,
  })
  assert.equal(machine.lines.get('1')?.size, 1, 'what is left stays written down')
  assert.equal(await hurried.end({ force: true }), 'cancelled')
  assert.equal(machine.lines.get('1')?.size, 0)
})
