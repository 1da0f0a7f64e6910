import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bound, type WireName, WIRES } from './cell.ts'
import { clientSetup } from './client.ts'
import { coverEtc, enter, extend, type Host, keep } from './host.ts'
import { destroy, Lab } from './lab.ts'
import { hostSetup, plugIn, wireAddress, wireSetup } from './network.ts'
import { isAlive, machine, processOf } from './processes.ts'
import { addAdministrators, addUsers, globalLines, type ServerOptions, SHARES, startDaemon, untilBound, writeConf } from './samba.ts'
import { groupLines, newPasswords, passwdLines, type User, writeAuthFiles } from './users.ts'

export interface LabOptions {
  /** Server hosts by name; `srv` and `srv2` unless told. */
  readonly servers?: Readonly<Record<string, ServerOptions>>
  /** Client hosts; `client1` and `client2` unless told. */
  readonly clients?: readonly string[]
  /** What its servers speak unless their own lines say otherwise; the cell's unless told. */
  readonly wire?: WireName
  /** Whether this process itself can reach the servers, by address: true unless told. */
  readonly reachable?: boolean
  /** Whether Ctrl-C takes it down: true unless told; false where a program of the lab has the terminal. */
  readonly interruptible?: boolean
}

const PREFIX = 'nbtlab-'

/** Takes down what labs left whose owner was killed. */
export function sweep(): void {
  for (const entry of readdirSync(tmpdir()).filter(name => name.startsWith(PREFIX))) {
    const folder = join(tmpdir(), entry)
    const file = join(folder, 'lab.json')
    try {
      if (!existsSync(file)) {
        if (Date.now() - statSync(folder).mtimeMs > 60_000) rmSync(folder, { recursive: true, force: true })
        continue
      }
      const { state } = Lab.attach(file)
      if (state.machine === machine() && !isAlive(state.owner) && state.folder === folder) destroy(state)
    } catch {} // somebody else sweeps it, or it is not ours to remove
  }
}

/** Starts a lab; as root, be it of a user namespace (`runAsRoot`). About half a second. */
export async function startLab(options: LabOptions = {}): Promise<Lab> {
  const { servers = { srv: {}, srv2: {} }, clients = ['client1', 'client2'], wire = bound, reachable = true, interruptible = true } = options
  sweep()
  const owner = processOf(process.pid)
  if (owner === undefined) throw new Error('lab: /proc is missing')
  const folder = mkdtempSync(join(tmpdir(), PREFIX))
  const lab = new Lab({ folder, owner, machine: machine(), hosts: [], passwords: newPasswords() })
  lab.save(lab.state)
  lab.own(interruptible ? ['SIGINT', 'SIGTERM', 'SIGHUP'] : ['SIGTERM', 'SIGHUP'])
  try {
    chmodSync(folder, 0o755)
    await build(lab, servers, clients, wire === undefined ? [] : WIRES[wire].global, reachable)
    return lab
  } catch (error) {
    lab.dispose()
    throw error
  }
}

async function build(
  lab: Lab,
  servers: Readonly<Record<string, ServerOptions>>,
  clients: readonly string[],
  wire: readonly string[],
  reachable: boolean,
): Promise<void> {
  const { folder, passwords } = lab.state
  const add = (host: Host): Host => {
    lab.save({ ...lab.state, hosts: [...lab.state.hosts.filter(({ name }) => name !== host.name), host] })
    return host
  }
  writeAuthFiles(join(folder, 'auth'), passwords)
  writeClientConf(folder)

  const wireKeeper = await keep(join(folder, 'wire'), wireSetup)
  const n = plugIn(wireKeeper.pid, reachable)
  add({ name: 'wire', role: 'wire', address: wireAddress(n), folder: join(folder, 'wire'), keeper: wireKeeper })

  const addresses = new Map([
    ...Object.keys(servers).map((name, i) => [name, `198.18.${n}.${10 + i}`] as const),
    ...clients.map((name, i) => [name, `198.18.${n}.${101 + i}`] as const),
  ])
  const etc = (home: (user: User) => string): Record<string, string> => ({
    passwd: extend('/etc/passwd', passwdLines(home)),
    group: extend('/etc/group', groupLines()),
    hosts: ['127.0.0.1 localhost', ...[...addresses].map(([name, address]) => `${address} ${name}`), ''].join('\n'),
    'nsswitch.conf': 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n',
    'resolv.conf': '# no name server: it would not be reachable\n',
  })

  const startHost = async (name: string, role: Host['role'], setup: string): Promise<Host> => {
    const address = addresses.get(name) ?? ''
    const keeper = await keep(join(folder, name), hostSetup(name, address, wireKeeper.pid) + setup)
    return add({ name, role, address, folder: join(folder, name), keeper })
  }
  // the first server is everybody's WINS server
  const [winsServer = ''] = Object.keys(servers)
  const wins = (name: string): string => (name === winsServer ? 'wins support = yes' : `wins server = ${addresses.get(winsServer)}`)
  const startServer = async (name: string, { global = [], shares = {} }: ServerOptions): Promise<void> => {
    const place = join(folder, name)
    writeConf(place, [...globalLines(name, place), 'interfaces = lo eth0', wins(name), ...wire, ...global], merge(SHARES[name] ?? {}, shares))
    const host = await startHost(
      name,
      'server',
      coverEtc(
        place,
        etc(() => '/nonexistent'),
      ),
    )
    await addUsers(enter(host), place, passwords)
    await addAdministrators(enter(host), place, 'boss')
    const daemons = { smbd: startDaemon(enter(host), 'smbd', place), nmbd: startDaemon(enter(host), 'nmbd', place) }
    add({ ...host, daemons })
    await untilBound(daemons.smbd, place, 'tcp', 445)
    await untilBound(daemons.smbd, place, 'tcp', 139)
    await untilBound(daemons.nmbd, place, 'udp', 137)
  }
  const startClient = async (name: string): Promise<void> => {
    const place = join(folder, name)
    await startHost(
      name,
      'client',
      clientSetup(
        place,
        etc(user => join(place, 'home', user)),
      ),
    )
  }
  await Promise.all([...Object.entries(servers).map(([name, options]) => startServer(name, options)), ...clients.map(startClient)])
}

function merge(some: Readonly<Record<string, readonly string[]>>, more: Readonly<Record<string, readonly string[]>>): Record<string, readonly string[]> {
  const merged: Record<string, readonly string[]> = { ...some }
  for (const [share, lines] of Object.entries(more)) merged[share] = [...(merged[share] ?? []), ...lines]
  return merged
}

/** Keeps smbclient and its like away from the machine's own Samba. */
function writeClientConf(folder: string): void {
  const state = join(folder, 'client-state')
  mkdirSync(state, { mode: 0o777 })
  chmodSync(state, 0o777)
  const places = ['private dir', 'lock directory', 'state directory', 'cache directory', 'pid directory'].map(key => `${key} = ${state}`)
  writeFileSync(join(folder, 'client.conf'), `[global]\nworkgroup = LAB\n${places.join('\n')}\nncalrpc dir = ${state}/ncalrpc\nlog file = /dev/null\n`)
}
