import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { NbtrunError } from '../../../../src/base/errors.ts'
import type { Closed } from '../../../../src/base/resource.ts'
import { deferred, now } from '../../../../src/base/time.ts'
import type { FileInfo, OpenFile } from '../../../../src/smb/files.ts'
import { type DiskFiles, withFaults } from './disk-files.ts'
import { Bench, cannotMount } from './mounted.ts'

const never = <T>(): Promise<T> => new Promise<T>(() => {})
const later = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** What may keep this process alive, but for its own output and the test's program. */
const active = (): string[] => process.getActiveResourcesInfo().filter(what => !['PipeWrap', 'TTYWrap', 'ProcessWrap'].includes(what))

describe('a server that does not answer', { skip: cannotMount }, () => {
  const hung = {
    wrap: (files: DiskFiles) => withFaults(files, { file: () => ({ read: never }) }),
  }

  test('does not keep a program from dying of SIGKILL or SIGTERM at once', async () => {
    using bench = new Bench()
    writeFileSync(join(bench.disk, 'f'), 'x')
    for (const signal of ['KILL', 'TERM']) {
      const mounted = await bench.start(`timeout -s ${signal} 0.5 cat f; echo $?`, { ...hung, timeoutMs: 60_000 })
      const began = now()
      const { stdout } = await mounted.finished
      assert.match(stdout, /137|124/)
      assert.ok(now() - began < 30_000, `SIG${signal} took ${now() - began} ms`)
    }
  })

  test('gives EINTR to a program that catches its signal, a second later', async () => {
    using bench = new Bench()
    writeFileSync(join(bench.disk, 'f'), 'x')
    const script = bench.python(`
import signal, time
class Alarm(Exception): pass
def ring(*_): raise Alarm
signal.signal(signal.SIGALRM, ring); began = time.monotonic(); signal.setitimer(signal.ITIMER_REAL, 1)
try: open('f').read()
except Alarm: print(2 <= time.monotonic() - began < 20)
`)
    const { stdout, stderr } = await (await bench.start(script, { ...hung, timeoutMs: 60_000 })).finished
    assert.deepEqual([stdout, stderr], ['True\n', ''])
  })

  test('is given up after the deadline, and the program told', async () => {
    using bench = new Bench()
    writeFileSync(join(bench.disk, 'f'), 'x')
    const began = now()
    const mounted = await bench.start('cat f', { ...hung, timeoutMs: 400 })
    const { code, stderr } = await mounted.finished
    assert.deepEqual([code, stderr], [1, 'cat: f: Connection timed out\n'])
    assert.ok(now() - began < 15_000) // not the 20 s of a limit that nobody set
    await mounted.server.gone
  })

  test('cannot delay the end for ever: what hangs is said', async () => {
    using bench = new Bench()
    const wrap = (files: DiskFiles) => withFaults(files, { file: file => ({ close: () => file.close().then(never<Closed>) }) })
    const mounted = await bench.start('echo x > f', { wrap, timeoutMs: 300 })
    await mounted.finished
    await mounted.server.gone
    assert.match(mounted.warnings.join(), /closing the files of \/\/disk\/share took longer than 300 ms/)
  })

  test('is told once until the server answers again', async () => {
    using bench = new Bench()
    const silent = (): Promise<Closed> => Promise.resolve({ how: 'forced', why: 'silence', error: new NbtrunError('TIMED_OUT', 'no answer') })
    const wrap = (files: DiskFiles) => withFaults(files, { file: (file, path) => (path === 'up' ? {} : { close: () => file.close().then(silent) }) })
    for (const name of ['a', 'b', 'up', 'c', 'd']) writeFileSync(join(bench.disk, name), '')
    const mounted = await bench.start('for f in a b up c d; do cat $f; done', { wrap })
    await mounted.finished
    await mounted.server.gone
    assert.deepEqual(mounted.warnings, ['closing a: no answer', 'closing c: no answer'])
  })

  test('is told once in the end, however many files were open', async () => {
    using bench = new Bench()
    const silent = (): Promise<Closed> => Promise.resolve({ how: 'forced', why: 'silence', error: new NbtrunError('TIMED_OUT', 'no answer') })
    const wrap = (files: DiskFiles) => withFaults(files, { file: file => ({ close: () => file.close().then(silent) }) })
    for (const name of ['a', 'b', 'c']) writeFileSync(join(bench.disk, name), '')
    const mounted = await bench.start('exec 3<a 4<b 5<c; : >"$TOP/up"; kill -STOP $$', { wrap })
    await bench.sign('up')
    assert.equal(mounted.server.openFiles().length, 3)
    await mounted.server.close()
    mounted.child.kill('SIGKILL')
    await mounted.finished
    assert.match(mounted.warnings.join('\n'), /^closing [abc]: no answer$/)
  })
})

