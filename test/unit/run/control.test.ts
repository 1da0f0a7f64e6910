import assert from 'node:assert/strict'
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
