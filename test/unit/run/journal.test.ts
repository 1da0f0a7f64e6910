import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { type DriveChange, giveDriveBack, takeDrive } from '../../../src/app/wine/drive.ts'
import { drivesOf } from '../../../src/run/drives.ts'
import { type Entry, MAX_ENTRY, parseEntry, type SessionLine } from '../../../src/run/journal/entry.ts'
import { Journal } from '../../../src/run/journal/journal.ts'
import { here, judge, type Origin } from '../../../src/run/journal/origin.ts'
import { forgetSmb1, Keeper } from '../../../src/run/journal/keeper.ts'
import { known } from '../../../src/run/journal/overview.ts'
import { Place } from '../../../src/run/journal/place.ts'
import type { Connection } from '../../../src/smb/resources.ts'
import { connectionsOf, fallenHere, reapPlace } from '../../../src/run/reap.ts'
import { cannotMount } from '../mapping/fuse/mounted.ts'

let base: string
let env: { XDG_STATE_HOME: string; XDG_RUNTIME_DIR: string }
let warnings: string[]

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'nbtrun-journal-'))
  env = { XDG_STATE_HOME: join(base, 'state'), XDG_RUNTIME_DIR: join(base, 'run') }
  mkdirSync(env.XDG_RUNTIME_DIR, { mode: 0o700 })
  warnings = []
})
afterEach(() => rmSync(base, { recursive: true }))

const place = (): Place => Place.make(env)
const open = (run = '0000000a'): Journal =>
  new Journal({ run, shares: ['//srv/app'], program: '/opt/app', env, warn: (message, hint) => warnings.push(`${message}; ${hint}`) })
const session = (id: string): Omit<SessionLine, 'what' | 'at'> => ({ server: 'srv', guid: 'ab'.repeat(16), serverStart: '0', user: 'alice', domain: 'LAB', id })
/** The entry of a run of this machine's last boot, with lines of its own. */
function dead(run: string, lines: readonly object[] = [], origin: Partial<Origin> = {}): string {
  const head = { journal: 1, run, origin: { ...here(), boot: 'before', ...origin }, began: Date.now(), shares: ['//srv/app'], program: 'app' }
  const file = place().file(run)
  writeFileSync(file, [head, ...lines].map(line => `${JSON.stringify(line)}\n`).join(''), { mode: 0o600 })
  return file
}
const reap = (fallen: ReadonlySet<string> = new Set()) => reapPlace(place(), place().list(), { by: '0000000f', env, fallen })
const files = (): string[] => readdirSync(place().path)

test('an entry is private, says what is held and no more, and goes when all was given back', async () => {
  const journal = open()
  await journal.session(session('1f'))
  journal.folder('/run/x')
  const { path } = place()
  assert.deepEqual(
    [path, join(path, '..'), join(path, '0000000a')].map(each => (statSync(each).mode & 0o777).toString(8)),
    ['700', '700', '600'],
  )
  const entry = parseEntry(readFileSync(join(path, '0000000a'), 'utf8'))
  assert.deepEqual(
    [entry.run, entry.origin, entry.program, entry.shares, entry.folders, entry.sessions.map(({ id, user }) => [id, user])],
    ['0000000a', here(), 'app', ['//srv/app'], ['/run/x'], [['1f', 'alice']]],
  )
  journal.foldersGone()
  assert.deepEqual(parseEntry(readFileSync(join(path, '0000000a'), 'utf8')).folders, [])
  journal.sessionGone('1f')
  journal.end()
  assert.deepEqual([files(), warnings], [[], []])
})

test('what was not given back stays in it for the next run', async () => {
  const journal = open()
  await journal.session(session('1f'))
  await journal.session(session('2f'))
  journal.sessionGone('1f')
  journal.end()
  assert.deepEqual(
    parseEntry(readFileSync(place().file('0000000a'), 'utf8')).sessions.map(({ id }) => id),
    ['2f'],
  )
  assert.deepEqual(
    known(env).map(({ run, state }) => [run, state]),
    [['0000000a', 'live']],
  )
})

