// nbtrun itself crashes: what falls with it, and what its guardian does, is the same as where it is killed.
import assert from 'node:assert/strict'
import { readFileSync, rmSync } from 'node:fs'
import { before, describe, test } from 'node:test'
import { type Lab, missing, useLab, type User } from './index.ts'
import { said } from './journal.ts'
import { here, noMapping, nothingLeft, words } from './nbtrun.ts'
import { DEAF, untilGone } from './watch.ts'

const KINDS: readonly { readonly kind: string; readonly way: string; readonly user: User | 'root' }[] = [
  { kind: 'private', way: 'root', user: 'root' },
  { kind: 'private', way: 'b2', user: 'alice' },
  { kind: 'shared', way: 'c', user: 'alice' },
  { kind: 'none', way: '', user: 'alice' },
]

describe('a crash of nbtrun', { skip: noMapping || missing('fuse3'), timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })

  for (const { kind, way, user } of KINDS)
    for (const signal of ['SIGABRT', 'SIGSEGV'] as const)
      test(`by ${signal}: programs get TERM, the deaf are killed after --kill-after, nothing is left after reap, mapping ${kind} ${way} of ${user}`, async () => {
        const env = way === '' ? {} : { NBTRUN_TEST_WAY: way }
        const options = ['--kill-after', '500ms', '--mapping', kind]
        const asked = here(lab, 'asked', { user })
        rmSync(asked, { force: true })
        const program = `trap "echo asked >${asked}" TERM\n(${DEAF}) >/dev/null 2>&1\necho ready; while :; do sleep 0.05; done`
        const as = user === 'root' ? 'alice' : user
        // no core of it: its folder is the tests'
        const limited = ['sh', '-c', 'ulimit -c 0; exec "$@"', 'sh', ...words(lab, ['/bin/sh', '-c', program], { as, options })]
        const run = lab.spawn('client1', limited, { user, env })
        await said(run)
        process.kill(run.pid!, signal)
        assert.equal((await run).signal, signal)
        await lab.server().untilSessions(0)
        await untilGone(lab)
        assert.equal(readFileSync(asked, 'utf8'), 'asked\n')
        const { code, stderr } = await lab.run('client1', ['nbtrun', 'reap'], { user })
        assert.deepEqual([code, stderr], [0, ''])
        await nothingLeft(lab)
      })
})
