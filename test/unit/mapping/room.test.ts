import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { missing } from '../../lab/missing.ts'
import { cannotMount } from './fuse/mounted.ts'

const CHILD = [process.execPath, '--import', 'tsx', fileURLToPath(new URL('room-child.ts', import.meta.url))]
const isRoot = process.getuid?.() === 0

/** Words that run others as uid 1000 with a /dev/fuse of their own that everybody may open; the machine's stays as it is. Root of a user namespace cannot make one. */
function asUser(prepare = ''): string[] {
  const script = `mount -t tmpfs none /mnt && mknod -m 666 /mnt/fuse c 10 229 2>/dev/null && mount --bind /mnt/fuse /dev/fuse; umount -l /mnt; ${prepare}
exec setpriv --reuid=1000 --regid=1000 --groups=1000,24 -- "$@"`
  return isRoot ? ['unshare', '--mount', '--propagation', 'slave', 'sh', '-c', script, 'sh'] : []
}

function run(words: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const [command = '', ...args] = words
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...env } })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return { child, next: async () => String((await lines.next()).value) }
}

const ordinary = isRoot ? cannotMount : missing('fuse')
const ways = [
  { way: 'root', prefix: [], skip: cannotMount },
  { way: 'b2', prefix: asUser(), skip: ordinary },
  { way: 'b1', prefix: asUser(), skip: ordinary },
  { way: 'root', read: 'blocking', prefix: [], skip: cannotMount },
  { way: 'b2', read: 'blocking', prefix: asUser(), skip: ordinary },
  { way: 'b1', read: 'blocking', prefix: asUser(), skip: ordinary },
]

for (const { way, prefix, skip, read = 'polled' } of ways) {
  describe(`a room made the way ${way}, ${read}`, { skip, timeout: 60_000 }, () => {
    const env = { WAY: way, READ: read }
    const told = skip !== false ? Promise.resolve('{}') : run([...prefix, ...CHILD], env).next()
    const story = async (name: string) => JSON.parse(await told)[name]

    test('gives the program its share, and its words, variables, descriptors, ids and place in the session byte for byte', async () => {
      const saw = await story('faithful')
      assert.equal(saw.error, undefined)
      assert.equal(saw.way, way)
      assert.equal(saw.kind, 'private')
      assert.equal(saw.hello, 'hello from the share\n')
      assert.equal(saw.pid, saw.spawned, 'each step execs the next')
      assert.equal(saw.ppid, saw.parent)
      assert.equal(saw.cwd, saw.point)
      assert.deepEqual(saw.argv, ['./show', 'a', '', '--', '-x', 'sp ace\n', '007'])
      const want = [`PATH=${process.env['PATH']}`, `POINT=${saw.point}`, 'BASH_FUNC_f%%=() { :; }', 'empty=', 'odd name=a\nb', '1=one', '_=mine']
      assert.deepEqual(saw.environ.split('\0').slice(0, -1).toSorted(), want.toSorted())
      const inherited = Object.entries(saw.fds).filter(([, to]) => to === '/etc/hostname')
      assert.deepEqual(inherited, [
        ['4', '/etc/hostname'],
        ['7', '/etc/hostname'],
      ])
      assert.deepEqual(
        Object.values(saw.fds).filter(to => /fuse|mnt:|user:|pidfd/.test(String(to))),
        [],
        'no descriptor of ours',
      )
      assert.equal(saw.mount.length, 1)
      assert.match(saw.mount[0], / - fuse\.nbtrun \/\/srv\/my\\040app /)
    })

    test('leaves it user, groups and capabilities as they would be without a room', async () => {
      const { ids, groups, caps } = await story('faithful')
      const none = '0000000000000000'
      if (way === 'root') {
        const own = /^CapEff:\s*(\w+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]
        assert.deepEqual(caps, { CapInh: none, CapPrm: own, CapEff: own, CapAmb: none })
      } else {
        assert.deepEqual(caps, { CapInh: none, CapPrm: none, CapEff: none, CapAmb: none })
        if (isRoot) {
          assert.deepEqual(ids, [
            [1000, 1000, 1000],
            [1000, 1000, 1000],
          ])
          assert.equal(groups.length, 2)
        }
      }
    })

    test('shows the share to nobody outside', async () => {
      assert.deepEqual((await story('faithful')).outside, [])
    })

    test('lasts until the last process in it is gone, also one with a session of its own', async () => {
      const { left, code, before, after } = await story('lastUser')
      assert.equal(code, 7)
      assert.deepEqual(before, { users: [left], unused: 'pending', helpers: [] })
      assert.deepEqual(after, [])
    })

    test('counts a process that made itself another mount namespace', async () => {
      const { pid, users } = await story('nestedNamespace')
      assert.deepEqual(users, [pid])
    })

    test('cuts its users off at once when it is ended under them', async () => {
      assert.deepEqual(await story('cutOff'), { errno: 107 }) // ENOTCONN
    })

    test('is gone when the program never came in, and when none was started', async () => {
      assert.deepEqual(await story('neverEntered'), { helpers: [] })
    })

    test('may hold several shares', async () => {
      assert.deepEqual(await story('twoPoints'), { output: 'hello from the share\n'.repeat(2) })
    })

    test('is undone when cancelled half made', async () => {
      assert.deepEqual(await story('cancelled'), { message: 'enough', helpers: [] })
    })

    test('fails in one line when the server does not answer the first look', async () => {
      const { message, helpers } = await story('silentServer')
      assert.match(message, /^the mapping failed \(BASE\/a point-\w+ does not answer\)$/)
      assert.deepEqual(helpers, [])
    })

    test('tells the program TERM when nbtrun is killed', { skip }, async () => {
      const { child, next } = run([...prefix, ...CHILD, 'orphan'], env)
      const base = await next()
      await next()
      child.kill('SIGKILL')
      assert.equal(await next(), 'TERM')
      await once(child, 'close') // its output is closed by all: nothing of it is left
      rmSync(base, { recursive: true })
    })
  })
}