test('an entry of a run that logs in again and again stays short, and says what is held', async () => {
  const journal = open()
  const size = (): number => statSync(place().file('0000000a')).size
  const head = size()
  for (let i = 1; i <= 300; i++) {
    await journal.session(session(i.toString(16)))
    journal.sessionGone(i.toString(16))
  }
  assert.equal(size(), head)
  await journal.session(session('ffff'))
  for (let i = 0; i < 3000; i++) {
    journal.folder(`/run/user/1000/nbtrun/${i}`)
    journal.foldersGone()
  }
  assert.ok(size() < 100 * 1024, `${size()}`)
  const { run, sessions, folders } = parseEntry(readFileSync(place().file('0000000a'), 'utf8'))
  assert.deepEqual([run, sessions.map(({ id }) => id), folders, files(), warnings], ['0000000a', ['ffff'], [], ['0000000a'], []])
  journal.sessionGone('ffff')
  journal.end()
  assert.deepEqual(files(), [])
})

test('a line that was cut off was written before the thing was taken; the rest counts', () => {
  const file = dead('0000000b', [
    { what: 'folder', path: '/a' },
    { what: 'session', ...session('3'), at: Date.now() },
  ])
  truncateSync(file, statSync(file).size - 5)
  const entry = parseEntry(readFileSync(file, 'utf8'))
  assert.deepEqual([entry.folders, entry.sessions], [['/a'], []])
})

test('who is dead, who lives, and of whom nothing is known', () => {
  const me = here()
  const gone = spawnSync('true').pid
  const verdict = (origin: Partial<Origin>): string => {
    const found = judge({ ...me, ...origin })
    return 'why' in found ? found.why : found.state
  }
  assert.equal(verdict({}), 'live')
  assert.equal(verdict({ start: '1' }), 'dead', 'the pid is another process')
  assert.equal(verdict({ pid: gone }), 'dead')
  assert.equal(verdict({ pid: gone, host: 'renamed', machine: '' }), 'dead', 'the same boot is the same machine')
  assert.match(verdict({ pid: gone, pids: 'pid:[1]' }), /another pid namespace/)
  assert.match(verdict({ pid: gone, pids: '' }), /another pid namespace/)
  assert.equal(verdict({ start: '1', time: 'time:[1]', pid: gone }), 'dead', 'nobody has the pid')
  for (const time of ['time:[1]', undefined]) {
    const { time: _, ...old } = me
    const found = judge({ ...old, start: '1', ...(time === undefined ? {} : { time }) })
    assert.deepEqual(found, { state: 'unknown', why: 'it may run in another time namespace' })
  }
  assert.match(verdict({ uid: me.uid + 1 }), /another user/)
  const machine = 'a'.repeat(32)
  const then = (origin: Partial<Origin>): string => {
    const found = judge({ ...me, machine, boot: 'before', ...origin }, { ...me, machine })
    return 'why' in found ? found.why : found.state
  }
  assert.equal(then({}), 'dead')
  assert.match(then({ machine: 'b'.repeat(32), host: 'other' }), /on another machine \(other\)/)
  assert.match(then({ host: 'other' }), /another name of the machine \(other\)/)
  assert.match(then({ machine: '' }), /without a machine-id/)
})

test('the folders of a dead run go, and its entry with them', async () => {
  const home = join(env.XDG_RUNTIME_DIR, 'nbtrun')
  const folder = join(home, '0000000b')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  dead(
    '0000000b',
    [home, folder].map(path => ({ what: 'folder', path })),
  )
  assert.deepEqual(await reap(), [{ dead: '0000000b', gone: [`folder ${folder}`, `folder ${home}`], left: [] }])
  assert.deepEqual([existsSync(home), files()], [false, []])
})

