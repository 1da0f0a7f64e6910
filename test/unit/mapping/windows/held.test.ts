import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Book, Held } from '../../../../src/mapping/windows/held.ts'
import { type Connection, type Network, WindowsError } from '../../../../src/mapping/windows/network.ts'

/** A peer in place of Windows: connections without a letter are counted, as LanmanWorkstation does. */
class Workstation implements Network {
  readonly way = 'wnet'
  readonly counts = new Map<string, number>()
  /** So many tries to end one find files open. */
  inUse = 0
  async connect({ device, remote }: Connection): Promise<void> {
    const key = `${device} ${remote}`
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1)
  }
  async cancel({ device, remote }: Connection, force: boolean): Promise<void> {
    if (this.inUse > 0 && !force) {
      this.inUse--
      throw new WindowsError(2401, 'WNetCancelConnection2')
    }
    const key = `${device} ${remote}`
    const left = (this.counts.get(key) ?? 0) - 1
    if (left > 0) this.counts.set(key, left)
    else this.counts.delete(key)
  }
  async connections(): Promise<readonly Connection[]> {
    return [...this.counts.keys()].map(key => ({ device: key.slice(0, key.indexOf(' ')), remote: key.slice(key.indexOf(' ') + 1) }))
  }
}

/** The journals of some runs on one machine. */
class Machine {
  readonly lines = new Map<string, Map<string, boolean>>()
  book(run: string): Book {
    const own = new Map<string, boolean>()
    this.lines.set(run, own)
    const key = ({ device, remote }: Connection): string => `${device} ${remote}`
    return {
      taking: (connection, made) => void own.set(key(connection), made),
      gone: connection => void own.delete(key(connection)),
      others: connection => {
        const made = [...this.lines].filter(([other]) => other !== run).flatMap(([, lines]) => lines.get(key(connection)) ?? [])
        return made.length === 0 ? 'nobody' : made.includes(true) ? 'made' : 'used'
      },
    }
  }
}

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