describe('a signal during a slow answer', { skip: cannotMount }, () => {
  test('is no EINTR for a program that handles it: the answer comes', async () => {
    using bench = new Bench()
    writeFileSync(join(bench.disk, 'f'), 'slow')
    let reads = 0
    const wrap = (files: DiskFiles) =>
      withFaults(files, {
        file: file => ({
          read: async (offset, length) => {
            reads++
            await later(300)
            return file.read(offset, length)
          },
        }),
      })
    const script = bench.python(`
import signal, os
signal.signal(signal.SIGALRM, lambda *_: None); signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
said = os.read(os.open('f', os.O_RDONLY), 10)
signal.setitimer(signal.ITIMER_REAL, 0) # or it rings when the interpreter has let go of its handlers
print(said)
`)
    assert.equal(await bench.run(script, { wrap }), "b'slow'\n")
    assert.equal(reads, 1)
  })

  test('that kills who appends to a file: nothing is written, and whoever is next is not kept waiting', async () => {
    using bench = new Bench()
    const [asked, givenUp, answer] = [deferred<void>(), deferred<void>(), deferred<void>()]
    const stat = async (file: OpenFile): Promise<FileInfo> => {
      asked.resolve()
      await answer.promise
      return file.stat()
    }
    const wrap = (files: DiskFiles) => withFaults(files, { file: file => ({ stat: () => stat(file) }) })
    const trace = (line: string): void => (/^WRITE .* errno/.test(line) ? givenUp.resolve() : undefined)
    writeFileSync(join(bench.disk, 'f'), 'kept\n')
    const mounted = await bench.start('exec 3>>f; sh -c "echo \\$\\$ >\\$TOP/pid; echo one >&3"; echo two >&3', { wrap, trace })
    await asked.promise
    process.kill(Number(readFileSync(join(bench.top, 'pid'), 'latin1')), 'SIGKILL')
    await givenUp.promise
    answer.resolve()
    await mounted.finished
    await mounted.server.gone
    assert.deepEqual([readFileSync(join(bench.disk, 'f'), 'utf8'), mounted.warnings], ['kept\ntwo\n', []])
  })

  test('closes on the server what an open given up has opened there', async () => {
    using bench = new Bench()
    const slow = deferred<void>()
    const closed: string[] = []
    const wrap = (files: DiskFiles) => {
      const noting = withFaults(files, { file: (file, path) => ({ close: () => (closed.push(path), file.close()) }) })
      return withFaults(noting, {
        files: {
          open: async (path, options) => {
            if (path === 'f') await slow.promise
            return noting.open(path, options)
          },
        },
      })
    }
    const mounted = await bench.start('timeout 2 sh -c "echo x > f"; echo $?', { wrap })
    assert.equal((await mounted.finished).stdout, '124\n')
    slow.resolve()
    await mounted.server.gone
    assert.deepEqual(closed, ['f'])
  })
})

