import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { type Lab, missing, useLab, type User } from './index.ts'
import { type Call, here, nbtrun, nbtrunReceipt, noMapping, nothingLeft, nothingLeftHere, script, words } from './nbtrun.ts'
import { processesLike, untilGone } from './watch.ts'

export interface WayTested {
  readonly way: 'root' | 'b2' | 'b1' | 'c'
  /** root unless told */
  readonly user?: User
  /** How the kernel's requests are read; polled unless told. With blocking reads only what these change is tested. */
  readonly read?: 'polled' | 'blocking'
}

/** Each way with who takes it; `map`: the `--mapping` that leads to it. */
export const WAYS: readonly { readonly way: string; readonly user?: User; readonly map?: string }[] = [
  { way: 'root' },
  { way: 'b2', user: 'alice' },
  { way: 'b1', user: 'alice' },
  { way: 'c', user: 'alice', map: 'shared' },
  { way: 'c', map: 'shared' },
]

/** What must hold in every way of mapping. */
export function acceptWay({ way, user, read = 'polled' }: WayTested): void {
  const kind = way === 'c' ? 'shared' : 'private'
  const polled = read === 'polled'
  const skip = noMapping || (way === 'c' && user !== undefined && missing('fuse3'))
  describe(`way ${way} of ${user ?? 'root'}, ${read}`, { skip, timeout: 800_000 }, () => {
    let lab: Lab
    before(async () => {
      lab = await useLab()
    })
    const env = { NBTRUN_TEST_WAY: way, NBTRUN_TEST_READ: read }
    const call = (options: readonly string[] = []): Call => ({ env, options: ['--grace', '0', ...options], ...(user === undefined ? {} : { user }) })
    /** The run's program has said so. */
    const spawn = async (program: readonly string[], options: readonly string[] = [], until = 'ready') => {
      const run = lab.spawn('client1', words(lab, program, { ...call(options), as: user ?? 'alice' }), call())
      let said = ''
      for await (const chunk of run.stdout as AsyncIterable<Buffer>) if ((said += String(chunk)).includes(until)) break
      return { run, said }
    }

    test('is what the receipt says; copies are the same; the end is acknowledged', async () => {
      const folder = join(lab.host('client1').folder, 'tmp', user ?? 'root')
      const copy =
        'set -e; cd "$1"; head -c 5000011 /dev/urandom >"$2/a"; cp "$2/a" b; cp b "$2/c"; cmp "$2/a" "$2/c"; mkdir -p d/e; for i in 1 2 3 4 5 6 7 8 9; do echo $i >d/e/$i; done; cat d/e/*; rm -r d; mv b f; [ ! -e d ] && ls f'
      const { stdout, stderr, code, receipt } = await nbtrunReceipt(lab, ['/bin/sh', '-c', copy, 'sh', '{mount}', folder], call())
      assert.deepEqual([stderr, code, stdout], ['', 0, '1\n2\n3\n4\n5\n6\n7\n8\n9\nf\n'])
      const [share] = receipt.shares
      assert.deepEqual([share?.mapping, share?.way, receipt.end, receipt.warnings], [kind, way, 'acknowledged', []])
      assert.deepEqual(readFileSync(join(lab.server().diskPath('app'), 'f')), readFileSync(join(folder, 'a')))
      await nothingLeft(lab)
    })

    if (polled)
      test('gives the program its user, no capability of ours, its descriptors and none of ours, and its folder on the share', async () => {
        script(lab, 'look', 'pwd; id -u; id -g; grep -E "^Cap(Inh|Prm|Eff|Amb)" /proc/self/status; ls -l /proc/$$/fd | grep -cE "fuse|mnt:|user:|socket"')
        const outside = await lab.run('client1', ['sh', '-c', 'id -u; id -g; grep -E "^Cap(Inh|Prm|Eff|Amb)" /proc/self/status'], call())
        const { stdout } = await nbtrun(lab, ['/bin/sh', '-c', 'cd "$NBTRUN_MOUNT"; exec ./look </dev/null 2>/dev/null | cat'], call())
        const [folder = '', ...others] = stdout.split('\n')
        assert.match(folder, /\/nbtrun\//)
        assert.equal(others.join('\n'), `${outside.stdout}0\n`)
      })

    if (polled)
      test('a lock held here is refused to another host, and granted once it is given up', async () => {
        writeFileSync(join(lab.server().diskPath('app'), 'locked'), 'x'.repeat(100))
        chmodSync(join(lab.server().diskPath('app'), 'locked'), 0o666)
        const hold = `import fcntl,sys
f=open(sys.argv[1]+'/locked','r+'); fcntl.lockf(f, fcntl.LOCK_EX); print('ready', flush=True); sys.stdin.readline()`
        const ask = `import fcntl,sys
f=open(sys.argv[1]+'/locked','r+')
try: fcntl.lockf(f, fcntl.LOCK_EX|fcntl.LOCK_NB); print('granted')
except OSError as e: print('refused')`
        const { run } = await spawn(['/usr/bin/python3', '-c', hold, '{mount}'])
        const asked = () => nbtrun(lab, ['/usr/bin/python3', '-c', ask, '{mount}'], { client: 'client2' })
        assert.equal((await asked()).stdout, 'refused\n')
        run.stdin?.end('\n')
        assert.equal((await run).exitCode, 0)
        assert.equal((await asked()).stdout, 'granted\n')
        await nothingLeft(lab)
      })

    for (const [how, start] of !polled
      ? []
      : ([
          ['by setsid', 'setsid sh -c "$job" >/dev/null 2>&1 &'],
          ['by a double fork, its environment forgotten', '(setsid env -i NBTRUN_MOUNT="$NBTRUN_MOUNT" sh -c "$job" >/dev/null 2>&1 &) &'],
          ['inside namespaces of its own', 'setsid unshare -Um sh -c "$job" >/dev/null 2>&1 &'],
        ] as const)) {
      test(`waits for a daemon started ${how}`, async () => {
        script(
          lab,
          'forks',
          `job='i=0; while [ $i -lt 10 ]; do echo line $i >> "$NBTRUN_MOUNT/log"; sleep 0.1; i=$((i+1)); done'\nrm -f "$NBTRUN_MOUNT/log"\n${start}\nexit 3`,
        )
        const { code, stderr, ms } = await nbtrun(lab, ['{mount}/forks'], call())
        assert.deepEqual([code, stderr], [3, ''])
        assert.ok(ms > 1000, `${ms} ms`)
        assert.equal(readFileSync(join(lab.server().diskPath('app'), 'log'), 'utf8'), Array.from({ length: 10 }, (_, i) => `line ${i}\n`).join(''))
        await nothingLeft(lab)
      })
    }

    if (polled)
      test('passes TERM on, and dies of it with the program', async () => {
        script(lab, 'polite', 'trap "trap - TERM; kill -TERM $$" TERM; echo ready; while :; do sleep 0.05; done')
        const { run } = await spawn(['{mount}/polite'])
        process.kill(run.pid!, 'SIGTERM')
        assert.equal((await run).signal, 'SIGTERM')
        await nothingLeft(lab)
      })

    test('--wait-for app takes it from the survivors, who get errors', async () => {
      const done = join(lab.host('client1').folder, 'tmp', user ?? 'root', 'survivor')
      script(
        lab,
        'survives',
        `setsid sh -c 'exec 3>"$NBTRUN_MOUNT/held"; echo up >${done}.up; while echo x >&3; do sleep 0.05; done 2>/dev/null; echo failed >${done}' >/dev/null 2>&1 &\nwhile [ ! -e ${done}.up ]; do sleep 0.02; done`,
      )
      const { code, stderr, ms, receipt } = await nbtrunReceipt(lab, ['{mount}/survives'], call(['--wait-for', 'app']))
      assert.equal(code, 0)
      assert.ok(ms < 60_000, `${ms} ms`) // it would write for ever
      assert.match(stderr, /^nbtrun: survives is gone; the share is taken from .*(sh|setsid) \(\d+\)/)
      assert.ok(receipt.survivors.length > 0)
      assert.equal(receipt.end, 'acknowledged')
      if (kind === 'shared') assert.equal(receipt.steps.find(step => step.phase === 'teardown' && step.name === 'mapping')?.status, 'detached')
      await untilGone(lab)
      assert.equal(readFileSync(done, 'utf8'), 'failed\n')
      await nothingLeft(lab)
    })

    test('kill -9 of nbtrun: the program gets TERM, its I/O fails at once, and the next nbtrun reap leaves nothing', async () => {
      script(lab, 'outlives', 'exec 3>"$NBTRUN_MOUNT/held"; trap "echo x >&3 || echo failed >&2; exit 0" TERM; echo ready; while :; do sleep 0.05; done')
      const { run } = await spawn(['{mount}/outlives'], ['--kill-after', '60'])
      process.kill(run.pid!, 'SIGKILL')
      const killed = performance.now()
      await run
      await lab.server().untilSessions(0)
      await untilGone(lab)
      assert.ok(performance.now() - killed < 30_000, `${performance.now() - killed} ms`)
      const { stdout } = await lab.run('client1', ['nbtrun', 'reap'], call())
      assert.match(stdout, /^run [0-9a-f]{8} is dead; gave back folder /)
      nothingLeftHere(lab)
    })

    if (polled)
      test('kill -9 of nbtrun: what ignores TERM and errors, in a session of its own, has --kill-after and no longer', async () => {
        const beat = here(lab, 'beat', user === undefined ? {} : { user })
        const deaf = 'trap "" TERM HUP; while :; do read -r up rest </proc/uptime; echo "$up" >>"$1"; ls "$NBTRUN_MOUNT" >/dev/null 2>&1; sleep 0.05; done'
        script(lab, 'deaf', `cd /; setsid sh -c '${deaf}' sh "$1" >/dev/null 2>&1 & while [ ! -s "$1" ]; do sleep 0.02; done; echo ready; ${deaf}`)
        const { run } = await spawn(['{mount}/deaf', beat], ['--kill-after', '1.5'])
        const uptime = (): number => 1000 * Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0])
        const killed = uptime()
        process.kill(run.pid!, 'SIGKILL')
        await lab.server().untilSessions(0)
        await untilGone(lab)
        const ms = uptime() - killed
        const beats = readFileSync(beat, 'utf8')
          .trim()
          .split('\n')
          .map(up => 1000 * Number(up) - killed)
        const last = Math.max(...beats)
        assert.ok(last > 500 && ms > 1400 && ms < 20_000, `the last beat after ${last} ms, all gone after ${ms} ms`)
        await lab.run('client1', ['nbtrun', 'reap'], call())
        nothingLeftHere(lab)
      })

    if (way === 'b1' || read === 'blocking')
      test('kill -9 of the relay: the program gets errors, nbtrun says so and gives everything back', async () => {
        script(lab, 'notices', 'exec 2>/dev/null; cd /; echo ready; while ls "$NBTRUN_MOUNT" >/dev/null; do sleep 0.05; done; exit 9')
        const { run } = await spawn(['{mount}/notices'])
        for (const pid of processesLike(lab, /relay\.js/)) process.kill(pid, 'SIGKILL')
        const { exitCode, stderr } = await run
        assert.equal(exitCode, 9)
        assert.equal(stderr, 'nbtrun: //srv/app: the relay that held the mapping is gone\n')
        await nothingLeft(lab)
      })

    if (kind === 'private' && polled)
      test('is seen by nobody else', async () => {
        const { run, said } = await spawn(['/bin/sh', '-c', 'touch "$NBTRUN_MOUNT/there"; echo "$NBTRUN_MOUNT"; echo ready; read -r line'])
        assert.deepEqual(readdirSync(said.split('\n')[0] ?? ''), [])
        run.stdin?.end('\n')
        assert.equal((await run).exitCode, 0)
        await nothingLeft(lab)
      })

    if (user === undefined && polled)
      test(`a program that drops to another user reads${kind === 'private' ? ' and writes' : ', and writes nothing'}`, async () => {
        writeFileSync(join(lab.server().diskPath('app'), 'for all'), 'read\n')
        chmodSync(join(lab.server().diskPath('app'), 'for all'), 0o666)
        const asAlice = [
          'setpriv',
          '--reuid=2001',
          '--regid=2001',
          '--clear-groups',
          '--',
          'sh',
          '-c',
          'id -u; cat "$1/for all"; { echo written >>"$1/for all"; } 2>/dev/null && touch "$1/new" && echo done',
          'sh',
        ]
        const { code, stdout, stderr } = await nbtrun(lab, [...asAlice, '{mount}'], call(['--chdir', '/', '--mount', open(lab)]))
        // a shared mapping of root's is everybody's to read; writing stays root's
        const writes = kind === 'private'
        assert.deepEqual([code, stdout, stderr], writes ? [0, '2001\nread\ndone\n', ''] : [2, '2001\nread\n', ''])
        assert.equal(readFileSync(join(lab.server().diskPath('app'), 'for all'), 'utf8'), writes ? 'read\nwritten\n' : 'read\n')
      })
  })
}

/** A folder that every user of the client can reach. */
function open(lab: Lab): string {
  const folder = join(lab.host('client1').folder, 'open')
  mkdirSync(folder, { recursive: true })
  return folder
}
