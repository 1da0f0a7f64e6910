import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Held } from '../../../../src/mapping/windows/held.ts'
import { WindowsError } from '../../../../src/mapping/windows/network.ts'
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

test('of two that end at once one gives it back, however they interleave', async () => {
  for (let i = 0; i < 20; i++) {
    const [windows, machine] = [new Workstation(), new Machine()]
    const [one, two] = [await Held.take(windows, machine.book('1'), IPC, undefined), await Held.take(windows, machine.book('2'), IPC, undefined)]
    windows.slowly = () => new Promise(resolve => setTimeout(resolve, Math.random() * 3))
    const how = await Promise.all([one.end({ force: true }), two.end({ force: true })])
    assert.deepEqual([how.sort(), await windows.connections()], [['cancelled', 'left to another run'], []])
  }
})

test('one that begins while another ends has its connection, or makes it anew', async () => {
  for (let i = 0; i < 20; i++) {
    const [windows, machine] = [new Workstation(), new Machine()]
    const ending = await Held.take(windows, machine.book('1'), IPC, undefined)
    windows.slowly = () => new Promise(resolve => setTimeout(resolve, Math.random() * 3))
    const [held] = await Promise.all([Held.take(windows, machine.book('2'), IPC, undefined), ending.end({ force: true })])
    assert.equal((await windows.connections()).length, 1, 'it was not taken away from who had just begun')
    assert.equal(await held.end({ force: true }), 'cancelled')
    assert.deepEqual(await windows.connections(), [])
  }
})

test('what was left to a run that is then refused is given back by it', async () => {
  const [windows, machine] = [new Workstation(), new Machine()]
  const ending = await Held.take(windows, machine.book('1'), IPC, undefined)
  let how: string | undefined
  let refuse = (): void => {}
  windows.connect = async () => {
    how = await ending.end({ force: true }) // while the other one is being connected
    refuse()
  }
  refuse = () => {
    throw new WindowsError(1219, 'WNetAddConnection2')
  }
  await assert.rejects(Held.take(windows, machine.book('2'), IPC, undefined), WindowsError)
  assert.equal(how, 'left to another run')
  assert.deepEqual([await windows.connections(), machine.lines.get('2')?.size], [[], 0])
})

test('a run inherits what a dead one made and was not given back', async () => {
  const [windows, machine] = [new Workstation(), new Machine()]
  await Held.take(windows, machine.book('1'), IPC, undefined)
  machine.dead.add('1')
  const held = await Held.take(windows, machine.book('2'), IPC, undefined)
  assert.equal(held.made, machine.lines.get('1')?.get(' \\\\srv\\IPC$'), 'it is as old as that')
  assert.equal(await held.end({ force: true }), 'cancelled')
  assert.deepEqual(await windows.connections(), [])
})

test("a letter that is there is somebody else's: nothing is written down that could take it away from them", async () => {
  const [windows, machine] = [new Workstation(), new Machine()]
  const connection = { device: 'P:', remote: '\\\\srv\\app' }
  await windows.connect(connection)
  const book = machine.book('1')
  const written: unknown[] = []
  await assert.rejects(Held.take(windows, { ...book, taking: (...words) => void written.push(words) }, connection, undefined), { number: 85 })
  assert.deepEqual([written, (await windows.connections()).length], [[], 1])
})