describe('a room that cannot be made', { skip: !isRoot, timeout: 60_000 }, () => {
  const failure = async (prefix: readonly string[]) => JSON.parse(await run([...prefix, ...CHILD, 'error']).next())
  const within = (script: string): string[] => ['unshare', '--mount', '--propagation', 'slave', 'sh', '-c', `${script}\nexec "$@"`, 'sh']

  test('says how to get /dev/fuse where it is missing', async () => {
    const { code, line } = await failure(
      within('mount -t tmpfs none /mnt; for d in null urandom; do touch /mnt/$d; mount --bind /dev/$d /mnt/$d; done; mount --rbind /mnt /dev'),
    )
    assert.equal(code, 'MAPPING_FAILED')
    assert.equal(line, '/dev/fuse does not exist; modprobe fuse, or docker run --device /dev/fuse')
  })

  test('says so where this user may not open /dev/fuse', async () => {
    const { line } = await failure(asUser('mount -t tmpfs none /mnt && touch /mnt/closed && chmod 600 /mnt/closed && mount --bind /mnt/closed /dev/fuse'))
    assert.equal(line, '/dev/fuse may not be opened by this user; chmod 666 /dev/fuse, or join the group that owns it')
  })

  test('names the setting where user namespaces are refused', async () => {
    const limit = ['unshare', '--user', '--map-current-user', '--keep-caps', 'sh', '-c', 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"', 'sh']
    const { line } = await failure([...asUser(), ...limit])
    assert.match(line, /^no namespace for a private mapping \(unshare: .*\); sysctl user\.max_user_namespaces=10000$/)
  })

  test('says when the tools are too old', async () => {
    const { line } = await failure(
      within(
        'mount -t tmpfs none /mnt; printf "#!/bin/sh\\necho unshare: unrecognized option >&2; exit 1\\n" >/mnt/unshare; chmod +x /mnt/unshare; export PATH=/mnt:$PATH',
      ),
    )
    assert.equal(line, "this system's tools are too old for a private mapping (unshare: unrecognized option); util-linux 2.36 is needed")
  })
})
