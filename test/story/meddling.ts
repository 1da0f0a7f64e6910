import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
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
  const bytes = randomBytes(MIB)
  writeFileSync(here('from'), Buffer.concat(Array.from({ length: megabytes }, () => bytes)))
  await using puppet = await Puppet.start(lab, { options })
  const witness = new Witness(lab)
  await puppet.ask("os.path.exists('big') and os.unlink('big')")
  const began = performance.now()
  puppet.tell(`os.system('cp ${here('from')} big && cp big ${here('back')}')`)
  let ms = 0
  const saying = puppet.said().finally(() => (ms = performance.now() - began))
  while (sizeOf(there) < megabytes * MIB * 0.1) await pause(1)
  await meddle()
  const said = await saying
  const end = await puppet.end()
  assert.ok((await witness.neverTwo()) <= end.receipt.reconnects + 1)
  if (said === '0') {
    const sums = await Promise.all([here('from'), here('back'), there].map(sha256))
    assert.deepEqual(sums.slice(1), [sums[0], sums[0]])
    await nothingLeft(lab)
  }
  return { said, end, ms }
}

/** A program reads, writes, lists and locks with all its might, something happens to the server (which depends on `i`), and it is killed. */
export async function killAtAnyMoment(lab: Lab, i: number): Promise<void> {
  await using puppet = await Puppet.start(lab, { options: ['--io-timeout', '3s', '--teardown-timeout', '2s'] })
  await puppet.ask("[op('busy', RW|C), lock('busy', fcntl.F_WRLCK, 0, 1)]")
  puppet.tell("together(8, lambda i: [(os.pwrite(d['busy'], b'x' * 100000, i * 100000), read('busy') and 1, os.listdir('.')) for _ in range(100000)])")
  await pause(20 + Math.random() * 150)
  const isCut = i % 3 === 0
  if (isCut) lab.link('srv', 'down')
  else if (i % 3 === 1) closeConnections(lab)
  await pause(Math.random() * 300)
  const killed = performance.now()
  process.kill(puppet.pid, 'SIGKILL')
  while (lab.processes('client1').includes(puppet.pid)) await pause(5)
  assert.ok(performance.now() - killed < 1000, `run ${i}: gone after ${performance.now() - killed} ms`)
  const { code } = await puppet.end()
  if (isCut) lab.link('srv', 'up')
  assert.equal(code, 137)
  assert.ok(performance.now() - killed < 8000, `run ${i}: over after ${performance.now() - killed} ms`)
  await nothingLeftButSessions(lab)
  await lab.server().untilSessions(0, 20_000)
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: MIB })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