test('no entry makes us touch anything outside of our own folders, links and other runs included', async () => {
  const home = join(env.XDG_RUNTIME_DIR, 'nbtrun')
  const [outside, others, linked] = [join(base, 'mine'), join(home, '0000000c'), join(base, 'linked')]
  for (const path of [outside, others, linked]) mkdirSync(path, { recursive: true, mode: 0o700 })
  symlinkSync(linked, join(home, '0000000b'))
  symlinkSync(home, join(base, 'way'))
  const wanted = [outside, others, join(home, '0000000b'), join(base, 'way', '0000000c'), `${home}/0000000b/../0000000c`, '/', '/tmp', `${home}/../../linked`]
  dead('0000000b', [...wanted.map(path => ({ what: 'folder', path })), { what: 'mount', path: '/', device: '0:1' }])
  const [reaped] = await reap()
  assert.deepEqual(reaped?.gone, [])
  for (const path of [outside, others, linked, join(home, '0000000b')]) assert.ok(existsSync(path), path)
  assert.deepEqual(files(), [], 'said once, and no more')
})

test('a run that has something in its folder keeps it', async () => {
  const folder = join(env.XDG_RUNTIME_DIR, 'nbtrun', '0000000b')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  writeFileSync(join(folder, 'precious'), '')
  dead('0000000b', [{ what: 'folder', path: folder }])
  await reap()
  assert.ok(existsSync(join(folder, 'precious')))
})

/** Mounts as a run of that id would, and dies. */
function deadMount(path: string, run: string, uid = 0): void {
  const fd = openSync('/dev/fuse', 'r+')
  const options = `fd=3,rootmode=40000,user_id=${uid},group_id=0`
  execFileSync('/usr/bin/mount', ['-i', '-c', '-t', 'fuse.nbtrun', '-o', options, '--', `//srv/app@${run}`, path], {
    stdio: ['ignore', 'ignore', 'inherit', fd],
  })
  closeSync(fd)
}
const mountedBelow = (folder: string): readonly string[] => {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  return lines.map(line => line.split(' ')[4] ?? '').filter(path => path.startsWith(folder))
}

test('what a dead run mounted is known by its id, whatever its entry says of it; no other mount is touched', { skip: cannotMount }, async () => {
  const home = join(env.XDG_RUNTIME_DIR, 'nbtrun')
  const [own, foreign, fake, living, outside] = [...['0000000b', '0000000b-2', '0000000b-3', '0000000d'].map(name => join(home, name)), join(base, 'mine')]
  for (const path of [own!, foreign!, fake!, living!, outside!]) mkdirSync(path, { recursive: true, mode: 0o700 })
  try {
    deadMount(own!, '0000000b')
    deadMount(foreign!, '0000000c')
    deadMount(fake!, '0000000b', 1000) // another user's, who knows the id
    deadMount(living!, '0000000d')
    deadMount(outside!, '0000000b')
    const thisBoot = { boot: here().boot, start: '1' }
    const folders = [home, own!].map(path => ({ what: 'folder', path }))
    const journal = open('0000000d')
    for (const path of [home, living!]) journal.folder(path)
    dead('0000000b', [...folders, { what: 'mount', path: foreign }, { what: 'mount', path: fake }, { what: 'mount', path: living }])
    assert.deepEqual(
      (await reap()).map(({ gone }) => gone),
      [[]],
      'of an earlier boot: it has no mount any more',
    )
    assert.equal(mountedBelow(base).length, 5)

    dead('0000000b', [...folders, { what: 'mount', path: foreign }, { what: 'mount', path: fake }, { what: 'mount', path: living }], thisBoot)
    const [reaped] = await reap()
    assert.deepEqual(reaped, {
      dead: '0000000b',
      gone: [`mapping ${own}`],
      left: [`the mapping at ${outside} is outside of nbtrun's own folders: umount it`],
    })
    assert.deepEqual(mountedBelow(base), [foreign, fake, living, outside])
    execFileSync('/usr/bin/umount', ['-l', outside!])
    assert.deepEqual((await reap())[0]?.gone, [`folder ${own}`])
    assert.deepEqual([existsSync(own!), files()], [false, ['0000000d']])
  } finally {
    for (const path of mountedBelow(base)) execFileSync('/usr/bin/umount', ['-l', path])
  }
})

