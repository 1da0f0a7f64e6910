import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { noMapping } from '../../../src/mapping/none.ts'
import type { Mapping } from '../../../src/mapping/mapping.ts'
import { headless, noHeadless } from '../headless.ts'

const all: Mapping[] = []
after(() => Promise.all(all.map(mapping => mapping.end())))

/** Starts a shell script whose descriptor 3 stays open until the test closes it, also beyond the shell's end. */
async function start(script: string, cwd = process.cwd()) {
  const runId = randomBytes(4).toString('hex')
  const mapping = await noMapping(runId, 5000)
  all.push(mapping)
  const words = [...mapping.enter(cwd), 'sh', '-c', script]
  const child = spawn(words[0]!, words.slice(1), { stdio: ['ignore', 'pipe', 'inherit', 'pipe'], env: { ...process.env, NBTRUN_RUN_ID: runId } })
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  return { mapping, child, next: async () => String((await lines.next()).value), exit: once(child, 'exit') }
}
const isUnused = (mapping: Mapping) => Promise.race([mapping.unused.then(() => true), new Promise<boolean>(resolve => setTimeout(resolve, 150, false))])
const letGo = (child: ChildProcess) => child.stdio[3]?.destroy()

test('a program alone ends the use', { timeout: 280_000 }, async () => {
  const { mapping, child, exit } = await start('read x <&3')
  await mapping.entered(child.pid!)
  assert.deepEqual(await mapping.users(), [child.pid])
  letGo(child)
  await Promise.all([mapping.unused, exit])
  assert.deepEqual(await mapping.users(), [])
})

test('a double fork with a session of its own is still a user, after its parents are gone', { timeout: 280_000 }, async () => {
  const { mapping, child, next, exit } = await start(`(setsid sh -c 'echo $$; read x <&3' &) ; exit 0`)
  await mapping.entered(child.pid!)
  const left = Number(await next())
  await exit
  assert.equal(await isUnused(mapping), false)
  assert.ok((await mapping.users()).includes(left))
  letGo(child)
  await mapping.unused
})

test('one that starts itself anew a hundred times, in sessions of its own, is waited for to the last', { timeout: 280_000 }, async context => {
  const folder = mkdtempSync(join(tmpdir(), 'nbtrun-none-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const last = join(folder, 'last')
  writeFileSync(join(folder, 'again'), `[ "$1" = 0 ] && { : >'${last}'; exit; }; setsid sh "$0" $(($1 - 1)) & exit 0`)
  const { mapping, child } = await start(`exec sh '${folder}/again' 100`)
  await mapping.entered(child.pid!)
  await mapping.unused
  assert.ok(existsSync(last))
})

/** Hides its environment, as one does that is just becoming another program, for longer than two looks take; then waits for a line. prctl(2) */
const HIDING = `
import ctypes, os, time
c = ctypes.CDLL(None)
c.prctl(4, 0, 0, 0, 0)
print(os.getpid(), flush=True)
time.sleep(0.5)
c.prctl(4, 1, 0, 0, 0)
open(3).readline()
`
const allSeen = (process.geteuid?.() === 0 && 'root sees every environment') || noHeadless

test('one whose environment is not to be read for a while is waited for', { skip: allSeen, timeout: 280_000 }, async () => {
  const { mapping, child, next, exit } = await start(`setsid python3 -c "${HIDING}" & exit 0`)
  const left = Number(await next())
  await exit
  await mapping.entered(child.pid!) // it has no parent left by which it might be known
  await new Promise(resolve => setTimeout(resolve, 700))
  assert.equal(await isUnused(mapping), false)
  assert.ok((await mapping.users()).includes(left))
  letGo(child)
  await mapping.unused
})

test('one that never shows its environment is not waited for for ever', { skip: allSeen, timeout: 280_000 }, async () => {
  const hidden = spawn('python3', ['-c', 'import ctypes; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); print(1, flush=True); input()'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await once(hidden.stdout, 'data')
  const { mapping, child, exit } = await start('exit 0')
  await mapping.entered(child.pid!)
  await Promise.all([mapping.unused, exit])
  assert.equal(hidden.exitCode, null)
  hidden.kill('SIGKILL')
})

test('a child that forgot its environment is known by its parent', { timeout: 280_000 }, async () => {
  const { mapping, child, next, exit } = await start(`env -i sh -c 'echo $$; read x <&3' & read y <&3; exit 0`)
  await mapping.entered(child.pid!)
  const left = Number(await next())
  assert.deepEqual(new Set(await mapping.users()), new Set([child.pid, left]))
  child.kill('SIGKILL')
  await exit
  assert.equal(await isUnused(mapping), false)
  letGo(child)
  await mapping.unused
})

test('one whose first thread has ended is a user while another one lives', { skip: noHeadless, timeout: 280_000 }, async () => {
  const runId = randomBytes(4).toString('hex')
  const mapping = await noMapping(runId, 5000)
  all.push(mapping)
  const folder = mkdtempSync(join(tmpdir(), 'headless-'))
  const child = await headless(folder, 'python', 'app', { NBTRUN_RUN_ID: runId })
  try {
    assert.ok((await mapping.users()).includes(child.pid!))
    child.stdin!.end()
    await once(child, 'exit')
    assert.ok(!(await mapping.users()).includes(child.pid!))
  } finally {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true })
  }
})

test('the program starts in the folder asked for and has the pid of the spawn', { timeout: 280_000 }, async () => {
  const { mapping, child, next } = await start('pwd; echo $$', '/')
  await mapping.entered(child.pid!)
  assert.deepEqual([await next(), Number(await next())], ['/', child.pid])
  await mapping.unused
})

test('ending it stops the watching and touches nobody', { timeout: 280_000 }, async () => {
  const { mapping, child, exit } = await start('read x <&3')
  await mapping.entered(child.pid!)
  await mapping.end()
  await mapping.unused
  assert.equal(child.exitCode ?? child.signalCode, null)
  letGo(child)
  await exit
})
