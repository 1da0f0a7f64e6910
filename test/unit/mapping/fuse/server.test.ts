import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Bench, cannotMount } from './mounted.ts'

describe('a mounted share', { skip: cannotMount }, () => {
  test('first light', async () => {
    using bench = new Bench()
    console.log(await bench.run('echo hello > a; cat a; mkdir d; mv a d/b; ls -la . d; cat d/b; rm -r d; ls -la', {}))
  })
})
