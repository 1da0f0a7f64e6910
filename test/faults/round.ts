import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pause, within } from '../../src/base/time.ts'
import type { Published } from '../../src/run/published.ts'
import type { Lab } from '../lab/index.ts'
import { here, words } from '../lab/nbtrun.ts'
import type { Disk, Fault, Proof, Stage } from './faults.ts'
import { eject, insert, seen } from './inflict.ts'
import { judgeEnd, judgeLeft, judgeWork } from './judge.ts'
import type { Place } from './places.ts'
import { type Relay, relay } from './relay.ts'
import type { FaultWay } from './ways.ts'

/** What became of one try of a cell. Void: the run was not where something was to happen to it, or nothing did. */
export interface Verdict {
  readonly result: 'green' | 'red' | 'void'
  /** What was wrong, line by line. */
  readonly why: string
}

export interface Cell {
  readonly place: Place
  readonly fault: Fault
  readonly way: FaultWay
}

/** What nbtrun may take for each of its waits, so that all of them end within `BOUND_MS`. */
const LIMITS = ['--connect-timeout', '5s', '--io-timeout', '3s', '--teardown-timeout', '6s']
/** None of these waits is ever longer than that, on a machine that is busy with other things. */
const BOUND_MS = 45_000
const REACH_MS = 90_000

export interface Ended {
  readonly end: number | NodeJS.Signals | undefined
  readonly stderr: string
  readonly events: readonly Published[]
}

/** Thrown where a round says nothing about its cell. */
class Void extends Error {}

let rounds = 0

/** A run, brought to the place, with the fault, judged. Where it is not green the lab may be in any state. */
export async function playRound(lab: Lab, { place, fault, way }: Cell, round: number): Promise<Verdict> {
  const { user, maps } = way
  const eventsFile = here(lab, `faults-${++rounds}.events`, { user })
  const server = lab.server()
  const address = server.address.replace(/\d+$/, '254')
  const disks: Readonly<Record<string, Disk>> = {
    journal: { host: 'client1', path: here(lab, `disk-${rounds}`, { user }) },
    share: { host: 'srv', path: server.diskPath('app') },
  }
  const disk = fault.ownDisk === undefined ? undefined : disks[fault.ownDisk]
  if (disk !== undefined) {
    mkdirSync(disk.path, { recursive: true })
    insert(lab, disk, user === 'root' ? 0 : 2001, fault.ownDisk === 'journal' ? '700' : '777')
  }
  // what is not mapped has its program, and what that writes, on the machine
  const folder = maps === undefined ? here(lab, 'local', { user }) : seen(lab, disks['share']!)
  mkdirSync(folder, { recursive: true })
  chmodSync(folder, 0o777)
  rmSync(join(folder, 'log'), { force: true })
  copyFileSync(join(import.meta.dirname, 'works.sh'), join(folder, 'works'))
  chmodSync(join(folder, 'works'), 0o755)
  const expected = fault.expected(place, way)
  const isCabled = place.holds !== undefined || place.told.join() !== 'requested'
  await using between = await relay(server.address, address, place.holds?.())
  if (!isCabled) lab.link('client1', 'down')
  const options = ['--port', String(between.port), '--events', eventsFile, '--grace', place.grace ?? '0', ...LIMITS, ...(fault.options ?? [])]
  // a name is held before anybody is called
  const name = isCabled ? `CELL${rounds}` : undefined
  if (name !== undefined) {
    options.push('--hold-name', name, '--wins', server.address)
    await lowestPort(lab, 137)
  }
  if (maps === undefined) options.push('--mapping', 'none')
  const at = maps === undefined ? folder : '{mount}'
  const program = [`${at}/works`, place.program, fault.variant ?? 'none', at]
  const env = { ...(maps === undefined ? {} : { NBTRUN_TEST_WAY: maps }), ...(fault.ownDisk === 'journal' ? { XDG_STATE_HOME: disk!.path } : {}) }
  const run = lab.spawn('client1', words(lab, program, { as: 'alice', share: `//${address}/app`, options }), { user, env, stdin: 'pipe', timeout: 120_000 })
  run.stdin?.on('error', () => {}) // it may be gone
  let said = ''
  run.stdout?.on('data', chunk => (said += String(chunk)))
  let over: string | undefined
  void run.then(({ exitCode, signal, stderr }) => (over = `it ended with ${signal ?? exitCode}: ${JSON.stringify(stderr)}`))
  const events = (): readonly Published[] => readEvents(eventsFile)
  const stage = (): Stage => {
    const launched = events().find(event => event.type === 'launched')
    return { lab, relay: between, pid: run.pid!, program: launched?.type === 'launched' ? launched.pid : undefined, round, disk }
  }
  try {
    if (place.program === 'busy') run.stdin?.write('go\n')
    const isWaiting = (): boolean => (isCabled ? place.program === 'busy' || fault.variant !== undefined || said.includes('ready') : isCalling(lab))
    await reach(place, fault, { between, events, isWaiting, isOver: () => over !== undefined })
    const at = stage()
    const proof: Proof | void = await fault.happens(at)
    if (fault.keeps !== true) {
      if (!isCabled) lab.link('client1', 'up')
      between.release()
    }
    if (place.program === 'idle') await Promise.race([run, pause(250)]) // a signal may take longer to the program than the word
    run.stdin?.write('go\n')
    const { exitCode, signal, stderr } = await within(BOUND_MS, () => run, 'the end of nbtrun')
    const unproven = await proof?.()
    await fault.ends?.(at)
    const ended: Ended = { end: signal ?? exitCode, stderr: String(stderr), events: events() }
    const wrong = [...judgeEnd(ended, expected), ...judgeWork(join(folder, 'log'), ended)]
    const left = await judgeLeft(lab, {
      ended,
      user,
      journal: fault.ownDisk === 'journal' ? disk : undefined,
      name,
      target: ['--port', String(between.port), `//${address}`],
      expected,
    })
    if (disk !== undefined) eject(lab, disk)
    // what did not happen to it cannot be held against its end, but nothing excuses what is left
    const idle = unproven === undefined ? [] : [`nothing happened to the run: ${unproven}`]
    if (idle.length > 0 && left.length === 0) throw new Void([...idle, ...wrong].join('\n'))
    const complaints = [...idle, ...wrong, ...left]
    if (complaints.length > 0) return { result: 'red', why: complaints.join('\n') }
    return { result: 'green', why: '' }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return { result: error instanceof Void ? 'void' : 'red', why: [why, `events: ${types(events())}`, over ?? []].flat().join('\n') }
  } finally {
    run.kill('SIGKILL')
    if (name !== undefined) await lowestPort(lab, 1024)
  }
}

