import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { isPrivate, makePrivate, queueFolders, ticketsIn } from '../../../src/seat/folder.ts'
import { isOwnFolder } from '../../../src/seat/ground.ts'
import { tellFree } from '../../../src/seat/free.ts'
import { sweepLines } from '../../../src/seat/sweep.ts'
import { Ticket } from '../../../src/seat/ticket.ts'

let base: string
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'nbtrun-seat-'))
})
afterEach(() => {
  for (const ticket of taken.splice(0)) ticket.leave() // a test that failed kept it
  rmSync(base, { recursive: true })
})

const folder = (): string => join(base, 'nbtrun', 'seats-0123456789ab')
const never = new AbortController().signal
const taken: Ticket[] = []
async function take(): Promise<Ticket> {
  const ticket = await Ticket.take(folder())
  assert.ok(ticket !== undefined)
  taken.push(ticket)
  return ticket
}

test('the line moves in order of arrival, one at a time, and its folders go with the last', async () => {
  const tickets: Ticket[] = []
  for (let i = 0; i < 20; i++) tickets.push(await take())
  const order: number[] = []
  let inside = 0
  await Promise.all(
    tickets.map(async (ticket, i) => {
      assert.equal(await ticket.first(never), true)
      assert.equal(++inside, 1)
      order.push(i)
      await new Promise(setImmediate)
      inside--
      ticket.leave()
    }),
  )
  assert.deepEqual(order, [...tickets.keys()])
  assert.deepEqual(readdirSync(base), [])
})

test('many who come at once are each alone when it is their turn', async () => {
  let inside = 0
  let done = 0
  await Promise.all(
    Array.from({ length: 50 }, async () => {
      const ticket = await take()
      assert.equal(await ticket.first(never), true)
      assert.equal(++inside, 1)
      await new Promise(resolve => setTimeout(resolve, 2))
      inside--
      ticket.leave()
      done++
    }),
  )
  assert.equal(done, 50)
  assert.deepEqual(readdirSync(base), [])
})

test('each knows its place and what the first one waits for', async () => {
  const [one, two, three] = [await take(), await take(), await take()]
  const heard: string[] = []
  const third = new Promise<void>(resolve => {
    three.moved = ({ place, lack }) => {
      heard.push(`${place} ${lack}`)
      if (place === 1) resolve()
    }
  })
  const firsts = [one.first(never), two.first(never), three.first(never)]
  await firsts[0]
  one.lack = 'seat'
  while (!heard.includes('3 seat')) await new Promise(resolve => setTimeout(resolve, 5))
  one.leave()
  await firsts[1]
  while (!heard.includes('2 seat')) await new Promise(resolve => setTimeout(resolve, 5)) // it looks now and then
  two.leave()
  await Promise.all([firsts[2], third])
  assert.equal(heard.at(-1), '1 seat')
  assert.ok(heard.includes('2 seat'), heard.join(', '))
  three.leave()
})

test('a run that gives a seat back wakes the first in line, and makes no folder where nobody waits', async () => {
  await tellFree(folder())
  assert.equal(existsSync(folder()), false)
  const [one, two] = [await take(), await take()]
  const freed = new Promise<void>(resolve => {
    one.freed = resolve
  })
  two.freed = () => assert.fail('the second is not to be woken')
  await tellFree(folder())
  await freed
  one.leave()
  two.leave()
})

test('the ticket of a killed process is nobody’s', async () => {
  const file = JSON.stringify(new URL('../../../src/seat/ticket.ts', import.meta.url).href)
  const code = `import { Ticket } from ${file}\nconst ticket = await Ticket.take(process.argv[1])\nawait ticket.first(new AbortController().signal)\nconsole.log('first')`
  const other = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code, folder()], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(other.stdout, 'data')
  const mine = await take()
  const turn = mine.first(never)
  other.kill('SIGKILL')
  assert.equal(await turn, true)
  assert.equal(ticketsIn(folder()).length, 1)
  mine.leave()
  assert.deepEqual(readdirSync(base), [])
})

test('what a killed one left is swept away by the next run that gives a seat back', async () => {
  mkdirSync(folder(), { recursive: true })
  for (const name of ['1-00000000', '2-00000000']) writeFileSync(join(folder(), name), '') // a socket without a listener is no more than that
  await tellFree(folder())
  assert.deepEqual(readdirSync(base), [])
})

