// nbtrun and its guardian die together the instant after a shared mapping was mounted, before either knows: nobody but the next one takes it away.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { type Lab, missing, useLab } from './index.ts'
import { journalOf, runs, said } from './journal.ts'
import { noMapping, nothingLeft, words } from './nbtrun.ts'
import { processesLike } from './watch.ts'

/** What mounts for them, and where this really is. */
const TOOLS = { alice: 'fusermount3', root: 'mount' } as const
/** Mounts, and is the end of whoever wanted it and of all that it started. */
const DEADLY = `#!/bin/sh
"$REAL" "$@" || exit
kill -STOP $PPID
for pid in $(cat /proc/$PPID/task/*/children); do [ "$pid" = $$ ] || kill -KILL "$pid"; done
kill -KILL $PPID
`

describe('a shared mapping without nbtrun and guardian', { skip: noMapping || missing('fuse3'), timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })

  for (const [user, tool] of Object.entries(TOOLS) as ['alice' | 'root', string][])
    for (const forgotten of [false, true])
      test(`of ${user} is taken away by reap${forgotten ? ', also where the entry has no line for it' : ': it is in the entry before it is mounted'}; a live one stays`, async () => {
        const { folder, keeper } = lab.host('client1')
        const deadly = join(folder, 'deadly')
        mkdirSync(deadly, { recursive: true })
        writeFileSync(join(deadly, tool), DEADLY.replace('$REAL', `/usr/bin/${tool}`), { mode: 0o755 })
        const options = ['--mapping', 'shared', '--grace', '0']
        const call = { as: 'alice', options } as const
        const path = `${deadly}:${folder}/bin:/usr/bin:/bin`

        const living = lab.spawn('client1', words(lab, ['/bin/sh', '-c', 'echo some >"$NBTRUN_MOUNT/file"; echo "$NBTRUN_MOUNT ready"; read -r line'], call), {
          user,
          stdin: 'pipe',
        })
        const [point = ''] = (await said(living)).split(' ')
        const end = await lab.run('client1', words(lab, ['/bin/true'], call), { user, env: { PATH: path } })
        assert.equal(end.signal, 'SIGKILL', end.stderr)
        assert.equal(processesLike(lab, /nbtrun/).length, 2, 'the living one and its guardian')

        const [{ run, folders } = { run: '', folders: [] }, ...more] = (await runs(lab, { user })).filter(({ state }) => state === 'dead')
        assert.deepEqual(more, [])
        const mounted = (): readonly string[] =>
          readFileSync(`/proc/${keeper.pid}/mountinfo`, 'utf8')
            .split('\n')
            .filter(line => line.includes(`@${run} `))
            .map(line => line.split(' ')[4] ?? '')
        const own = folders.at(-1)
        assert.deepEqual(mounted(), [own])
        const file = join(journalOf(lab, 'client1', user), run)
        const lines = readFileSync(file, 'utf8').split('\n')
        const isMount = (line: string): boolean => line.includes('"what":"mount"')
        assert.deepEqual(
          lines.filter(isMount).map(line => JSON.parse(line) as unknown),
          [{ what: 'mount', path: own }],
        )
        if (forgotten) writeFileSync(file, lines.filter(line => !isMount(line)).join('\n'))

        await lab.server().untilSessions(1)
        const { code, stdout, stderr } = await lab.run('client1', ['nbtrun', 'reap'], { user })
        assert.deepEqual([code, stdout, stderr], [0, `run ${run} is dead; gave back mapping ${own}, folder ${own}\n`, ''])
        assert.deepEqual(mounted(), [])
        assert.equal((await lab.run('client1', ['cat', `${point}/file`], { user })).stdout, 'some\n')
        living.stdin?.end('\n')
        assert.equal((await living).exitCode, 0)
        await nothingLeft(lab)
      })
})
