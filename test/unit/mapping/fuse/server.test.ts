import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { threadedDevice } from '../../../../src/mapping/fuse/device.ts'
import { Bench, cannotMount } from './mounted.ts'

/** A tree with what trees have: depth, many files, an empty one, a large one, programs. */
function plantTree(top: string): void {
  mkdirSync(join(top, 'a/b/c'), { recursive: true })
  mkdirSync(join(top, 'empty'))
  for (let i = 0; i < 40; i++) writeFileSync(join(top, 'a/b', `file ${i}`), `${i}\n`.repeat(i * 50))
  writeFileSync(join(top, 'a/nothing'), '')
  writeFileSync(join(top, 'a/b/c/large'), Buffer.alloc(3_500_001, 'nbtrun'))
  writeFileSync(join(top, 'fixed'), 'read only')
  chmodSync(join(top, 'fixed'), 0o444)
}

describe('files on a mounted share', { skip: cannotMount }, () => {
  for (const [how, options] of [
    ['polled', {}],
    ['with blocking reads', { device: threadedDevice }],
  ] as const) {
    test(`a tree copied in and out again is the same (${how})`, async () => {
      using bench = new Bench()
      plantTree(join(bench.top, 'tree'))
      await bench.run(
        'cp -a "$TOP/tree" . && cp -a tree "$TOP/back" && diff -r "$TOP/tree" "$TOP/back" && diff -r "$TOP/tree" tree && stat -c %a%Y tree/fixed tree/a/nothing > "$TOP/seen"',
        options,
      )
      assert.ok(readFileSync(join(bench.disk, 'tree/a/b/c/large')).equals(readFileSync(join(bench.top, 'tree/a/b/c/large'))))
      const mtime = (name: string): number => Math.floor(statSync(join(bench.top, 'tree', name)).mtimeMs / 1000)
      assert.equal(readFileSync(join(bench.top, 'seen'), 'utf8'), `555${mtime('fixed')}\n755${mtime('a/nothing')}\n`)
    })
  }

  test('scripts and ELF programs run from it, with their mappings', async () => {
    using bench = new Bench()
    const out = await bench.run(`
      printf '#!/bin/sh\\necho script "$@"\\n' > s; ./s 1 2
      cp /bin/echo e; ./e elf; ./e again
      python3 -c "
import mmap
with open('m', 'w+b') as f:
    f.write(b'x' * 10000); f.flush()
    with mmap.mmap(f.fileno(), 10000, mmap.MAP_PRIVATE) as m: m[0:1] = b'P'; print(m[:2], f.seek(0), f.read(1))
    with mmap.mmap(f.fileno(), 10000, mmap.MAP_SHARED) as m: m[5000:5003] = b'abc'
print(open('m','rb').read()[4999:5004])
"`)
    assert.equal(out, "script 1 2\nelf\nagain\nb'Px' 0 b'x'\nb'xabcx'\n")
  })

  test('a directory is renamed while files below it are open', async () => {
    using bench = new Bench()
    const out = await bench.run(
      'mkdir -p a/b; exec 3>a/b/f; echo one >&3; mv a z; echo two >&3; echo three > z/b/g; cat z/b/f z/b/g; stat -L -c %s /dev/fd/3; ls; exec 3>&-; chmod 444 z/b/f; stat -c %a z/b/f',
    )
    assert.equal(out, 'one\ntwo\nthree\n8\nz\n555\n')
  })

  test('rename replaces files, open and READONLY ones too, and empty directories; NOREPLACE and EXCHANGE', async () => {
    using bench = new Bench()
    const out = await bench.run(`python3 - << 'E'
import os, ctypes, errno
def put(n, t, mode=0o644):
    fd = os.open(n, os.O_CREAT|os.O_WRONLY|os.O_EXCL, mode); os.write(fd, t); os.close(fd)
def get(n): return open(n).read()
put('a', b'A'); put('b', b'B'); os.rename('a', 'b'); print(get('b'))
f = open('b'); put('c', b'C'); os.rename('c', 'b'); print(get('b'), f.read(), os.fstat(f.fileno()).st_nlink, os.listdir('.')); f.close()
put('ro', b'old', 0o444); put('n', b'new'); os.rename('n', 'ro'); print(get('ro'))
os.mkdir('d'); os.mkdir('e'); put('d/in', b''); os.rename('d', 'e'); print(os.listdir('e'))
os.mkdir('d')
try: os.rename('d', 'e')
except OSError as x: print(errno.errorcode[x.errno])
libc = ctypes.CDLL(None, use_errno=True)
for flags in (1, 2):
    r = libc.renameat2(-100, b'ro', -100, b'b', flags); print(r, errno.errorcode[ctypes.get_errno()])
E`)
    assert.equal(out, "A\nC A 0 ['b']\nnew\n['in']\nENOTEMPTY\n-1 EEXIST\n-1 EINVAL\n")
    assert.deepEqual(readdirSync(bench.disk).sort(), ['b', 'd', 'e', 'ro'], 'no hidden name is left')
  })

  test('an open file is removed: gone from the directory, usable through its handle, its name free', async () => {
    using bench = new Bench()
    const out = await bench.run(
      'exec 3<>f; echo one >&3; rm f; ls -A; echo two >&3; echo new > f; cat /proc/self/fd/0 < f; stat -L -c "%s %h" /dev/fd/3; rm f; mkdir f; exec 3>&-; rmdir f; ls -A',
    )
    assert.equal(out, 'new\n8 0\n')
    assert.deepEqual(readdirSync(bench.disk), [])
  })

  test('a READONLY file is removed like any other, written to like none', async () => {
    using bench = new Bench()
    const out = await bench.run(
      'umask 0; echo x > f; chmod 444 f; (echo y > f) 2>&1 | sed "s/.*: //"; [ -w f ] || echo no; chmod 644 f; echo z > f; cat f; chmod 400 f; stat -c %a f; chmod 444 f; rm f; ls -A',
    )
    assert.equal(out, 'Permission denied\nno\nz\n555\n')
  })

  test('two processes append without losing a line', async () => {
    using bench = new Bench()
    await bench.run('for p in a b; do (i=0; while [ $i -lt 200 ]; do echo "$p $i" >> log; i=$((i+1)); done) & done; wait; (echo late >> log)')
    const lines = readFileSync(join(bench.disk, 'log'), 'utf8').split('\n')
    assert.equal(lines.length, 402)
    for (const p of ['a', 'b'])
      assert.deepEqual(
        lines.filter(line => line.startsWith(p)),
        Array.from({ length: 200 }, (_, i) => `${p} ${i}`),
      )
  })

  test('what another host wrote is read at once, through handles opened before too', async () => {
    using bench = new Bench()
    writeFileSync(join(bench.disk, 'f'), 'before')
    const mounted = await bench.start(
      'exec 3<f; cat f; echo; echo > "$TOP/ready"; until [ -e "$TOP/go" ]; do sleep 0.01; done; cat <&3; echo; stat -c %s f; ls',
    )
    await bench.sign('ready')
    writeFileSync(join(bench.disk, 'f'), 'after, and longer')
    writeFileSync(join(bench.disk, 'other'), '')
    writeFileSync(join(bench.top, 'go'), '')
    const { stdout, stderr } = await mounted.finished
    await mounted.server.gone
    assert.deepEqual([stdout, stderr], ['before\nafter, and longer\n17\nf\nother\n', ''])
  })

  test('a file replaced elsewhere while open here: the handle keeps the old, the name has the new', async () => {
    using bench = new Bench()
    writeFileSync(join(bench.disk, 'f'), 'old')
    const mounted = await bench.start(
      'exec 3<f; echo > "$TOP/ready"; until [ -e "$TOP/go" ]; do sleep 0.01; done; stat -c %s f; stat -L -c %s /dev/fd/3; cat f - <&3',
    )
    await bench.sign('ready')
    writeFileSync(join(bench.disk, 'new'), 'newer')
    renameSync(join(bench.disk, 'new'), join(bench.disk, 'f'))
    writeFileSync(join(bench.top, 'go'), '')
    const { stdout } = await mounted.finished
    await mounted.server.gone
    assert.equal(stdout, '5\n3\nnewerold')
  })

  test('300 entries are listed, again after rewinddir, from a place kept by telldir', async () => {
    using bench = new Bench()
    mkdirSync(join(bench.disk, 'many'))
    for (let i = 0; i < 300; i++) writeFileSync(join(bench.disk, 'many', `entry with a long name ${i}`), '')
    const out = await bench.run(`ls many | wc -l; ls -l many | wc -l; ls -U many | sort | uniq -d; python3 - << 'E'
import ctypes
c = ctypes.CDLL(None)
c.opendir.restype = c.readdir.restype = ctypes.c_void_p
c.telldir.restype = ctypes.c_long
for f in (c.readdir, c.rewinddir, c.telldir, c.closedir): f.argtypes = [ctypes.c_void_p]
c.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
d = c.opendir(b'many')
def rest():
    names = []
    while (e := c.readdir(d)): names.append(ctypes.string_at(e + 19))
    return names
first = rest()
open('many/added', 'w').close()
c.rewinddir(d)
again = rest()
print(len(first), len(again), b'added' in again)
c.rewinddir(d)
for i in range(100): c.readdir(d)
at = c.telldir(d); tail = rest(); c.seekdir(d, at); print(tail == rest(), len(tail))
c.closedir(d)
E
rm -r many; ls`)
    assert.equal(out, '300\n301\n302 303 True\nTrue 203\n')
  })

  test('names that Windows refuses are kept', async () => {
    using bench = new Bench()
    const names = ['a:b', 'what?', 'star*', '"quoted"', '<in>', 'a|b', 'back\\slash', 'dot.', 'space ', 'new\nline', 'ünï😀', '...']
    const script = bench.python(`
import os
names = ${JSON.stringify(names)}
for n in names:
    with open(n, 'w') as f: f.write(n)
assert sorted(os.listdir('.')) == sorted(names), os.listdir('.')
for n in names: assert open(n).read() == n
os.rename('a:b', 'c:d'); os.mkdir('dir:'); os.rename('c:d', 'dir:/a:b')
for e in (b'\\xff', b'x' * 256):
    try: open(e, 'w'); assert False
    except OSError as x: print(os.strerror(x.errno))
`)
    assert.equal(await bench.run(script), 'Invalid or incomplete multibyte or wide character\nFile name too long\n')
    assert.ok(readdirSync(bench.disk).includes('what\uf025'))
    assert.deepEqual(readdirSync(join(bench.disk, 'dir\uf022')), ['a\uf022b'])
  })

  test('what a share does not have is refused', async () => {
    using bench = new Bench()
    const script = bench.python(`
import os, errno
open('f', 'w').close(); os.mkdir('d')
def no(what, *args):
    try: what(*args); print('done', end=' ')
    except OSError as x: print(errno.errorcode[x.errno], end=' ')
no(os.symlink, 'f', 's'); no(os.link, 'f', 'l'); no(os.mkfifo, 'p'); no(os.mknod, 'n')
no(os.chown, 'f', 1, -1); no(os.chown, 'f', 0, 0); no(os.chmod, 'd', 0o500)
no(os.unlink, 'd'); no(os.rmdir, 'f'); no(os.mkdir, 'd'); no(os.rmdir, 'missing'); no(os.getxattr, 'f', 'user.x')
no(os.open, 'f', os.O_CREAT | os.O_EXCL | os.O_WRONLY); no(os.posix_fallocate, os.open('f', os.O_RDWR), 0, 8192); no(os.listdir, 'f')
`)
    assert.equal(
      await bench.run(`${script}; stat -f -c %l .; fallocate -l 1 f 2>&1 | grep -c supported`),
      'EPERM EPERM EPERM done EPERM done done EISDIR ENOTDIR EEXIST ENOENT ENOTSUP EEXIST done ENOTDIR 255\n1\n',
    )
  })

  test('sizes and times are set, through handles and by name', async () => {
    using bench = new Bench()
    const out = await bench.run(`
      printf 0123456789 > f; truncate -s 4 f; cat f; echo; truncate -s 6 f; stat -c %s f
      touch -d @1000000000.5 f; stat -c %.1Y f; touch -a -d @5 f; stat -c '%X %Y' f
      : > f; stat -c %s f; dd if=/dev/zero of=g bs=10 count=1 seek=5 conv=fsync 2>/dev/null; stat -c %s g; sync f; exec 4<g; sync /dev/fd/4; sync .`)
    assert.equal(out, '0123\n6\n1000000000.5\n5 1000000000\n0\n60\n')
  })

  test('a read-only share answers EROFS to every change and reads as ever', async () => {
    using bench = new Bench()
    writeFileSync(join(bench.disk, 'f'), 'text')
    mkdirSync(join(bench.disk, 'd'))
    const script = bench.python(`
import os, errno
for what, *args in ((os.open, 'f', 1), (os.open, 'f', os.O_TRUNC), (os.open, 'n', os.O_CREAT), (os.unlink, 'f'), (os.mkdir, 'e'), (os.rename, 'f', 'g'), (os.truncate, 'f', 0), (os.chmod, 'f', 0), (os.utime, 'f'), (os.mknod, 'n'), (os.rmdir, 'd')):
    try: what(*args); print(what)
    except OSError as x: assert x.errno == errno.EROFS, (what, x)
print(os.access('f', 2))
`)
    assert.equal(await bench.run(`cat f; echo; stat -c %a f .; ${script}`, { readOnly: true }), 'text\n555\n555\nFalse\n')
    assert.equal(readFileSync(join(bench.disk, 'f'), 'utf8'), 'text')
  })

  test('bytes are counted, requests traced', async () => {
    using bench = new Bench()
    const lines: string[] = []
    const mounted = await bench.start('printf 12345 > f; cat f f', { trace: line => void lines.push(line) })
    await mounted.finished
    await mounted.server.gone
    assert.ok(
      lines.some(line => /^WRITE node \d+: ok \(\d+\.\d ms\)$/.test(line)),
      lines.join('\n'),
    )
    assert.ok(lines.some(line => line.startsWith('LOOKUP node 1: errno 2 ')))
    assert.deepEqual({ ...mounted.server.counters }, { bytesRead: 10, bytesWritten: 5 })
  })
})