test('a folder that cannot be removed stays in the entry, and those above it; so does a mapping with something mounted over it', {
  skip: cannotMount,
}, async () => {
  const home = join(env.XDG_RUNTIME_DIR, 'nbtrun')
  const folder = join(home, '0000000b')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const over = (): void => void execFileSync('/usr/bin/mount', ['-t', 'tmpfs', '-o', 'mode=700', 'over', folder])
  try {
    deadMount(folder, '0000000b')
    over()
    dead(
      '0000000b',
      [home, folder].map(path => ({ what: 'folder', path })),
      { boot: here().boot, start: '1' },
    )
    const held = (): readonly string[] => parseEntry(readFileSync(place().file('0000000b'), 'utf8')).folders
    for (const time of ['once', 'again']) {
      assert.deepEqual((await reap())[0]?.left, [`something else is mounted over the mapping at ${folder}: umount it first`], time)
      assert.deepEqual(
        [held(), mountedBelow(base)],
        [
          [home, folder],
          [folder, folder],
        ],
        time,
      )
    }
    execFileSync('/usr/bin/umount', ['--', folder])
    execFileSync('/usr/bin/umount', ['-l', '--', folder])
    over()
    assert.deepEqual(await reap(), [{ dead: '0000000b', gone: [], left: [`the folder ${folder} cannot be removed (EBUSY)`] }])
    assert.deepEqual(held(), [home, folder])
    execFileSync('/usr/bin/umount', ['--', folder])
    assert.deepEqual(await reap(), [{ dead: '0000000b', gone: [`folder ${folder}`, `folder ${home}`], left: [] }])
    assert.deepEqual([existsSync(home), files()], [false, []])
  } finally {
    for (const path of mountedBelow(base)) execFileSync('/usr/bin/umount', ['-l', '--', path])
  }
})

test('what is no proper entry is listed with the reason, and stays', async () => {
  const { path } = place()
  const [head] = readFileSync(dead('00000001'), 'utf8').split('\n')
  const file = (name: string, text: string | Buffer, mode = 0o600): void => {
    writeFileSync(join(path, name), text)
    chmodSync(join(path, name), mode)
  }
  file('00000002', 'rubbish\n')
  file('00000003', Buffer.alloc(MAX_ENTRY + 1, 0x20))
  file('00000004', `${head}\n`.replace('00000001', '00000004'), 0o622)
  file('00000005', `${head}\n`)
  file('00000006', `${head!.replace('"journal":1', '"journal":2')}\n`)
  file('00000007', `${head!.replace(/"pid":\d+/, '"pid":-1')}\n`)
  file('00000008', '')
  file('..nonsense', '')
  symlinkSync('/etc/passwd', join(path, '00000009'))
  mkdirSync(join(path, '0000000c'))
  spawnSync('mkfifo', [join(path, '0000000d')])
  const before = files()
  await reap()
  const told = Object.fromEntries(known(env).map(({ run, state, why }) => [run, `${state}: ${why}`]))
  assert.deepEqual(told, {
    '..nonsense': 'unknown: it is no entry of the journal',
    '00000002': 'unknown: it cannot be read',
    '00000003': 'unknown: it is too long',
    '00000004': 'unknown: others may write to it',
    '00000005': 'unknown: it names another run than its file',
    '00000006': 'unknown: it is of another version of nbtrun',
    '00000007': 'unknown: it cannot be read',
    '00000008': 'unknown: it cannot be read',
    '00000009': 'unknown: it cannot be read (ELOOP)',
    '0000000c': 'unknown: it is no file',
    '0000000d': 'unknown: it is no file',
  })
  assert.deepEqual(
    files(),
    before.filter(name => name !== '00000001'),
  )
  // one that was never begun is nobody's after a while
  utimesSync(join(path, '00000008'), 1, 1)
  await reap()
  assert.ok(!existsSync(join(path, '00000008')))
})

