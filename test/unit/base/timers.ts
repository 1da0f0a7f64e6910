import assert from 'node:assert/strict'

/** Asserts that nothing in this process waits for a time to come. */
export function noTimers(): void {
  assert.deepEqual(
    process.getActiveResourcesInfo().filter(kind => kind === 'Timeout'),
    [],
  )
}
