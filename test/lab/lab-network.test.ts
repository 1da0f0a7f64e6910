import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { missing, startLab, useLab } from './index.ts'
import { isAlive, networkOf, type Process, processesIn, processOf } from './processes.ts'

const skip = missing('lab')

test('both servers are reached by name from a client, and by address from here', { skip }, async () => {
  const lab = await useLab()
  for (const [share, disk] of [
    ['//srv/app', lab.server('srv').diskPath('app')],
    ['//srv2/files', lab.server('srv2').diskPath('files')],
  ] as const) {
    const put = await lab.run('client1', ['smbclient', '-A', lab.authFile(), share, '-c', 'put - greeting'], { input: 'hello' })
    assert.equal(put.code, 0, put.stdout + put.stderr)
    assert.equal(readFileSync(join(disk, 'greeting'), 'utf8'), 'hello')
  }
  const socket = connect(445, lab.server().address)
  await once(socket, 'connect')
  socket.destroy()
})

test('the first server is a WINS server and knows its own name', { skip }, async () => {
  const lab = await useLab()
  const asking = ['nmblookup', '--recursion', `--unicast=${lab.server('srv').address}`, 'srv#20']
  let asked = await lab.run('client1', asking)
  for (const dueAt = performance.now() + 60_000; asked.code !== 0 && performance.now() < dueAt; asked = await lab.run('client1', asking)); // nmbd takes a while
  assert.match(asked.stdout, new RegExp(`^${lab.server('srv').address} srv<20>$`, 'm'))
})

test('a program runs as an ordinary user, who may open /dev/fuse, read the checkout and has a home', { skip: missing('lab', 'fuse') }, async () => {
  const lab = await useLab()
  const script =
    'id -un; id -u; : <>/dev/fuse && cat "$(dirname "$(readlink "$(command -v nbtrun)")")/../package.json" | head -2; node -p process.version; touch "$HOME/x" "$TMPDIR/x" "$XDG_RUNTIME_DIR/x"; hostname'
  const { stdout, stderr, code } = await lab.run('client1', ['sh', '-c', script], { user: 'alice' })
  assert.deepEqual([stdout, stderr, code], [`alice\n2001\n{\n  "name": "nbtrun",\n${process.version}\nclient1\n`, '', 0])
})

test('the pid of a program on a client is its own, and so are its signals', { skip }, async () => {
  const lab = await useLab()
  const program = lab.spawn('client1', ['sh', '-c', 'echo $$; exec sleep 60'])
  const [line] = (await once(program.stdout ?? program, 'data')) as [Buffer]
  assert.equal(Number(line.toString()), program.pid)
  program.kill('SIGUSR1')
  assert.equal((await program).signal, 'SIGUSR1')
})

test('a program on a client gets the descriptors it is given', { skip }, async () => {
  const lab = await useLab()
  const fd = openSync(import.meta.filename, 'r')
  const { stdout } = await lab.run('client1', ['sh', '-c', 'cat; head -c 6 <&7'], {
    input: 'in ',
    stdio: ['pipe', 'pipe', 'pipe', 'ignore', 'ignore', 'ignore', 'ignore', fd],
  })
  closeSync(fd)
  assert.equal(stdout, 'in import')
})

test('a muted port does not answer and comes back', { skip }, async () => {
  const lab = await useLab()
  const ask = ['smbclient', '-p', '445', '-A', lab.authFile(), '//srv2/files', '-c', 'ls']
  const restore = lab.mute('srv2', 445)
  const silent = await lab.run('client1', ['timeout', '0.5', ...ask])
  restore()
  assert.equal(silent.code, 124)
  assert.equal((await lab.run('client1', ask)).code, 0)
})

test('a pulled cable cuts a host off, and it comes back', { skip }, async () => {
  const lab = await useLab()
  const ask = ['smbclient', '-A', lab.authFile(), '//srv2/files', '-c', 'ls']
  lab.link('srv2', 'down')
  const silent = await lab.run('client1', ['timeout', '0.5', ...ask])
  lab.link('srv2', 'up')
  assert.equal(silent.code, 124)
  assert.equal((await lab.run('client1', ask)).code, 0)
})

test('a host without power is gone with its programs, and its session stays with the server', { skip }, async () => {
  await using lab = await startLab({ servers: { srv: {} }, clients: ['client1', 'client2'] })
  const program = lab.spawn('client1', ['smbclient', '-A', lab.authFile(), '//srv/app'], { stdin: 'pipe' })
  await lab.server().untilTrees(1)
  lab.powerOff('client1')
  assert.equal((await program).signal, 'SIGKILL')
  assert.equal((await lab.server().sessions()).length, 1)
  assert.throws(() => lab.host('client1'), /no host client1/)
})

