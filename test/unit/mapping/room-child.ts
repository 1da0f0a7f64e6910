// Opens rooms as whoever runs it, and prints what the programs inside saw: one JSON object, one member per story.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { openRoom, type FuseServerLike, type RoomWayName } from '../../../src/mapping/fuse/room.ts'
import { openMapping } from '../../../src/mapping/choose.ts'
import type { Attach } from '../../../src/mapping/fuse/device.ts'
import type { Mapping, Point } from '../../../src/mapping/mapping.ts'
import { serveFlat } from './room-fuse.ts'

const SHOW = `#!/usr/bin/python3
import json, os, sys
status = dict(line.split(':', 1) for line in open('/proc/self/status').read().splitlines())
fds = {}
for fd in os.listdir('/proc/self/fd'):
    try: fds[fd] = os.readlink('/proc/self/fd/' + fd)
    except OSError: pass
print(json.dumps({
    'pid': os.getpid(), 'ppid': os.getppid(), 'ids': [os.getresuid(), os.getresgid()], 'groups': status['Groups'].split(),
    'caps': {k: status[k].strip() for k in ('CapInh', 'CapPrm', 'CapEff', 'CapAmb')}, 'cwd': os.getcwd(), 'argv': sys.argv,
    'environ': open('/proc/self/environ', 'rb').read().decode(), 'fds': fds, 'session': os.getsid(0), 'group': os.getpgrp(),
    'hello': open(os.environ['POINT'] + '/hello').read(), 'mount': [l for l in open('/proc/self/mountinfo') if ' - fuse.nbtrun ' in l],
}))
`
const FILES = { hello: 'hello from the share\n', show: SHOW, nothing: '#!/bin/sh\n', chain: '#!/bin/sh\nexec ./nothing\n' }

const WAY = (process.env['WAY'] ?? 'b2') as RoomWayName
const RUN = '0123abcd'
const blocking = process.env['READ'] === 'blocking'
const base = mkdtempSync(join(tmpdir(), 'nbtrun test-'))
const point = (name = 'a point'): Point => {
  const path = mkdtempSync(join(base, `${name}-`))
  return { files: { label: '//srv/my app' } as unknown as Point['files'], path, readOnly: false }
}
const serve: (attach: Attach, point: Point) => FuseServerLike = serveFlat(FILES, process.getuid?.() ?? 0)
const rooms: Mapping[] = []
async function open(points: readonly Point[], signal = new AbortController().signal): Promise<Mapping> {
  const room = await openRoom(WAY, { points, serve, signal, blocking, killAfterMs: 5000, runId: RUN })
  rooms.push(room)
  return room
}

function start(
  room: Mapping,
  cwd: string,
  words: readonly string[],
  options: { env?: NodeJS.ProcessEnv; stdio?: (number | 'pipe' | 'ignore' | 'inherit')[] } = {},
): ChildProcess {
  const [command = '', ...args] = [...room.enter(cwd), ...words]
  return spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], ...options })
}
async function text(child: ChildProcess): Promise<string> {
  const parts: Buffer[] = []
  child.stdout?.on('data', (part: Buffer) => parts.push(part))
  await once(child, 'close')
  return Buffer.concat(parts).toString()
}
/** The lines of its output, one a call. */
function lines(child: ChildProcess): () => Promise<string> {
  const iterator = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  return async () => String((await iterator.next()).value)
}
const state = (promise: Promise<void>): Promise<string> => Promise.race([promise.then(() => 'settled'), new Promise<string>(r => setTimeout(r, 30, 'pending'))])
const helpers = (): string[] =>
  readdirSync('/proc').filter(pid => {
    try {
      return (
        /^\d+$/.test(pid) &&
        readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ')[1] === `${process.pid}` &&
        readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(base)
      )
    } catch {
      return false
    }
  })