test('of several who would give back one entry one does', () => {
  dead('0000000b')
  const [filed] = place().list()
  const won = ['0000000c', '0000000d', '0000000e'].map(by => place().claim(filed!, by))
  assert.deepEqual(
    won.map(claimed => claimed?.name),
    ['0000000b~0000000c', undefined, undefined],
  )
})

test('an entry whose taker lives is left to it; one whose taker is dead is taken anew', async () => {
  dead('0000000b', [{ what: 'session', ...session('5'), at: Date.now() }])
  const taker = open('0000000c')
  const [filed] = place()
    .list()
    .filter(({ name }) => name === '0000000b')
  assert.equal(place().claim(filed!, '0000000c')?.name, '0000000b~0000000c')
  const state = () => known(env).find(({ run }) => run === '0000000b')
  assert.deepEqual([state()?.state, state()?.why], ['unknown', 'run 0000000c gives it back'])
  taker.end()
  assert.equal(state()?.state, 'dead')
  dead('0000000c')
  assert.equal(state()?.state, 'dead')
  const entry: Entry | undefined = place().claim(
    place()
      .list()
      .find(({ name }) => name.startsWith('0000000b'))!,
    '0000000d',
  )?.entry
  assert.equal(entry?.sessions.length, 1)
})

test('connections count for others while their run lives; of the dead, and those given back just now, it is known who made them', () => {
  const ipc = { what: 'connection', device: '', remote: '\\\\srv\\IPC$', made: true }
  const living = open('0000000a')
  living.connection('', ipc.remote, undefined)
  dead('0000000b', [ipc], { boot: here().boot, pid: 2 ** 22 })
  dead('0000000c', [ipc], { boot: here().boot, pid: 2 ** 22 })
  dead('0000000d', [ipc])
  dead('0000000e', [ipc], { ...here(), pids: 'another logon session' })
  open('0000000f')
  const claimed = place()
    .list()
    .find(({ name }) => name === '0000000c')!
  assert.equal(place().claim(claimed, '0000000f')?.name, '0000000c~0000000f')
  const made = (which?: 'all'): boolean[] =>
    connectionsOf(place(), '0000000f', which)
      .map(connection => connection.made)
      .toSorted((a, b) => Number(a) - Number(b))
  assert.deepEqual([made(), made('all'), connectionsOf(place(), '0000000a')], [[false], [false, true, true], []])
  living.connectionGone('', ipc.remote)
  assert.deepEqual(made(), [])
})

test('sessions of a dead run are kept for a login, and forgotten after a day', async () => {
  const day = 25 * 3600 * 1000
  dead('0000000b', [{ what: 'session', ...session('5'), at: Date.now() - day }])
  dead('0000000c', [
    { what: 'session', ...session('6'), at: Date.now() },
    { what: 'folder', path: '/nowhere/at/all' },
  ])
  await reap()
  assert.deepEqual(files(), ['0000000c'])
  assert.deepEqual(
    known(env).map(({ sessions }) => sessions.map(({ id }) => id)),
    [['6']],
  )
})

test('a session of this boot is kept until its connection is known to have fallen; one of an earlier boot, or of another network, is not asked for', async t => {
  const listener = createServer(socket => socket.destroy()).listen(0, '127.0.0.1')
  t.after(() => listener.close())
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo
  const free = async (): Promise<number> => {
    const probe = createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const { port: own } = probe.address() as AddressInfo
    probe.close()
    await once(probe, 'close')
    return own
  }
  const line = async (id: string, more: object = {}): Promise<object> => {
    const ends = { local: '127.0.0.1', localPort: await free(), address: '127.0.0.1', port }
    return { what: 'session', ...session(id), at: Date.now(), ends, ...more }
  }
  const now = { boot: here().boot, start: '1' }
  dead('0000000b', [await line('5'), await line('6')], now)
  dead('0000000c', [await line('5')])
  dead('0000000d', [await line('5')], { ...now, net: 'net:[1]' })
  dead('0000000e', [await line('5', { ends: undefined })], now)
  await reap()
  assert.deepEqual(files(), ['0000000b', '0000000c', '0000000d', '0000000e'])
  const fallen = await fallenHere(place().list())
  assert.deepEqual([...fallen].sort(), ['0000000b 5', '0000000b 6'])
  await reap(new Set(['0000000b 5']))
  assert.deepEqual(
    parseEntry(readFileSync(place().file('0000000b'), 'utf8')).sessions.map(({ id }) => id),
    ['6'],
  )
  await reap(fallen)
  assert.deepEqual(files(), ['0000000c', '0000000d', '0000000e'])
})

