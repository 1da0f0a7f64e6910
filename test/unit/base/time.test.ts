import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { awake, limited, pause } from '../../../src/base/time.ts'

test('a wait ends after its time, or with its signal', { timeout: 280_000 }, async () => {
  const began = performance.now()
  await awake(700)
  assert.ok(performance.now() - began >= 700)
  await awake(60_000, AbortSignal.timeout(20))
  await awake(60_000, AbortSignal.abort())
})

test('time in which the process was stopped does not count', { timeout: 280_000 }, async () => {
  const file = JSON.stringify(new URL('../../../src/base/time.ts', import.meta.url).href)
  const code = `import { awake } from ${file}\nconsole.log('began')\nawait awake(3000)`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  const began = performance.now()
  child.kill('SIGSTOP')
  await pause(4000)
  child.kill('SIGCONT')
  await once(child, 'exit')
  // it had its 3 s, less what it ran before it was stopped; were the stop counted, it would have ended at once
  assert.ok(performance.now() - began >= 4000 + 1000, `${performance.now() - began} ms`)
})

test('a signal with a limit aborts after it, with the other one, and not when the limit is lifted', { timeout: 280_000 }, async () => {
  const other = new AbortController()
  const late = limited(other.signal, 20)
  await pause(60_000, late.signal)
  assert.deepEqual([late.signal.aborted, other.signal.aborted], [true, false])
  const lifted = limited(other.signal, 20)
  lifted.lift()
  await pause(200)
  assert.equal(lifted.signal.aborted, false)
  const along = limited(other.signal, 3_600_000)
  other.abort()
  assert.equal(along.signal.aborted, true)
  along.lift()
  assert.equal(limited(other.signal, 20).signal.aborted, true)
})