describe('errors of the server', { skip: cannotMount }, () => {
  test('of a write reach the program, and a lost connection is EIO', async () => {
    using bench = new Bench()
    const lost = new NbtrunError('CONNECTION_LOST', 'the server is gone')
    const full = new NbtrunError('FILE_ERROR', 'full', { facts: { errno: 'ENOSPC' } })
    const wrap = (files: DiskFiles) =>
      withFaults(files, { file: (_, path) => ({ write: () => Promise.reject(path === 'full' ? full : lost), flush: () => Promise.reject(lost) }) })
    const { stdout } = await (
      await bench.start(`for f in full lost; do dd if=/dev/zero of=$f count=1 2>&1 | sed -n 's/.*: //p'; done; : > f; sync f 2>&1`, { wrap })
    ).finished
    assert.equal(stdout, "No space left on device\nInput/output error\nsync: error syncing 'f': Input/output error\n")
  })

  test('of a close nobody waits for are warned of', async () => {
    using bench = new Bench()
    const wrap = (files: DiskFiles) =>
      withFaults(files, {
        file: file => ({ close: async () => ({ ...(await file.close()), how: 'forced', error: new NbtrunError('TIMED_OUT', 'no answer to CLOSE') }) }),
      })
    const mounted = await bench.start('echo x > f', { wrap })
    await mounted.finished
    await mounted.server.gone
    assert.deepEqual(mounted.warnings, ['closing f: no answer to CLOSE'])
  })

  test('close(2) waits for the writes of other threads, and for nothing else', async () => {
    using bench = new Bench()
    const wrap = (files: DiskFiles) =>
      withFaults(files, {
        file: file => ({
          write: async (offset, data) => {
            const copy = Buffer.from(data)
            writeFileSync(join(bench.top, 'writing'), '')
            await later(1500)
            await file.write(offset, copy)
          },
        }),
      })
    const script = bench.python(`
import os, threading, time
fd = os.open('f', os.O_CREAT | os.O_WRONLY)
t = threading.Thread(target=os.pwrite, args=(os.dup(fd), b'x' * 100000, 0)); t.start()
while not os.path.exists(os.environ['TOP'] + '/writing'): time.sleep(0.01)
began = time.monotonic(); os.close(fd); print(time.monotonic() - began > 0.1, os.stat('f').st_size); t.join()
`)
    assert.equal(await bench.run(script, { wrap }), 'True 100000\n')
  })
})

describe('the end of a mapping', { skip: cannotMount }, () => {
  test('comes within ms after the last descendant in the background is gone, with every close acknowledged', async () => {
    using bench = new Bench()
    let open = 0
    const wrap = (files: DiskFiles) =>
      withFaults(files, {
        file: file => {
          open++
          return {
            close: async () => {
              await later(50)
              open--
              return file.close()
            },
          }
        },
      })
    const mounted = await bench.start(`(exec 3>kept >/dev/null 2>&1; sleep 0.3; echo end >&3; date +%s%N > "$TOP/last") & exit 3`, { wrap })
    let gone = false
    void mounted.server.gone.then(() => void (gone = true))
    assert.equal((await mounted.finished).code, 3)
    assert.equal(gone, false, 'the background program still uses it')
    await mounted.server.gone
    const last = Number(BigInt(readFileSync(join(bench.top, 'last'), 'utf8')) / 1000n) / 1000
    assert.equal(open, 0)
    assert.ok(Date.now() - last < 4000, `${Date.now() - last} ms`)
    assert.equal(readFileSync(join(bench.disk, 'kept'), 'utf8'), 'end\n')
  })

  test('by close(): open files are closed on the server, the program gets an error, and nothing is left active', async () => {
    using bench = new Bench()
    const mounted = await bench.start('exec 3> f; echo one >&3; echo > "$TOP/open"; while echo more >&3; do :; done 2>/dev/null; cat f 2>&1; sleep 0.05')
    await bench.sign('open')
    assert.deepEqual(mounted.server.openFiles(), ['f'])
    await mounted.server.close()
    await mounted.server.gone
    const { stdout } = await mounted.finished
    assert.match(stdout, /cat: f: (Transport endpoint is not connected|Software caused connection abort)/)
    assert.match(readFileSync(join(bench.disk, 'f'), 'utf8'), /^one\n(more\n)*$/)
    assert.deepEqual(active(), [])
  })

  test('a limit cuts the closing short', async () => {
    using bench = new Bench()
    const wrap = (files: DiskFiles) => withFaults(files, { file: file => ({ close: () => file.close().then(never<Closed>) }) })
    const mounted = await bench.start('exec 3> f; echo > "$TOP/open"; sleep 0.3', { wrap })
    await bench.sign('open')
    const began = now()
    await mounted.server.close(AbortSignal.timeout(100))
    assert.ok(now() - began < 4000)
    await mounted.finished
    assert.deepEqual(readdirSync(bench.disk), ['f'])
  })
})
