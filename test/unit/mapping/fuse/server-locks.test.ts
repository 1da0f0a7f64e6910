import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { FLOCK_RANGE } from '../../../../src/mapping/fuse/locks.ts'
import type { OpenFile } from '../../../../src/smb/files.ts'
import { type DiskOpen } from './disk-files.ts'
import { Bench, cannotMount, type Mounted } from './mounted.ts'

const PRELUDE = `
import os, fcntl, errno, struct, time
def lock(fd, kind, start, length, cmd=fcntl.F_SETLK):
    try:
        fcntl.fcntl(fd, cmd, struct.pack('hhqqi', kind, 0, start, length, 0)); return 'ok'
    except OSError as x: return errno.errorcode[x.errno]
def test(fd, kind, start, length):
    kind, _, start, length, pid = struct.unpack('hhqqi', fcntl.fcntl(fd, fcntl.F_GETLK, struct.pack('hhqqi', kind, 0, start, length, 0)))
    return {0: 'R', 1: 'W', 2: '-'}[kind], start, length, pid
def child(work):
    r, w = os.pipe(); pid = os.fork()
    if pid == 0:
        os.write(w, repr(work()).encode()); os._exit(0)
    os.close(w); os.waitpid(pid, 0); out = os.read(r, 1000).decode(); os.close(r); return out
R, W, U = fcntl.F_RDLCK, fcntl.F_WRLCK, fcntl.F_UNLCK
fd = os.open('f', os.O_RDWR)
`

/** A bench with a file of 1000 bytes, and an open of another host on it. */
async function scene(): Promise<{ bench: Bench; foreign: OpenFile; locks: () => string }> {
  const bench = new Bench()
  writeFileSync(join(bench.disk, 'f'), 'x'.repeat(1000))
  const foreign = await bench.files.open('f', { read: true, write: true })
  const { inode } = foreign as DiskOpen
  const locks = (): string => inode.locks.map(l => `${l.offset}+${l.length}${l.exclusive ? 'x' : 's'}${l.open === foreign ? '!' : ''}`).join(' ')
  return { bench, foreign, locks }
}

async function finish(mounted: Mounted): Promise<string> {
  const { stdout, stderr } = await mounted.finished
  await mounted.server.gone
  assert.deepEqual([stderr, mounted.warnings], ['', []])
  return stdout
}