test('settings of a server and of its shares are the caller’s', { skip }, async () => {
  await using lab = await startLab({
    servers: { old: { global: ['server max protocol = SMB2_10'], shares: { docs: ['read only = no'] } } },
    clients: ['client1'],
    reachable: false,
  })
  const program = lab.spawn('client1', ['smbclient', '-A', lab.authFile('bob'), '//old/docs'], { stdin: 'pipe' })
  await lab.server('old').untilTrees(1)
  const [session] = await lab.server('old').sessions()
  assert.deepEqual([session?.user, session?.dialect, session?.address], ['bob', 'SMB2_10', lab.host('client1').address])
  program.stdin?.end('quit\n')
  assert.equal((await program).exitCode, 0)
  await lab.server('old').untilSessions(0)
})

interface Traces {
  readonly folder: string
  readonly members: readonly Process[]
  readonly networks: readonly string[]
  /** When these traces were taken, in clock ticks since boot. */
  readonly madeAt: number
}

/** Now, as processes note their start: proc(5), /proc/uptime has seconds, of which Linux makes 100 ticks each. */
const ticks = (): number => Math.ceil(Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]) * 100)

/** What must be gone once a lab is. */
function traces({ state }: Awaited<ReturnType<typeof startLab>>): Traces {
  const members = state.hosts.flatMap(host => [host.keeper, ...Object.values(host.daemons ?? {})])
  return { folder: state.folder, members, networks: members.flatMap(({ pid }) => networkOf(pid) ?? []), madeAt: ticks() }
}

/** Processes in those networks: a namespace made later, by another test's lab, may have the number of one that is gone, and has only later processes. */
function inside({ networks, madeAt }: Pick<Traces, 'networks' | 'madeAt'>): number[] {
  return networks.flatMap(processesIn).filter(pid => Number(processOf(pid)?.started ?? Number.POSITIVE_INFINITY) <= madeAt)
}

function assertGone({ folder, members, networks, madeAt }: Traces): void {
  assert.deepEqual(members.filter(isAlive), [])
  assert.deepEqual(inside({ networks, madeAt }), [])
  assert.equal(existsSync(folder), false)
  assert.doesNotMatch(readFileSync('/proc/mounts', 'latin1'), new RegExp(folder))
}

test('nothing is left after dispose: no process, namespace, mount or folder, and a second dispose does nothing', { skip }, async () => {
  const lab = await startLab()
  const program = lab.spawn('client1', ['sh', '-c', 'setsid sleep 60 & echo started; wait'], { user: 'alice' })
  await once(program.stdout ?? program, 'data')
  const left = traces(lab)
  assert.equal(left.members.length, 9) // five keepers, two smbd, two nmbd
  lab.dispose()
  lab.dispose()
  assertGone(left)
  assert.equal((await program).signal, 'SIGKILL')
})

const OWNER = `
  import { startLab } from ${JSON.stringify(join(import.meta.dirname, 'index.ts'))}
  const lab = await startLab({ servers: { srv: {} }, clients: ['client1'] })
  lab.spawn('client1', ['sleep', '600'], { timeout: 0 })
  console.log(lab.file)
  setInterval(() => {}, 1000)
`

async function startOwner(): Promise<{ owner: ReturnType<typeof spawn>; file: string }> {
  const owner = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', OWNER], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [file] = (await once(owner.stdout ?? owner, 'data')) as [Buffer]
  return { owner, file: file.toString().trim() }
}

test('a lab whose owner is interrupted goes with it', { skip }, async () => {
  const { Lab } = await import('./index.ts')
  const { owner, file } = await startOwner()
  const left = traces(Lab.attach(file))
  owner.kill('SIGTERM')
  assert.deepEqual(await once(owner, 'exit'), [null, 'SIGTERM'])
  assertGone(left)
})

test('a lab whose owner was killed ends by itself, and the next start removes its folder', { skip }, async () => {
  const { Lab } = await import('./index.ts')
  const { owner, file } = await startOwner()
  const left = traces(Lab.attach(file))
  owner.kill('SIGKILL')
  await once(owner, 'exit')
  const deadline = performance.now() + 60_000
  const remains = (): boolean => left.members.some(isAlive) || inside(left).length > 0
  while (remains() && performance.now() < deadline) await new Promise(resolve => setTimeout(resolve, 5))
  assert.equal(remains(), false)
  writeFileSync(join(left.folder, 'left-behind'), '')
  await using next = await startLab({ servers: {}, clients: [], reachable: false })
  assert.notEqual(next.state.folder, left.folder)
  assertGone(left)
})
