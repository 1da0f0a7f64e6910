import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import type { Mapping } from '../../../src/mapping/mapping.ts'
import { Control } from '../../../src/run/control.ts'

const mapping: Mapping = {
  kind: 'none',
  way: 'none',
  unused: Promise.resolve(),
  enter: () => [],
  entered: () => Promise.resolve(),
  users: () => Promise.resolve([]),
  end: () => Promise.resolve(),
}

test("a signal that comes while the program is being started is the program's", () => {
  const control = new Control(1000)
  try {
    const got: NodeJS.Signals[] = []
    process.emit('SIGTERM', 'SIGTERM')
    assert.equal(control.cancelled.aborted, true)
    control.running({ pid: 1, exited: new Promise(() => {}), kill: signal => got.push(signal) > 0 }, mapping, undefined)
    assert.deepEqual(got, ['SIGTERM'])
    process.emit('SIGHUP', 'SIGHUP')
    assert.deepEqual(got, ['SIGTERM', 'SIGHUP'])
  } finally {
    control.stop()
  }
})

test("once the program is gone, its number is another's: a signal that comes then is sent to nobody", async () => {
  const control = new Control(1000)
  const other = spawn('sleep', ['1000'])
  try {
    control.running({ pid: other.pid!, exited: Promise.resolve({ code: 0, signal: null }), kill: () => false }, mapping, undefined)
    await Promise.resolve()
    await control.end(false)
    await control.end(true)
    other.kill('SIGINT')
    assert.deepEqual(await once(other, 'exit'), [null, 'SIGINT'])
  } finally {
    control.stop()
    other.kill('SIGKILL')
  }
})