test('a login names no session whose id may be another’s by now: of a server that counts them, and does not tell since when', async t => {
  const listener = createServer(socket => socket.destroy()).listen(0, '127.0.0.1')
  t.after(() => listener.close())
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo
  const line = (id: string, local: string, localPort: number, serverStart = '0'): object => {
    return { what: 'session', ...session(id), serverStart, at: Date.now(), ends: { local, localPort, address: '127.0.0.1', port } }
  }
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port: own } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  const [drawn, fell, unknown, known1] = ['9f3c21aa', '40000000019', '4000000001d', '21']
  dead('0000000b', [line(drawn, '192.0.2.1', 1025)])
  dead('0000000c', [line(fell, '127.0.0.1', own)])
  dead('0000000d', [line(unknown, '192.0.2.1', 1026)])
  dead('0000000e', [line(known1, '192.0.2.1', 1027, '77')])
  const journal = open('0000000f')
  const named = async (started: bigint): Promise<readonly bigint[]> => {
    const keeper = new Keeper(journal, { server: 'srv', user: 'alice', domain: 'LAB' })
    const ids = await keeper.orphans({ serverId: { guid: Buffer.alloc(16, 0xab), started } } as Connection)
    for (const id of ids) keeper.gone(id)
    keeper.settled()
    return ids
  }
  assert.deepEqual(await named(77n), [BigInt(`0x${drawn}`), BigInt(`0x${known1}`)], 'the one that tells is known to be the same')
  assert.deepEqual(files(), ['0000000d', '0000000f'])
  dead('0000000e', [line(known1, '192.0.2.1', 1027)])
  assert.deepEqual(await named(0n), [])
  assert.deepEqual(files(), ['0000000d', '0000000e', '0000000f'])
  journal.end()
})

test('a journal that cannot be made is said once, with the cure, and the run goes on', async () => {
  writeFileSync(env.XDG_STATE_HOME, 'a file in the way')
  const journal = open()
  await journal.session(session('1'))
  journal.folder('/x')
  journal.end()
  assert.deepEqual(warnings, [
    'the journal cannot be written (ENOTDIR): should this machine lose its power, the server keeps the seat until it notices; let XDG_STATE_HOME name a folder of yours on a disk that can be written to',
  ])
})

test('a folder that others may look into is not used', () => {
  const { path } = place()
  for (const folder of [path, dirname(path)]) {
    chmodSync(folder, 0o755)
    assert.equal(Place.find(env), undefined)
    assert.throws(() => Place.make(env), /is open to others/)
    chmodSync(folder, 0o700)
  }
  assert.equal(Place.find(env)?.path, path)
})

const NAME = { text: 'PAYROLL', suffix: 0x20, scope: '' }
const claim = { ...NAME, addresses: ['10.0.0.5'], wins: ['10.0.0.1', '10.0.0.2'], node: 'H' } as const

test('a name is in it before it is registered, with what is known of it then and later, and goes when it was given back', async () => {
  const journal = open()
  await journal.name(claim)
  journal.nameAt({ ...claim, wins: ['10.0.0.2'] })
  const [line] = parseEntry(readFileSync(place().file('0000000a'), 'utf8')).names
  assert.deepEqual(line, { what: 'name', ...claim, wins: ['10.0.0.2'], at: line?.at })
  const [{ state, names } = {}] = known(env)
  assert.deepEqual([state, names], ['live', [{ name: 'PAYROLL<20>', addresses: ['10.0.0.5'], wins: ['10.0.0.2'] }]])
  journal.nameGone(NAME)
  journal.end()
  assert.deepEqual(files(), [])
})

