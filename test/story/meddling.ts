import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { createReadStream, createWriteStream, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { pause } from '../../src/base/time.ts'
import type { Lab } from '../lab/index.ts'
import { nothingLeft, nothingLeftButSessions } from '../lab/nbtrun.ts'
import { closeConnections, type End, Puppet, Witness } from './puppet.ts'

const MIB = 2 ** 20

/**
 * Copies to the share and back, and meddles once the first bytes are there. The server never has two sessions, and
 * nothing is left. Returns what the copy said (0: it went well, and then the copies are the same), when, and how the run ended.
 */
export async function copyWhile(
  lab: Lab,
  megabytes: number,
  options: readonly string[],
  meddle: () => Promise<void>,
): Promise<{ said: string; end: End; ms: number }> {
  const here = (name: string): string => join(lab.host('client1').folder, 'tmp', 'root', name)
  const there = join(lab.server().diskPath('app'), 'big')
  rmSync(here('from'), { force: true })
  execFileSync('mkfifo', [here('from')])
  await using puppet = await Puppet.start(lab, { options })
  const witness = new Witness(lab)
  await puppet.ask("os.path.exists('big') and os.unlink('big')")
  const began = performance.now()
  puppet.tell(`os.system('cat ${here('from')} >big && cp big ${here('back')}')`)
  let ms = 0
  let isOver = false
  const saying = puppet.said().finally(() => {
    ms = performance.now() - began
    isOver = true
  })
  let isMeddled = false
  const meddling = async (): Promise<void> => {
    while (sizeOf(there) < megabytes * MIB * 0.1 && !isOver) await pause(1)
    await meddle()
    isMeddled = true
  }
  // however quick it is: the copy is not whole before the meddling is over
  const hash = createHash('sha256')
  const bytes = randomBytes(MIB)
  const feed = async function* (): AsyncGenerator<Buffer> {
    for (let i = 0; (i < megabytes || !isMeddled) && !isOver; i++) {
      hash.update(bytes)
      yield bytes
    }
  }
  const feeding = pipeline(feed, createWriteStream(here('from'))).catch(() => {}) // it has failed then, and says so
  await Promise.all([meddling(), feeding])
  const said = await saying
  const end = await puppet.end()
  assert.ok((await witness.neverTwo()) <= end.receipt.reconnects + 1)
  if (said === '0') {
    const sum = hash.digest('hex')
    assert.deepEqual(await Promise.all([here('back'), there].map(sha256)), [sum, sum])
    await nothingLeft(lab)
  }
  return { said, end, ms }
}

/** A program reads, writes, lists and locks with all its might, something happens to the server (which depends on `i`), and it is killed. */
export async function killAtAnyMoment(lab: Lab, i: number): Promise<void> {
  await using puppet = await Puppet.start(lab, { options: ['--io-timeout', '8s', '--teardown-timeout', '2s'] })
  await puppet.ask("[op('busy', RW|C), lock('busy', fcntl.F_WRLCK, 0, 1)]")
  puppet.tell("together(8, lambda i: [(os.pwrite(d['busy'], b'x' * 100000, i * 100000), read('busy') and 1, os.listdir('.')) for _ in range(100000)])")
  await pause(20 + Math.random() * 150)
  const isCut = i % 3 === 0
  if (isCut) lab.link('srv', 'down')
  else if (i % 3 === 1) void closeConnections(lab)
  await pause(Math.random() * 300)
  const killed = performance.now()
  process.kill(puppet.pid, 'SIGKILL')
  while (lab.processes('client1').includes(puppet.pid)) await pause(5)
  assert.ok(performance.now() - killed < 5000, `run ${i}: gone after ${performance.now() - killed} ms`)
  const { code } = await puppet.end()
  if (isCut) lab.link('srv', 'up')
  assert.equal(code, 137)
  assert.ok(performance.now() - killed < 25_000, `run ${i}: over after ${performance.now() - killed} ms`)
  await nothingLeftButSessions(lab)
  await lab.server().untilSessions(0)
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: MIB })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