/** The lowest that an ordinary user of the client may bind: ip(7), of its network alone. */
async function lowestPort(lab: Lab, port: number): Promise<void> {
  await lab.run('client1', ['sh', '-c', `echo ${port} >/proc/sys/net/ipv4/ip_unprivileged_port_start`], { user: 'root' })
}

interface Sight {
  readonly between: Relay
  readonly events: () => readonly Published[]
  readonly isWaiting: () => boolean
  readonly isOver: () => boolean
}

/** Until the run is at the place, by the packet that is held and by its own events; throws `Void` where it is not. */
async function reach(place: Place, fault: Fault, { between, events, isWaiting, isOver }: Sight): Promise<void> {
  let isHeld = place.holds === undefined
  void between.held.then(() => (isHeld = true))
  // a program that leaves a daemon behind is gone itself, which takes nothing from the place
  const told = fault.variant === 'daemon' ? [...place.told, 'quit' as const] : place.told
  const untold = place.untold.filter(type => !told.includes(type))
  const has = (type: Published['type']): boolean => events().some(event => event.type === type)
  const dueAt = performance.now() + REACH_MS
  while (!(isHeld && isWaiting() && told.every(has))) {
    if (isOver() || performance.now() > dueAt) throw new Void(`the run was never there: ${isHeld ? '' : 'nothing was held, '}told were ${types(events())}`)
    await pause(5)
  }
  if (untold.some(has)) throw new Void(`the run was further than that: told were ${types(events())}`)
}

/** Whether a TCP connection is being made: proc(5), /proc/net/tcp, state 02 is SYN_SENT. */
function isCalling(lab: Lab): boolean {
  return /^ *\d+: \S+ \S+ 02 /m.test(readFileSync(`/proc/${lab.host('client1').keeper.pid}/net/tcp`, 'latin1'))
}

const types = (events: readonly Published[]): string => events.map(({ type }) => type).join(', ') || 'none'

/** The whole lines. */
function readEvents(file: string): readonly Published[] {
  try {
    const lines = readFileSync(file, 'utf8').split('\n')
    return lines.slice(0, -1).map(line => JSON.parse(line) as Published)
  } catch {
    return [] // it has not begun
  }
}