test('a dead run with a name stays until a name server was asked; one that only the wire knew went with it, and so does one that was forgotten', async () => {
  const named = (more: object) => [
    { what: 'name', ...claim, at: Date.now(), ...more },
    { what: 'folder', path: join(env.XDG_RUNTIME_DIR, 'nbtrun') },
  ]
  dead('0000000b', named({}))
  dead('0000000c', named({ wins: [] }))
  dead('0000000d', named({ at: Date.now() - 7 * 24 * 3600_000 }))
  assert.deepEqual((await reap()).map(({ dead: run }) => run).sort(), ['0000000b', '0000000c', '0000000d'])
  assert.deepEqual(files(), ['0000000b'])
  assert.deepEqual(await reap(), [], 'nothing more is to be done without a name server')
  const { folders, names } = parseEntry(readFileSync(place().file('0000000b'), 'utf8'))
  assert.deepEqual([folders, names.map(({ text }) => text)], [[], ['PAYROLL']])
})

test('a name line that is none is passed over', () => {
  const read = (): number => parseEntry(readFileSync(place().file('0000000b'), 'utf8')).names.length
  for (const bad of [
    { addresses: ['::1'] },
    { addresses: 'x' },
    { suffix: 256 },
    { text: '' },
    { text: 'A'.repeat(16) },
    { node: 'X' },
    { wins: Array(65).fill('1.2.3.4') },
  ]) {
    dead('0000000b', [{ what: 'name', ...claim, at: 1, ...bad }])
    assert.equal(read(), 0, JSON.stringify(bad))
  }
  for (const good of [{ text: '\u0001\u0002__MSBROWSE__\u0002' }, { scope: 'CORP.LOCAL' }]) {
    dead('0000000b', [{ what: 'name', ...claim, at: 1, ...good }])
    assert.equal(read(), 1, JSON.stringify(good))
  }
})

test('sessions of SMB1 are listed, and go with their boot, after a day, or when the server ended all of this machine', async () => {
  const old = (server: string, uid: number, at = Date.now()) => ({ what: 'smb1', server, user: 'alice', domain: 'LAB', uid, at })
  const journal = open()
  await journal.smb1({ server: 'old', user: 'alice', domain: 'LAB', uid: 100 })
  await journal.smb1({ server: 'older', user: 'alice', domain: 'LAB', uid: 100 })
  journal.smb1Gone('old', 100)
  assert.deepEqual(known(env)[0]?.smb1, [{ server: 'older', user: 'LAB/alice', uid: 100 }])
  dead('0000000b', [old('OLD', 7), old('other', 7)])
  dead('0000000c', [old('old', 8)])
  dead('0000000d', [old('old', 9, Date.now() - 25 * 3600_000)])
  dead('0000000e', [old('old', 9)], { boot: here().boot, pid: 2 ** 22 })
  assert.deepEqual((await reap()).map(({ dead: run }) => run).sort(), ['0000000d', '0000000e'])
  forgetSmb1(journal, 'Old')
  assert.deepEqual(files(), ['0000000a', '0000000b'])
  assert.deepEqual(
    known(env).map(({ smb1 }) => smb1.map(({ server }) => server)),
    [['older'], ['other']],
  )
  journal.end() // one that was lost is nobody's to end
  assert.deepEqual(files(), ['0000000b'])
})

