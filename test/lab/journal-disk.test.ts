// The journal's own troubles: a disk that is full or takes no changes, and several who give back one entry at a time.
import assert from 'node:assert/strict'
import { appendFileSync, cpSync, mkdirSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { before, describe, test } from 'node:test'
import { type Lab, missing, useLab } from './index.ts'
import { REPOSITORY } from './client.ts'
import { entries, journalOf, runs, said, until } from './journal.ts'
import { here, nbtrun, noMapping, nothingLeft, words } from './nbtrun.ts'
import { lines } from './lines.ts'
import { closeConnections } from '../story/puppet.ts'
import { untilGone } from './watch.ts'

describe('the journal', { skip: noMapping || missing('lab'), timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })

  for (const [how, options, errno] of [
    ['full', 'size=4k,nr_inodes=3,mode=700', 'ENOSPC'],
    ['read-only', 'ro,mode=700', '(EROFS|ENOENT)'],
  ] as const)
    test(`on a disk that is ${how}: the run goes on, says so in a line, and gives everything back`, async () => {
      const disk = here(lab, `disk-${how}`)
      mkdirSync(disk, { recursive: true })
      const mounted = await lab.run('client1', ['mount', '-t', 'tmpfs', '-o', options, 'disk', disk])
      assert.equal(mounted.code, 0, mounted.stderr)
      try {
        const { code, stdout, stderr } = await nbtrun(lab, ['/bin/echo', 'ran'], { env: { XDG_STATE_HOME: disk } })
        assert.deepEqual([code, stdout], [0, 'ran\n'])
        assert.match(stderr, new RegExp(`^nbtrun: the journal cannot be written \\(${errno}\\): [^\\n]*; let XDG_STATE_HOME [^\\n]*\\n$`))
      } finally {
        await lab.run('client1', ['umount', disk])
      }
      await nothingLeft(lab)
    })

  const onSmallDisk = async (name: string, size: string, use: (disk: string) => Promise<void>): Promise<void> => {
    const disk = here(lab, name)
    mkdirSync(disk, { recursive: true })
    const mounted = await lab.run('client1', ['mount', '-t', 'tmpfs', '-o', `size=${size},mode=700`, 'disk', disk], { user: 'root' })
    assert.equal(mounted.code, 0, mounted.stderr)
    try {
      await use(disk)
    } finally {
      await lab.run('client1', ['umount', disk], { user: 'root' })
    }
  }

  test('whose entry cannot be written anew for want of space leaves nothing half, and goes on when there is some', async () => {
    await onSmallDisk('small', '128k', async disk => {
      const { code, stdout, stderr } = await lab.run('client1', ['node', '--import', 'tsx', 'test/lab/journal-child.ts', disk], {
        cwd: REPOSITORY,
        user: 'root',
      })
      assert.equal(code, 0, stderr)
      const { full, freed, end } = JSON.parse(stdout) as Record<'full' | 'freed' | 'end', { why: string }>
      assert.match(full.why, /^the journal cannot be written \((ENOSPC|the disk is full)\)/)
      assert.deepEqual({ ...full, why: '' }, { files: ['0000000a'], leaked: 0, warnings: 1, why: '' })
      assert.deepEqual([freed, end], [{ files: ['0000000a'], isShort: true }, []])
    })
  })

  for (const how of ['ends by itself', 'is killed'] as const)
    test(`on a disk that fills up while a run has it, to the last byte: the run goes on, says so in a line, and ${how}`, async () => {
      await onSmallDisk(`fills-${how.split(' ', 1)[0]}`, '16k', async disk => {
        const env = { XDG_STATE_HOME: disk }
        const journal = join(disk, 'nbtrun', 'journal')
        const program = 'echo ready; read -r line; ls "$NBTRUN_MOUNT" >/dev/null; echo again; read -r line; exit 7'
        const run = lab.spawn('client1', words(lab, ['/bin/sh', '-c', program], { options: ['--kill-after', '0.2'] }), { env, stdin: 'pipe', stderr: 'pipe' })
        const says = lines(run.stdout!)
        assert.equal(await says(), 'ready')
        // the entry's own page, but for some bytes, and all others
        const fill =
          'cd "$1"/nbtrun/journal; for f in *; do n=$((4090 - $(stat -c %s $f))); yes "" | head -c $n >>$f; done; cat /dev/zero >"$1/full"; stat -c %s *'
        const filled = await lab.run('client1', ['sh', '-c', fill, 'sh', disk], { user: 'root' })
        assert.equal(filled.stdout, '4090\n', filled.stderr)
        await closeConnections(lab)
        run.stdin?.write('\n')
        assert.equal(await says(), 'again') // in another session, of which the journal does not know
        const on = { env, user: 'root' } as const
        if (how === 'is killed') process.kill(run.pid!, 'SIGKILL')
        else run.stdin?.end('\n')
        const { exitCode, stderr } = await run
        const line = /^nbtrun: the journal cannot be written \((ENOSPC|the disk is full)\): [^\n]*; let XDG_STATE_HOME [^\n]*\n$/
        assert.match(String(stderr), line)
        await untilGone(lab)
        if (how === 'is killed') {
          await lab.server().untilSessions(0)
          const { code, stdout } = await lab.run('client1', ['nbtrun', 'reap'], on)
          assert.equal(code, 0)
          assert.match(stdout, /^run [0-9a-f]{8} is dead; gave back folder /)
        } else assert.equal(exitCode, 7)
        // the server is asked from that connection's port, which may be another one's for the minute that the kernel keeps it
        const untilEmpty = 'cd "$1"; for n in $(seq "$2"); do [ -n "$(ls)" ] || break; sleep 1; nbtrun reap; done; [ -z "$(ls)" ] || { tail *; exit 1; }'
        const left = await lab.run('client1', ['sh', '-c', untilEmpty, 'sh', journal, how === 'is killed' ? '70' : '0'], on)
        assert.equal(left.code, 0, left.stdout)
      })
      await nothingLeft(lab)
    })

  test('of five nbtrun reap at a time one gives back what a killed run left', async () => {
    const run = lab.spawn('client1', words(lab, ['/bin/sh', '-c', 'echo ready; read -r line'], { options: ['--kill-after', '0.2'] }), { stdin: 'pipe' })
    await said(run)
    assert.deepEqual(
      (await runs(lab)).map(({ state, pid }) => [state, pid]),
      [['live', run.pid]],
    )
    process.kill(run.pid!, 'SIGKILL')
    await run
    await untilGone(lab)
    const all = await Promise.all([1, 2, 3, 4, 5].map(() => lab.run('client1', ['nbtrun', 'reap', '--json'])))
    assert.deepEqual(
      all.map(({ code, stderr }) => [code, stderr]),
      all.map(() => [0, '']),
    )
    const reaped = all.flatMap(({ stdout }) => (JSON.parse(stdout) as { reaped: { gone: string[] }[] }).reaped)
    assert.equal(reaped.flatMap(({ gone }) => gone).filter(what => /nbtrun\/[0-9a-f]{8}$/.test(what)).length, 1)
    await nothingLeft(lab)
  })

  test('what one reap is giving back no other takes over, also when it is stopped in the middle of it', async () => {
    const prefix = here(lab, 'held-prefix')
    mkdirSync(join(prefix, 'dosdevices'), { recursive: true })
    writeFileSync(join(prefix, 'system.reg'), 'WINE REGISTRY Version 2\n')
    symlinkSync('/run/x', join(prefix, 'dosdevices', 'q:'))
    const run = lab.spawn('client1', words(lab, ['/bin/sh', '-c', 'echo ready; read -r line'], { options: ['--kill-after', '0.2'] }))
    await said(run)
    process.kill(run.pid!, 'SIGKILL')
    await run
    await untilGone(lab)
    const [dead = ''] = entries(lab)
    const file = join(journalOf(lab), dead)
    const drive = { what: 'drive', prefix, letter: 'q:', unc: null, point: '/run/x', typed: false, letterBefore: '/usr', uncBefore: null, typeBefore: null }
    appendFileSync(file, `${JSON.stringify(drive)}\n`)
    // the prefix is being changed by somebody else, for whom the first one waits with its claim
    const { dev, ino } = statSync(prefix)
    const name = `\\0nbtrun-wine-0-${dev.toString(16)}-${ino.toString(16)}`
    const holder = lab.spawn('client1', ['node', '-e', `require('net').createServer().listen('${name}', () => console.log('ready')); process.stdin.resume()`], {
      user: 'root',
      stdin: 'pipe',
    })
    await said(holder)
    const first = lab.spawn('client1', ['nbtrun', 'reap'])
    await until('the claim', () => entries(lab).some(each => each.startsWith(`${dead}~`)))
    const claimed = entries(lab).find(each => each.startsWith(`${dead}~`))!
    process.kill(first.pid!, 'SIGSTOP')
    const by = claimed.slice(dead.length + 1)
    const second = await lab.run('client1', ['nbtrun', 'reap'])
    assert.equal(second.stdout, `run ${dead} is not touched: run ${by} gives it back\n`)
    assert.ok(entries(lab).includes(claimed) && entries(lab).includes(by), entries(lab).join(' '))
    assert.equal(readlinkSync(join(prefix, 'dosdevices', 'q:')), '/run/x')
    process.kill(holder.pid!, 'SIGKILL')
    await holder
    process.kill(first.pid!, 'SIGCONT')
    assert.match(String((await first).stdout), new RegExp(`^run ${dead} is dead; gave back drive Q: of `))
    assert.equal(readlinkSync(join(prefix, 'dosdevices', 'q:')), '/usr')
    await nothingLeft(lab)
  })

  test('a run that is seen from another time namespace lives: its start counts from another moment there', async () => {
    const options = ['--mapping', 'shared']
    const run = lab.spawn('client1', words(lab, ['/bin/sh', '-c', 'echo ready; read -r line; ls "$NBTRUN_MOUNT" >&2'], { options }), { stdin: 'pipe' })
    await said(run)
    const apart = ['unshare', '-T', '--boottime', '100000', '--fork', 'nbtrun', 'reap', '//srv', '--auth-file', lab.authFile()]
    const { code, stdout, stderr } = await lab.run('client1', apart, { user: 'root' })
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, /^run [0-9a-f]{8} is not touched: it may run in another time namespace\n$/)
    assert.equal((await lab.server().sessions()).length, 1)
    run.stdin?.end('\n')
    assert.equal((await run).exitCode, 0)
    await nothingLeft(lab)
  })

  test("another machine's entries in a shared home are listed and stay, through runs and reaps", async () => {
    const run = lab.spawn('client1', words(lab, ['/bin/sh', '-c', 'echo ready; read -r line']), { stdin: 'pipe' })
    await said(run)
    const theirs = dirname(journalOf(lab, 'client2'))
    cpSync(dirname(journalOf(lab)), theirs, { recursive: true })
    await lab.run('client2', [
      'sh',
      '-c',
      `sed -i 's/"machine":"[0-9a-f]*"/"machine":"other"/; s/"boot":"[^"]*"/"boot":"other"/' "$1"/*`,
      'sh',
      join(theirs, 'journal'),
    ])
    run.stdin?.end('\n')
    await run
    assert.equal((await nbtrun(lab, ['/bin/true'], { client: 'client2' })).code, 0)
    const { stdout } = await lab.run('client2', ['nbtrun', 'reap', '//srv', '--auth-file', lab.authFile()])
    assert.match(stdout, /^run [0-9a-f]{8} is not touched: it was written on another machine \(client1\)\n$/)
    const [name = ''] = entries(lab, 'client2')
    assert.match((await lab.run('client2', ['nbtrun', 'reap', '--forget', name])).stdout, /^1 entry forgotten\n$/)
    assert.deepEqual(entries(lab, 'client2'), [])
    await nothingLeft(lab)
  })
})
