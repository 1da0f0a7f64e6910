import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { countTool, hasToolMark, isTool, toolMark } from '../../../src/base/tools.ts'
import { Followers } from '../../../src/mapping/followers.ts'

const RUN = 'abcdef01'

/** Waits for a line, with this environment; says when it runs. */
async function waiting(env: Readonly<Record<string, string>> = {}): Promise<ChildProcess> {
  const child = spawn('/bin/sh', ['-c', 'echo ready; read -r line'], { env, stdio: ['pipe', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  return child
}

test('our own tools, and what they start, are no users of a run; other orphans are', { timeout: 280_000 }, async () => {
  const program = await waiting()
  const orphan = await waiting()
  const counted = await waiting()
  countTool(counted)
  const ofTool = await waiting(toolMark(RUN))
  const ofOtherRun = await waiting(toolMark('01234567'))
  const isOurs = async (pid: number): Promise<boolean> => isTool(pid) || (await hasToolMark(pid, RUN))
  const followers = new Followers(RUN, { subreaper: { isOurs, bury: () => {} } })
  try {
    followers.start(program.pid!, once(program, 'exit'))
    const users = await followers.list()
    const are = [program, orphan, counted, ofTool, ofOtherRun].map(({ pid }) => users.includes(pid!))
    assert.deepEqual(are, [true, true, false, false, true])
    const gone = once(counted, 'exit')
    counted.stdin?.end('\n')
    await gone
    assert.equal(isTool(counted.pid!), false)
  } finally {
    followers.stop()
    for (const child of [program, orphan, counted, ofTool, ofOtherRun]) child.kill('SIGKILL')
  }
})
