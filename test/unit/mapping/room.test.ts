import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { missing } from '../../lab/missing.ts'
import { asUser, isRoot } from './as-user.ts'
import { cannotMount } from './fuse/mounted.ts'

const CHILD = [process.execPath, '--import', 'tsx', fileURLToPath(new URL('room-child.ts', import.meta.url))]

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
  describe(`a room made the way ${way}, ${read}`, { skip, timeout: 280_000 }, () => {
    const env = { WAY: way, READ: read }
    // not before this way's turn: each child keeps the machine busy
    let told: Promise<string> | undefined
    const story = async (name: string) => JSON.parse(await (told ??= run([...prefix, ...CHILD], env).next()))[name]

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
      assert.match(saw.mount[0], / - fuse\.nbtrun \/\/srv\/my\\040app@0123abcd /)
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

    test('lets programs start from it while its users are looked for all the time', async () => {
      assert.deepEqual(await story('watchedClosely'), { starts: true, found: true })
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