const stories: Record<string, () => Promise<unknown>> = {
  async faithful() {
    const at = point()
    const room = await open([at])
    const fd = openSync('/etc/hostname', 'r')
    const env = { PATH: process.env['PATH'], POINT: at.path, 'BASH_FUNC_f%%': '() { :; }', empty: '', 'odd name': 'a\nb', '1': 'one', _: 'mine' }
    const stdio: (number | 'pipe' | 'ignore' | 'inherit')[] = ['ignore', 'pipe', 'inherit', 'ignore', fd, 'ignore', 'ignore', fd]
    const child = start(room, at.path, ['./show', 'a', '', '--', '-x', 'sp ace\n', '007'], { env, stdio })
    const [output] = await Promise.all([text(child), room.entered(child.pid!)])
    await room.unused
    return {
      ...JSON.parse(output),
      spawned: child.pid,
      point: at.path,
      parent: process.pid,
      way: room.way,
      kind: room.kind,
      outside: readdirSync(at.path),
      left: await room.users(),
    }
  },
  async lastUser() {
    const room = await open([point()])
    const child = start(room, base, ['sh', '-c', 'setsid sh -c "echo \\$\\$; read x <&3" & exit 7'], { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] })
    const exit = once(child, 'exit')
    const next = lines(child)
    await room.entered(child.pid!)
    const left = Number(await next())
    const [code] = await exit
    const before = { users: await room.users(), unused: await state(room.unused), helpers: helpers() }
    child.stdio[3]?.destroy()
    await room.unused
    return { left, code, before, after: await room.users() }
  },
  async nestedNamespace() {
    const room = await open([point()])
    const unshare = process.getuid?.() === 0 ? 'unshare -m' : 'unshare -Ucm --keep-caps'
    const child = start(room, base, ['sh', '-c', `echo ready; exec ${unshare} sh -c 'echo inside; read x'`], { stdio: ['pipe', 'pipe', 'inherit'] })
    const next = lines(child)
    await room.entered(child.pid!)
    await next()
    await next()
    const users = await room.users()
    child.stdin?.end()
    await room.unused
    return { pid: child.pid, users }
  },
  async cutOff() {
    const at = point()
    const room = await open([at])
    const program = 'import os,sys\nprint("ready",flush=True)\nsys.stdin.read()\ntry: os.listdir(sys.argv[1])\nexcept OSError as e: print(e.errno)'
    const child = start(room, base, ['/usr/bin/python3', '-c', program, at.path], { stdio: ['pipe', 'pipe', 'inherit'] })
    await room.entered(child.pid!)
    const next = lines(child)
    await next()
    await Promise.all([room.end(), room.end()])
    child.stdin?.end()
    const errno = Number(await next())
    await room.unused
    return { errno }
  },
  async neverEntered() {
    const room = await open([point()])
    const child = start(room, join(base, 'no such folder'), ['true'], { stdio: ['ignore', 'ignore', 'ignore'] })
    await room.entered(child.pid!)
    await room.unused
    const other = await open([point()])
    await other.end()
    await other.unused
    return { helpers: helpers() }
  },
  async twoPoints() {
    const [one, two] = [point('one'), point('two')]
    const room = await open([one, two])
    const child = start(room, one.path, ['cat', join(one.path, 'hello'), join(two.path, 'hello')])
    const [output] = await Promise.all([text(child), room.entered(child.pid!)])
    await room.unused
    return { output }
  },
  async watchedClosely() {
    const at = point()
    const room = await open([at])
    // a shell that execs closes its script then, which asks us, while the kernel lets nobody look at the process
    const child = start(room, at.path, ['sh', '-c', 'while :; do ./chain & ./chain; wait; echo; done'])
    await room.entered(child.pid!)
    let starts = 0
    child.stdout?.on('data', (lines: Buffer) => {
      starts += lines.length
    })
    const users = new Set<number>()
    for (let looks = 0; looks < 50 || starts < 10; looks++) for (const pid of await room.users()) users.add(pid)
    child.kill('SIGKILL')
    await room.unused
    return { starts: starts >= 10, found: users.has(child.pid ?? 0) }
  },
  async cancelled() {
    const abort = new AbortController()
    const opening = open([point()], abort.signal)
    setImmediate(() => abort.abort(new Error('enough')))
    const message = await opening.then(
      () => 'opened',
      (error: unknown) => (error instanceof Error ? error.message : ''),
    )
    return { message, helpers: helpers() }
  },
  async silentServer() {
    const opening = openRoom(WAY, {
      points: [point()],
      blocking,
      killAfterMs: 5000,
      runId: RUN,
      serve: attach => {
        const inner = serveFlat({}, 0)(attach, point())
        inner.close() // the first look at the folder fails
        return inner
      },
      signal: new AbortController().signal,
    })
    const message = await opening.then(
      () => 'opened',
      (error: unknown) => (error instanceof Error ? error.message : ''),
    )
    return { message: message.replace(base, 'BASE'), helpers: helpers() }
  },
}

const [only] = process.argv.slice(2)
if (only === 'orphan') {
  // waits for its own death
  const at = point()
  const room = await open([at])
  console.log(base)
  const child = start(room, base, ['sh', '-c', `trap 'echo TERM; exit 0' TERM; echo ready; while :; do read x; done`], {
    stdio: ['pipe', 'inherit', 'inherit'],
  })
  await room.entered(child.pid!)
} else if (only === 'choose') {
  // which way this machine allows, or why none
  const at = point()
  const kind = (process.env['KIND'] ?? 'auto') as 'auto' | 'private' | 'shared'
  const told = await openMapping({
    kind,
    points: [at],
    serve,
    signal: new AbortController().signal,
    runId: 'none',
    killAfterMs: 5000,
    warn: console.error,
  }).then(
    async ({ mapping, refusals }) => {
      const { kind: got, way } = mapping
      await mapping.end()
      return { kind: got, way, refusals }
    },
    (error: unknown) => ({ ...(error as object), line: (error as { line?: string }).line }),
  )
  console.log(JSON.stringify(told))
  rmSync(base, { recursive: true })
} else {
  const results: Record<string, unknown> = {}
  for (const [name, story] of Object.entries(stories)) {
    if (process.env['PROGRESS'] !== undefined) console.error(name)
    results[name] = await story().catch((error: unknown) => ({ error: error instanceof Error ? `${error.message}\n${error.stack}` : String(error) }))
    for (const room of rooms.splice(0)) await room.end() // or its guardian waits
  }
  console.log(JSON.stringify(results))
  rmSync(base, { recursive: true })
}