describe('locks on a mounted share', { skip: cannotMount }, () => {
  test('fcntl locks are the server’s: two descriptors, fork, conversion, partial unlock, close', async () => {
    const { bench, foreign, locks } = await scene()
    using _ = bench
    const out = await bench.run(
      bench.python(`${PRELUDE}
two = os.open('f', os.O_RDWR)
print(lock(fd, W, 0, 10), lock(two, W, 5, 10), child(lambda: (lock(fd, R, 0, 1), lock(two, W, 14, 1), lock(fd, W, 15, 5))))
print(child(lambda: test(fd, R, 0, 100)[:3]), child(lambda: test(fd, R, 0, 100)[3] == os.getppid()), test(fd, W, 0, 100)[0])
print(lock(fd, R, 0, 15), child(lambda: (lock(fd, R, 0, 1), lock(fd, W, 0, 1))))
print(lock(fd, U, 0, 5), child(lambda: (lock(fd, W, 0, 5), lock(fd, W, 4, 2))))
print(lock(fd, W, 0, 15), child(lambda: lock(fd, R, 3, 1)))
os.close(two)
print(child(lambda: lock(fd, W, 0, 0)))
`),
    )
    assert.deepEqual(out.trim().split('\n'), [
      "ok ok ('EAGAIN', 'EAGAIN', 'ok')",
      "('W', 0, 15) True -",
      "ok ('ok', 'EAGAIN')",
      "ok ('ok', 'EAGAIN')",
      "ok 'EAGAIN'",
      "'ok'",
    ])
    assert.equal(locks(), '', 'all given back')
    await foreign.close()
  })

  test('a lock of another host is EAGAIN, found by GETLK, and bars its bytes', async () => {
    const { bench, foreign } = await scene()
    using _ = bench
    await foreign.lock({ offset: 100n, length: 10n }, true)
    const out = await bench.run(
      bench.python(`${PRELUDE}
print(lock(fd, R, 105, 1), lock(fd, W, 0, 0), lock(fd, W, 0, 100), test(fd, W, 105, 1), test(fd, W, 110, 1)[0])
def io(what, *args):
    try: return len(what(*args)) if what is os.pread else what(*args)
    except OSError as x: return errno.errorcode[x.errno]
print(io(os.pread, fd, 100, 0), io(os.pread, fd, 10, 95), io(os.pwrite, fd, b'x', 100))
`),
    )
    assert.equal(out, "EAGAIN EAGAIN ok ('W', 105, 1, 0) -\n100 EACCES EACCES\n")
    await foreign.close()
  })

  test('programs of this host read and write each other’s locked bytes, as fcntl locks are advisory', async () => {
    const { bench, foreign } = await scene()
    using _ = bench
    const out = await bench.run(
      bench.python(`${PRELUDE}
other = os.open('f', os.O_RDWR)
print(lock(fd, W, 10, 10))
print(os.pwrite(other, b'A' * 30, 0), os.pread(other, 40, 0), child(lambda: os.pread(os.open('f', os.O_RDONLY), 12, 8)))
`),
    )
    assert.equal(out, `ok\n30 b'${'A'.repeat(30)}${'x'.repeat(10)}' b'${'A'.repeat(12)}'\n`)
    await foreign.close()
  })

  test('F_SETLKW waits for another host, and a signal ends the waiting', async () => {
    const { bench, foreign, locks } = await scene()
    using _ = bench
    await foreign.lock({ offset: 0n, length: 10n }, true)
    const mounted = await bench.start(
      bench.python(`${PRELUDE}
import signal
class Alarm(Exception): pass
def ring(*_): raise Alarm
signal.signal(signal.SIGALRM, ring)
signal.setitimer(signal.ITIMER_REAL, 0.1)
try: print(lock(fd, W, 5, 10, fcntl.F_SETLKW))
except Alarm: print('alarm')
open(os.environ['TOP'] + '/waiting', 'w').close()
print(lock(fd, W, 5, 10, fcntl.F_SETLKW))
`),
    )
    await bench.sign('waiting')
    assert.equal(locks(), '0+10x!')
    await foreign.unlock({ offset: 0n, length: 10n })
    assert.equal(await finish(mounted), 'alarm\nok\n')
    await foreign.close()
  })

  test('a program that waits for a lock is killed at once, and what it would have got is free', async () => {
    const { bench, foreign, locks } = await scene()
    using _ = bench
    await foreign.lock({ offset: 0n, length: 10n }, true)
    const out = await bench.run('exec 9<f; timeout -s KILL 0.2 ' + bench.python(`${PRELUDE}\nprint(lock(fd, W, 0, 0, fcntl.F_SETLKW))`) + ' 2>&1; echo $?')
    assert.match(out, /^(Killed\n)?137\n$/)
    assert.equal(locks(), '0+10x!')
    await foreign.close()
  })

  test('two owners that wait for each other can be interrupted', async () => {
    const { bench, foreign } = await scene()
    using _ = bench
    const out = await bench.run(
      bench.python(`${PRELUDE}
import signal
print(lock(fd, W, 0, 1), flush=True)
r, w = os.pipe(); pid = os.fork()
if pid == 0:
    print(lock(fd, W, 1, 1), flush=True); os.write(w, b'.'); lock(fd, W, 0, 1, fcntl.F_SETLKW); os._exit(0)
os.read(r, 1)
signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL)); signal.setitimer(signal.ITIMER_REAL, 0.1)
print(lock(fd, W, 1, 1, fcntl.F_SETLKW), os.WTERMSIG(os.waitpid(pid, 0)[1]))
`),
    )
    assert.equal(out.split('\n').sort().join(' '), ' ok ok ok 9')
    await foreign.close()
  })

  test('flock(1) excludes other hosts and leaves the data alone', async () => {
    const { bench, foreign, locks } = await scene()
    using _ = bench
    const held = `${FLOCK_RANGE.start}+2`
    const mounted = await bench.start(
      `exec 3<>f 4<>f; flock -n 3 && ! flock -n 4 && ! flock -n -s f true && echo held; echo > "$TOP/held"; while [ -e "$TOP/held" ]; do sleep 0.01; done
       flock -n 4 || echo busy; flock -s -n 3 && flock -s -n 4 && echo shared; echo > "$TOP/shared"; while [ -e "$TOP/shared" ]; do sleep 0.01; done
       ${bench.python(`${PRELUDE}\nprint(lock(fd, W, 0, 0))`)}; flock -u 3; exec 4>&-; flock -n f echo free; flock f sh -c 'echo y > f'`,
    )
    await bench.sign('held')
    assert.equal(locks(), `${held}x`)
    await assert.rejects(foreign.lock({ offset: 0n, length: 1n << 63n }, true), { facts: { errno: 'EAGAIN', status: 0xc0000055 } }, 'the flock of Linux cifs')
    await foreign.write(0, Buffer.from('foreign'))
    rmSync(join(bench.top, 'held'))
    await bench.sign('shared')
    await foreign.lock({ offset: FLOCK_RANGE.start, length: 2n }, false)
    await foreign.unlock({ offset: FLOCK_RANGE.start, length: 2n })
    rmSync(join(bench.top, 'shared'))
    assert.equal(await finish(mounted), 'held\nbusy\nshared\nok\nfree\n')
    assert.equal(locks(), '')
    await foreign.close()
  })

  test('SQLite keeps its database consistent between processes', async () => {
    using bench = new Bench()
    const out = await bench.run(
      bench.python(`
import sqlite3, os
db = sqlite3.connect('db', timeout=20); db.execute('create table t (n)'); db.commit(); db.close()
pids = []
for p in range(3):
    pid = os.fork()
    if pid == 0:
        db = sqlite3.connect('db', timeout=20, isolation_level='IMMEDIATE')
        for i in range(15):
            with db:
                db.execute('begin immediate'); n = db.execute('select count(*) from t').fetchone()[0]; db.execute('insert into t values (?)', (n,))
        os._exit(0)
    pids.append(pid)
print([os.waitpid(pid, 0)[1] for pid in pids])
db = sqlite3.connect('db'); print(sorted(r[0] for r in db.execute('select n from t')) == list(range(45)), db.execute('pragma integrity_check').fetchone())
`),
    )
    assert.equal(out, "[0, 0, 0]\nTrue ('ok',)\n")
  })
})