test('a drive of a Wine prefix is put back by what the entry says was there, and nothing of a prefix is touched that somebody changed since', async () => {
  const prefix = join(base, 'prefix')
  const devices = join(prefix, 'dosdevices')
  mkdirSync(join(devices, 'unc', 'srv'), { recursive: true })
  const registry = (type: string): string => `WINE REGISTRY Version 2\n\n[Software\\\\Wine\\\\Drives] 1\n"q:"="${type}"\n`
  writeFileSync(join(prefix, 'system.reg'), registry('network'))
  symlinkSync('unc/srv/app', join(devices, 'q:'))
  symlinkSync('/run/x', join(devices, 'unc', 'srv', 'app'))
  const drive = { what: 'drive', prefix, letter: 'q:', unc: 'unc/srv/app', point: '/run/x', typed: true }
  const before = { letterBefore: '/usr', uncBefore: null, typeBefore: 'hd' }
  dead('000000d1', [{ ...drive, ...before }])
  assert.deepEqual(await reap(), [{ dead: '000000d1', gone: [`drive Q: of ${prefix}`], left: [] }])
  assert.deepEqual([readdirSync(devices), readlinkSync(join(devices, 'q:'))], [['q:'], '/usr'])
  assert.equal(readFileSync(join(prefix, 'system.reg'), 'utf8'), registry('hd'))
  dead('000000d2', [{ ...drive, ...before, letterBefore: null, typeBefore: null }])
  await reap()
  assert.deepEqual([readlinkSync(join(devices, 'q:')), readFileSync(join(prefix, 'system.reg'), 'utf8')], ['/usr', registry('hd')])
  dead('000000d3', [{ ...drive, ...before, unc: 'unc/../../app' }])
  assert.deepEqual((await reap())[0]?.gone ?? [], [], 'a line that leads out of the prefix is none')
  assert.deepEqual(
    files().filter(name => name.startsWith('000000d')),
    [],
  )
})

test('a drive that a live run has is left to it when a dead one is reaped that had it before; its end leaves the prefix as it was before both', async () => {
  const prefix = join(base, 'prefix')
  const devices = join(prefix, 'dosdevices')
  mkdirSync(devices, { recursive: true })
  const registry = (type: string): string => `WINE REGISTRY Version 2\n\n[Software\\\\Wine\\\\Drives] 1\n"q:"="${type}"\n`
  const state = (): unknown => {
    const links = ['q:', 'unc/srv/app'].map(name => (existsSync(dirname(join(devices, name))) && readLinkOr(join(devices, name))) || null)
    return [...links, readFileSync(join(prefix, 'system.reg'), 'utf8')]
  }
  const take = async (run: string, point: string): Promise<() => Promise<void>> => {
    const journal = open(run)
    const others = () => drivesOf(journal.others(), prefix)
    const wish = { prefix, drive: 'Q:', unc: ['srv', 'app'], point, others, note: (change: DriveChange) => journal.drive(change) }
    const change = await takeDrive(wish)
    return async () => {
      await giveDriveBack(change, others, { wine: undefined, env }, AbortSignal.timeout(10_000))
      journal.driveGone(change)
      journal.end()
    }
  }
  const die = (run: string): void => {
    const file = place().file(run)
    writeFileSync(file, readFileSync(file, 'utf8').replace(`"start":"${here().start}"`, '"start":"1"'))
  }
  for (const before of ['/usr', null])
    for (const reapFirst of [true, false]) {
      writeFileSync(join(prefix, 'system.reg'), registry('hd'))
      if (before !== null) symlinkSync(before, join(devices, 'q:'))
      const untouched = state()
      await take('000000d1', '/run/d1')
      die('000000d1')
      const giveBack = await take('000000c1', '/run/c1')
      await assert.rejects(take('000000e1', '/run/e1'), /another run's/)
      const has = ['unc/srv/app', '/run/c1', registry('network')]
      assert.deepEqual(state(), has)
      const reapDead = async (): Promise<void> =>
        assert.deepEqual(
          (await reap()).map(({ dead: run, left }) => [run, left]),
          [['000000d1', []]],
        )
      if (reapFirst) {
        await reapDead()
        assert.deepEqual(state(), has)
      }
      await giveBack()
      assert.deepEqual(state(), untouched)
      if (!reapFirst) await reapDead()
      assert.deepEqual(state(), untouched)
      rmSync(join(devices, 'q:'), { force: true })
    }
})

function readLinkOr(path: string): string | null {
  try {
    return readlinkSync(path)
  } catch {
    return null
  }
}
