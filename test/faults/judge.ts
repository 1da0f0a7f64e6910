import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pause } from '../../src/base/time.ts'
import { entries, journalOf, runs } from '../lab/journal.ts'
import type { Lab, User } from '../lab/index.ts'
import { nothingLeftHere, nothingLeftThere, nothingRunsHere } from '../lab/nbtrun.ts'
import { type Disk, type Expected, PROGRAM } from './faults.ts'
import { seen } from './inflict.ts'
import type { Ended } from './round.ts'

/** A machine that is busy with other things needs its time until what is on its way to the server has arrived there. */
const SETTLE_MS = 20_000
/** The server has answered LOGOFF; this much it may take to write that down. */
const NOTED_MS = 1000

/** A crash tells more than fits. */
const brief = (text: string): string => JSON.stringify(text.length > 700 ? `${text.slice(0, 100)} … ${text.slice(-600)}` : text)

/** The exit code is the documented one, and stderr has no more than it should. */
export function judgeEnd({ end, stderr }: Ended, { ends, says }: Expected): string[] {
  return [
    ...(ends.some(one => one === end) ? [] : [`it ended with ${end}, not ${ends.join(' or ')}: ${brief(stderr)}`]),
    ...(says.test(stderr) ? [] : [`it said ${brief(stderr)}, not ${says}`]),
  ]
}

/** What a program wrote and was told is safe is on the server's disk, once; and a daemon could finish. */
export function judgeWork(file: string, { end }: Pick<Ended, 'end'>): string[] {
  if (end !== PROGRAM.well) return []
  const log = readFileSync(file, 'utf8')
  return /^(line\n)?last\n$/.test(log) ? [] : [`the log on the server's disk is ${JSON.stringify(log)}`]
}

export interface Leaving {
  readonly ended: Ended
  readonly user: User | 'root'
  /** The journal's disk, where it has one of its own. */
  readonly journal?: Disk | undefined
  /** The NetBIOS name that the run held. */
  readonly name?: string | undefined
  /** The words by which `nbtrun reap` reaches the server. */
  readonly target: readonly string[]
  readonly expected: Expected
  /** How long what is on its way may take to go, ms. */
  readonly settleMs?: number
}

/**
 * Nothing is left on either side. Of a run that was not killed: here at once, but for the session of a server that did not answer, which its journal may have.
 * On the server at once where every goodbye was answered; else as soon as it hears that the connection is gone; else, the cable having been out, after
 * `nbtrun reap` with the user's password, which also frees the names of a run that was killed.
 */
export async function judgeLeft(lab: Lab, { ended, user, journal, name, target, expected, settleMs = SETTLE_MS }: Leaving): Promise<string[]> {
  const complaints: string[] = []
  const check = async (what: string, look: () => void | Promise<void>, ms = settleMs): Promise<void> => {
    const why = await eventually(look, ms)
    if (why !== undefined) complaints.push(`${what}: ${why}`)
  }
  const returned = ended.events.findLast(event => event.type === 'returned')
  const acknowledged = returned?.type === 'returned' && returned.end === 'acknowledged'
  if (expected.acknowledged === true && !acknowledged)
    complaints.push(`its end is ${returned?.type === 'returned' ? returned.end : 'not told'}, not acknowledged`)
  if (ended.end !== 'SIGKILL') {
    await check('left here', () => nothingRunsHere(lab), 0)
    if (acknowledged) await check('left in the journal', () => nothingLeftHere(lab), 0)
    else await check('left in the journal', () => onlySessions(lab, user), 0)
    if (acknowledged) await check('left on the server after every goodbye', () => nothingLeftThere(lab, 100), NOTED_MS)
    if (acknowledged && name !== undefined) await check('left at the name server', () => unregistered(lab, name), NOTED_MS)
    if (complaints.length > 0) complaints.push(`its journal: ${JSON.stringify(await runs(lab, { user }))}`, `it said ${brief(ended.stderr)}`)
  }
  if (!acknowledged) {
    await check('left here after its death', () => assert.deepEqual(lab.processes('client1'), []))
    if (expected.silent !== true) await check('left on the server before nbtrun reap', () => nothingLeftThere(lab, 100))
    await check('nbtrun reap', async () => {
      // where the cable was out, the kernel may take its neighbour for gone a moment longer
      const { code, stderr } = await lab.run('client1', ['nbtrun', 'reap', ...target, '--auth-file', lab.authFile()], { user })
      assert.equal(code, 0, stderr)
    })
  }
  const before = complaints.length
  await check('left here in the end', () => nothingLeftHere(lab))
  if (complaints.length > before)
    complaints.push(...entries(lab, 'client1', user).map(entry => readFileSync(join(journalOf(lab, 'client1', user), entry), 'utf8')))
  await check('left on the server', () => nothingLeftThere(lab, 100))
  if (name !== undefined) await check('left at the name server', () => unregistered(lab, name))
  await check('connections', () => noConnections(lab))
  if (journal !== undefined) await check("left on the journal's disk", () => assert.deepEqual(filesOn(lab, journal), []))
  return complaints
}

/** What a run that could not say goodbye keeps in its journal. */
async function onlySessions(lab: Lab, user: User | 'root'): Promise<void> {
  for (const { state, folders, mounts } of await runs(lab, { user })) assert.deepEqual([state, folders, mounts], ['dead', [], []])
}

/** Of the client's, established or being made: proc(5), /proc/net/tcp, states 01 to 03. */
function noConnections(lab: Lab): void {
  assert.deepEqual(lab.server().workers(), [], 'processes of smbd')
  const table = readFileSync(`/proc/${lab.host('client1').keeper.pid}/net/tcp`, 'latin1')
  assert.doesNotMatch(table, /^ *\d+: \S+ \S+ 0[123] /m, 'connections of the client')
}

/** The name server knows of no such name. */
async function unregistered(lab: Lab, name: string): Promise<void> {
  const { stdout, stderr } = await lab.run('client1', ['nmblookup', '--recursion', `--unicast=${lab.server().address}`, `${name}#20`], { user: 'root' })
  assert.match(stdout + stderr, /name_query failed/)
}

/** But for what fills it. */
function filesOn(lab: Lab, disk: Disk): string[] {
  const names = readdirSync(seen(lab, disk), { recursive: true, withFileTypes: true })
  return names.flatMap(entry => (entry.isFile() && entry.name !== 'full' ? entry.name : []))
}

/** Undefined once the look is without a complaint; else the last complaint after `ms`. */
async function eventually(look: () => void | Promise<void>, ms: number): Promise<string | undefined> {
  for (const dueAt = performance.now() + ms; ; ) {
    try {
      await look()
      return undefined
    } catch (error) {
      if (performance.now() > dueAt) return error instanceof Error ? error.message : String(error)
      await pause(50)
    }
  }
}
