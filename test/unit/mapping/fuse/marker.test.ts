import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { asError } from '../../../../src/base/errors.ts'
import { isErrno } from '../../../../src/mapping/fuse/errno.ts'
import type { Files } from '../../../../src/smb/files.ts'
import { withFaults } from './disk-files.ts'
import { Bench, cannotMount, type Mounted, type Setup } from './mounted.ts'

/** Everything that a program may try on the entry, and what comes of it, a line each. */
const TRY = `
import os, stat
M, D = '.ciopfs', 'd/.ciopfs'
for name in (M, D):
    s = os.stat(name)
    print(stat.S_ISREG(s.st_mode), s.st_size, s.st_nlink, os.access(name, os.F_OK), os.access(name, os.R_OK))
tries = (
    (os.open, M, os.O_RDONLY), (os.open, D, os.O_WRONLY), (os.open, M, os.O_RDWR | os.O_CREAT), (os.open, M, os.O_WRONLY | os.O_CREAT | os.O_EXCL),
    (os.truncate, D, 0), (os.chmod, M, 0o777), (os.utime, M), (os.unlink, M), (os.rmdir, D), (os.mkdir, M), (os.mknod, D), (os.symlink, 'f', M),
    (os.rename, M, 'g'), (os.rename, 'f', M), (os.rename, 'f', D), (os.rename, D, M), (os.link, M, 'g'), (os.link, 'f', M), (os.listdir, M),
)
for what, *args in tries:
    try: what(*args); print(what.__name__, *args, 'works')
    except OSError as x: print(what.__name__, *args, os.strerror(x.errno))
`
/** One entry for another is one name of a file for another of the same file: nothing is done, says rename(2), and we are not asked. */
const COME_OF_IT = `True 0 1 True False
True 0 1 True False
open .ciopfs 0 Permission denied
open d/.ciopfs 1 Permission denied
open .ciopfs 66 Permission denied
open .ciopfs 193 File exists
truncate d/.ciopfs 0 Operation not permitted
chmod .ciopfs 511 Operation not permitted
utime .ciopfs Operation not permitted
unlink .ciopfs Operation not permitted
rmdir d/.ciopfs Not a directory
mkdir .ciopfs File exists
mknod d/.ciopfs File exists
symlink f .ciopfs File exists
rename .ciopfs g Operation not permitted
rename f .ciopfs Operation not permitted
rename f d/.ciopfs Operation not permitted
rename d/.ciopfs .ciopfs works
link .ciopfs g Operation not permitted
link f .ciopfs File exists
listdir .ciopfs Not a directory
`

const UNTIL_TOLD = 'while [ ! -e "$TOP/told" ]; do sleep 0.05; done;'

/** A server to which names are the same but for case, when they are in lower case on its disk. `asked`: where the entry is in what it is asked for. */
function caseless(asked: string[] = []): (files: Files) => Files {
  const either = async <T>(path: string, work: (path: string) => Promise<T>): Promise<T> => {
    if (/ciopfs/i.test(path)) asked.push(path)
    return work(path).catch((error: unknown) => (isErrno(error, 'ENOENT') ? work(path.toLowerCase()) : Promise.reject(asError(error))))
  }
  return files =>
    withFaults(files, {
      files: {
        open: (path, options) => either(path, p => files.open(p, options)),
        stat: path => either(path, p => files.stat(p)),
        makeDirectory: path => either(path, p => files.makeDirectory(p)),
        remove: (path, directory) => either(path, p => files.remove(p, directory)),
        rename: (from, to, replace) => either(from, () => either(to, () => files.rename(from, to, replace))),
      },
    })
}

describe('the entry by which Wine knows that names are compared without case', { skip: cannotMount }, () => {
  /** Runs the script with the entry; what it printed. */
  async function withMarker(bench: Bench, script: string, setup: Setup = {}): Promise<string> {
    const mounted = await bench.start(`${UNTIL_TOLD} ${script}`, { wrap: caseless(), ...setup })
    await mounted.server.mark()
    writeFileSync(join(bench.top, 'told'), '')
    return ended(mounted)
  }

  async function ended(mounted: Mounted): Promise<string> {
    const { stdout, stderr } = await mounted.finished
    await mounted.server.gone
    assert.deepEqual([stderr, mounted.warnings], ['', []], stdout)
    return stdout
  }

  const plant = (bench: Bench): void => {
    mkdirSync(join(bench.disk, 'd'))
    writeFileSync(join(bench.disk, 'f'), 'text')
  }

  test('is in every folder, empty, and nothing can be done with it; the server is not asked', async () => {
    using bench = new Bench()
    plant(bench)
    const asked: string[] = []
    const script = `${bench.python(TRY)}; ls -A . d; mv d e; stat -c %s e/.ciopfs; rmdir e; cat f`
    assert.equal(await withMarker(bench, script, { wrap: caseless(asked) }), `${COME_OF_IT}.:\nd\nf\n\nd:\n0\ntext`)
    assert.deepEqual(asked, [])
  })

  test('is there from the moment that Wine is told, and not before', async () => {
    using bench = new Bench()
    plant(bench)
    const asked: string[] = []
    const look = '[ -e .ciopfs ] && echo yes || echo no;'
    const mounted = await bench.start(`${look} ${UNTIL_TOLD} ${look}`, { wrap: caseless(asked) })
    await once(mounted.child.stdout!, 'data')
    await mounted.server.mark()
    writeFileSync(join(bench.top, 'told'), '')
    assert.equal(await ended(mounted), 'no\nyes\n')
    assert.deepEqual(asked, ['.ciopfs'])
  })

  test('stands before a file of that name on the server, which other spellings still reach', async () => {
    using bench = new Bench()
    plant(bench)
    writeFileSync(join(bench.disk, '.ciopfs'), 'real')
    assert.equal(await withMarker(bench, `${bench.python(TRY)}; cat .CIOPFS; ls -lA | grep -ic ciopfs`), `${COME_OF_IT}real1\n`)
    assert.equal(readFileSync(join(bench.disk, '.ciopfs'), 'utf8'), 'real')
  })

  test('refuses changes to a mapping that is read only as such', async () => {
    using bench = new Bench()
    const rename = bench.python(`
import os
try: os.rename('.ciopfs', 'g')
except OSError as x: print(os.strerror(x.errno))
`)
    assert.equal(await withMarker(bench, `${rename}`, { readOnly: true }), 'Read-only file system\n')
  })

  const LOOK = '[ -e .ciopfs ] && echo yes || echo no'

  test('is not there on a server that tells case apart', async () => {
    using bench = new Bench()
    const plain = { wrap: (files: Files): Files => files }
    for (const names of [['one'], ['1', 'One']]) {
      for (const name of names) writeFileSync(join(bench.disk, name), '')
      assert.equal(await withMarker(bench, LOOK, plain), 'no\n')
    }
    using both = new Bench()
    for (const name of ['one', 'ONE']) writeFileSync(join(both.disk, name), '')
    assert.equal(await withMarker(both, LOOK), 'no\n')
  })

  test('is there where nothing can be told from', async () => {
    using bench = new Bench()
    writeFileSync(join(bench.disk, '1'), '')
    assert.equal(await withMarker(bench, LOOK, { wrap: files => files }), 'yes\n')
  })
})