test('who is called off while others are ahead was not the first', async () => {
  const one = await take()
  const two = await take()
  const off = new AbortController()
  const turn = two.first(off.signal)
  off.abort()
  assert.equal(await turn, false)
  two.leave()
  one.leave()
})

test('a folder that others may write to, of another kind, or out of reach is no place for a line', async () => {
  mkdirSync(folder(), { recursive: true })
  chmodSync(folder(), 0o777)
  assert.equal(makePrivate(folder()), false)
  assert.equal(await Ticket.take(folder()), undefined)
  rmSync(folder(), { recursive: true })
  mkdirSync(join(base, 'elsewhere'))
  symlinkSync(join(base, 'elsewhere'), folder())
  assert.equal(isPrivate(folder()), false)
  rmSync(folder())
  writeFileSync(folder(), '')
  assert.equal(await Ticket.take(folder()), undefined)
  rmSync(folder())
})

test('names of server and share are told apart whatever their case, no path is too long for a socket, and a runtime folder is the own one', () => {
  const line = (server: string, share: string): string | undefined => queueFolders(server, share, '/run/user/1')[0]
  assert.equal(line('SRV', 'Cad'), line('srv', 'cad'))
  assert.notEqual(line('srv', 'cad'), line('srv', 'app'))
  assert.notEqual(line('srv', 'cad'), line('srv.lab', 'cad')) // as it is written: who knows whether that is the same server
  const [long, open] = [join(base, 'x'.repeat(80)), join(base, 'open')]
  for (const each of [long, open]) mkdirSync(each)
  chmodSync(open, 0o777)
  assert.equal(queueFolders('srv', 'cad', long).length, 1)
  const [inBase = '', temporary = ''] = queueFolders('srv', 'cad', base)
  assert.equal(dirname(inBase), join(base, 'nbtrun'))
  const ofUser = `/run/user/${process.getuid?.()}`
  const without = [...(isOwnFolder(ofUser) ? [join(ofUser, 'nbtrun', basename(inBase))] : []), temporary]
  for (const runtime of [undefined, '', 'relative', open, join(base, 'missing')]) assert.deepEqual(queueFolders('srv', 'cad', runtime), without)
})

test('a sweep takes away the tickets of the dead, and folders in which nobody stands; the living keep their place and hear nothing of it', async () => {
  const other = join(base, 'nbtrun', 'seats-abcdefabcdef')
  const stranger = join(base, 'nbtrun', 'seats-of-others')
  mkdirSync(stranger, { recursive: true, mode: 0o700 })
  const script = `
    const { createServer } = require('net')
    const paths = process.argv.slice(1)
    Promise.all(paths.map(path => new Promise(done => createServer().listen(path, done)))).then(() => process.kill(process.pid, 'SIGKILL'))`
  for (const each of [folder(), other, stranger]) {
    mkdirSync(each, { recursive: true, mode: 0o700 })
    // names of whoever died while it waited, and while it took its place
    const names = ['1-aaaaaaaa', '2-aaaaaaaa', '.bbbbbbbb'].map(name => join(each, name))
    await once(spawn(process.execPath, ['-e', script, ...names], { stdio: 'inherit' }), 'exit')
  }
  const first = await take()
  const second = await take()
  const moves: number[] = []
  second.moved = ({ place }) => moves.push(place)
  const turn = second.first(never)
  assert.equal(await first.first(never), true)
  writeFileSync(join(folder(), 'x'), 'a stranger')
  await once(spawn(process.execPath, ['-e', script, join(folder(), '9-cccccccc')], { stdio: 'inherit' }), 'exit')
  // two in the other line, a socket in each that is no ticket yet, and the one behind the living
  assert.equal(await sweepLines(base), 5)
  assert.equal(await sweepLines(base), 0)
  assert.deepEqual(
    readdirSync(folder()).filter(name => !/^[34]-[0-9a-f]{8}$/.test(name)),
    ['x'],
  )
  assert.deepEqual([existsSync(other), readdirSync(stranger).length], [false, 3])
  first.leave()
  assert.equal(await turn, true)
  second.leave()
  assert.deepEqual(readdirSync(folder()), ['x'])
})
