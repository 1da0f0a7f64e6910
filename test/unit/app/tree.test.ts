import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { endUsers, signalTree } from '../../../src/app/tree.ts'
import { pause } from '../../../src/base/time.ts'

/** Processes that are users while they live. */
async function crowd(...scripts: string[]) {
  const children = await Promise.all(
    scripts.map(async script => {
      const child = spawn('bash', ['-c', `${script}; echo ready; while :; do read -t 1 x <&3; done`], { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] })
      await once(child.stdout!, 'data')
      return { child, exit: once(child, 'exit') }
    }),
  )
  const users = () => children.filter(({ child }) => child.exitCode === null && child.signalCode === null).map(({ child }) => child.pid!)
  return { children, users, exits: () => Promise.all(children.map(({ exit }) => exit)) }
}

test('TERM ends all users', { timeout: 280_000 }, async () => {
  const { users, exits } = await crowd(':', ':')
  assert.deepEqual(await endUsers(users, { killAfterMs: 60_000 }), [])
  assert.deepEqual(await exits(), [
    [null, 'SIGTERM'],
    [null, 'SIGTERM'],
  ])
})

test('KILL ends who does not hear TERM, after the time given', { timeout: 280_000 }, async () => {
  const { users, exits } = await crowd("trap '' TERM", ':')
  const began = performance.now()
  assert.deepEqual(await endUsers(users, { killAfterMs: 1500 }), [])
  assert.ok(performance.now() - began >= 1500)
  assert.deepEqual(await exits(), [
    [null, 'SIGKILL'],
    [null, 'SIGTERM'],
  ])
})

test('KILL comes in time where each look at the users takes long', { timeout: 280_000 }, async () => {
  const { users, exits } = await crowd("trap '' TERM")
  const slowly = () => pause(2000).then(users)
  const began = performance.now()
  assert.deepEqual(await endUsers(slowly, { killAfterMs: 3000 }), [])
  assert.ok(performance.now() - began >= 3000)
  assert.deepEqual(await exits(), [[null, 'SIGKILL']])
})

test('who comes later is told, too', { timeout: 280_000 }, async () => {
  const one = await crowd(':')
  const two = await crowd(':')
  let asked = 0
  const users = () => (asked++ === 0 ? one.users() : [...one.users(), ...two.users()])
  assert.deepEqual(await endUsers(users, { killAfterMs: 60_000 }), [])
  assert.deepEqual(await two.exits(), [[null, 'SIGTERM']])
  await one.exits()
})

test('a stopped user is woken to hear it', { timeout: 280_000 }, async () => {
  const { children, users, exits } = await crowd("trap 'exit 3' TERM")
  children[0]!.child.kill('SIGSTOP')
  assert.deepEqual(await endUsers(users, { killAfterMs: 60_000 }), [])
  assert.deepEqual(await exits(), [[3, null]])
})

test('KILL at once where that is asked', { timeout: 280_000 }, async () => {
  const { users, exits } = await crowd("trap '' TERM")
  assert.deepEqual(await endUsers(users, { killAfterMs: 60_000, kill: true }), [])
  assert.deepEqual(await exits(), [[null, 'SIGKILL']])
})

test('the waiting ends when it is called off, and says who is left', { timeout: 280_000 }, async () => {
  const { users, exits } = await crowd("trap '' TERM")
  const abort = new AbortController()
  const ending = endUsers(users, { killAfterMs: 60_000, signal: abort.signal })
  abort.abort()
  const left = await ending
  assert.deepEqual(left, users())
  process.kill(left[0]!, 'SIGKILL')
  await exits()
})

test('a tree is signalled from the top where nobody knows its users', { timeout: 280_000 }, async () => {
  const child = spawn('bash', ['-c', 'sleep 30 & echo $!; wait'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exit = once(child, 'exit')
  await once(child.stdout, 'data')
  const closed = once(child, 'close') // of the sleeper, too: it holds the output
  await signalTree(child.pid!, 'SIGTERM')
  assert.deepEqual(await exit, [null, 'SIGTERM'])
  await closed
})
