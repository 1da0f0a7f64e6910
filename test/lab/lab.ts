import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Options, ResultPromise } from 'execa'
import { pause } from '../../src/base/time.ts'
import { Capture } from './capture.ts'
import { type Outcome, runOn, type RunOptions, spawnOn } from './client.ts'
import { enter, type Host } from './host.ts'
import { link, mute } from './network.ts'
import { isAlive, killWith, networkOf, type Process, processesIn, processOf } from './processes.ts'
import { startDaemon, untilBound } from './samba.ts'
import { Server } from './server.ts'
import { Terminal, type TerminalOptions } from './terminal.ts'
import type { User } from './users.ts'

/** Everything another process needs to know to use a lab. */
export interface LabState {
  readonly folder: string
  readonly owner: Process
  /** Where the owner's pid means something. */
  readonly machine: string
  readonly hosts: readonly Host[]
  readonly passwords: Readonly<Record<User, string>>
}

/** A private network of Samba servers and clients, each host in namespaces of its own. Made by `startLab`, or read from another process's. */
export class Lab implements AsyncDisposable {
  state: LabState
  #undo: (() => void) | undefined

  constructor(state: LabState) {
    this.state = state
  }

  static attach(file: string): Lab {
    return new Lab(JSON.parse(readFileSync(file, 'utf8')) as LabState)
  }

  /** The file for `Lab.attach`. */
  get file(): string {
    return join(this.state.folder, 'lab.json')
  }

  host(name: string): Host {
    const host = this.state.hosts.find(each => each.name === name)
    if (host === undefined) throw new Error(`lab: no host ${name}; there are ${this.state.hosts.map(each => each.name).join(', ')}`)
    return host
  }

  server(name = 'srv'): Server {
    return new Server(this.host(name))
  }

  /** A credentials file in the format of `smbclient -A`. */
  authFile(user: User = 'alice'): string {
    return join(this.state.folder, 'auth', `${user}.auth`)
  }

  password(user: User = 'alice'): string {
    return this.state.passwords[user]
  }

  /** Runs a program on a client and waits for it. */
  run(client: string, argv: readonly string[], options?: RunOptions): Promise<Outcome> {
    return runOn(this.host(client), argv, options)
  }

  /** Starts a program on a client. */
  spawn(client: string, argv: readonly string[], options?: RunOptions): ResultPromise<Options> {
    return spawnOn(this.host(client), argv, options)
  }

  /** Starts a program on a client in a terminal of its own. */
  terminal(client: string, argv: readonly string[], options?: TerminalOptions): Promise<Terminal> {
    return Terminal.open(this.host(client), argv, options)
  }

  /** Records what passes a host's cable, both ways; `filter` is a capture filter (pcap-filter(7)). Resolves once it records. */
  capture(host: string, filter = 'tcp port 445 or tcp port 139'): Promise<Capture> {
    return Capture.start(this.host('wire'), this.host(host), filter)
  }

  /** Pulls a host's cable, or puts it back. */
  link(host: string, state: 'up' | 'down'): void {
    link(this.host('wire'), this.host(host), state)
  }

  /** What the host sends from this TCP port vanishes from now on. Returns the way back. */
  mute(host: string, port: number): () => void {
    return mute(this.host(host), port)
  }

  /** Ends smbd and all its processes on a server: in good order, or (SIGKILL) as if it fell over. The host and its disk stay. */
  async stopSmbd(name = 'srv', signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const { daemons } = this.host(name)
    if (daemons === undefined) throw new Error(`lab: ${name} is no server`)
    const all = [
      daemons.smbd,
      ...this.server(name)
        .workers()
        .flatMap(pid => processOf(pid) ?? []),
    ]
    process.kill(-daemons.smbd.pid, signal)
    while (all.some(isAlive)) await pause(5)
  }

  /** Starts smbd again. */
  async startSmbd(name = 'srv'): Promise<void> {
    const host = this.host(name)
    if (host.daemons === undefined) throw new Error(`lab: ${name} is no server`)
    const smbd = startDaemon(enter(host), 'smbd', host.folder)
    this.save({ ...this.state, hosts: this.state.hosts.map(each => (each === host ? { ...host, daemons: { ...host.daemons!, smbd } } : each)) })
    for (const port of [445, 139]) await untilBound(smbd, host.folder, 'tcp', port)
  }

  /** The host loses its power: not even a FIN gets out. It does not come back. */
  powerOff(name: string): void {
    const host = this.host(name)
    this.link(name, 'down')
    killWith(membersOf(host))
    this.save({ ...this.state, hosts: this.state.hosts.filter(each => each !== host) })
  }

  /** Every process on a client: what was started there and has not ended. */
  processes(client: string): number[] {
    const { keeper } = this.host(client)
    const network = networkOf(keeper.pid)
    return network === undefined ? [] : processesIn(network).filter(pid => pid !== keeper.pid && !isChildOf(pid, keeper.pid))
  }

  /** Makes it as new for its next user: no program on the clients, no session on the servers, nothing in the shares in the users' temporary folders and journals. */
  async reset(): Promise<void> {
    const named = (role: Host['role']): string[] => this.state.hosts.flatMap(host => (host.role === role ? host.name : []))
    for (const client of named('client')) {
      for (const pid of this.processes(client)) kill(pid)
      for (const place of ['run', 'tmp']) {
        const folders = join(this.host(client).folder, place)
        for (const user of readdirSync(folders))
          for (const entry of readdirSync(join(folders, user))) rmSync(join(folders, user, entry), { recursive: true, force: true })
      }
      const homes = join(this.host(client).folder, 'home')
      for (const user of readdirSync(homes)) rmSync(join(homes, user, '.local', 'state', 'nbtrun'), { recursive: true, force: true })
    }
    for (const server of named('server').map(name => this.server(name))) {
      await server.untilWorkers(0)
      for (const share of readdirSync(server.diskPath('.'))) {
        const folder = server.diskPath(share)
        for (const entry of readdirSync(folder)) rmSync(join(folder, entry), { recursive: true })
      }
    }
  }

  save(state: LabState): void {
    this.state = state
    writeFileSync(`${this.file}.new`, JSON.stringify(state, undefined, 2), { mode: 0o600 })
    renameSync(`${this.file}.new`, this.file)
  }

  /** Makes this object the owner: `dispose`, an exit and these signals take the lab down. */
  own(signals: readonly NodeJS.Signals[]): void {
    const exit = (): void => destroy(this.state)
    const signalled = (signal: NodeJS.Signals): void => {
      this.dispose()
      process.kill(process.pid, signal)
    }
    process.once('exit', exit)
    for (const signal of signals) process.once(signal, signalled)
    this.#undo = () => {
      process.off('exit', exit)
      for (const signal of signals) process.off(signal, signalled)
    }
  }

  /** Ends every process of the lab, its namespaces and its folder; idempotent. Does nothing to a lab of somebody else. */
  dispose(): void {
    if (this.#undo === undefined) return
    this.#undo()
    this.#undo = undefined
    destroy(this.state)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.dispose()
  }
}

const membersOf = (host: Host): Process[] => [host.keeper, ...Object.values(host.daemons ?? {})]

/** Ends what a lab is made of. */
export function destroy(state: LabState): void {
  killWith(state.hosts.flatMap(membersOf))
  // the hosts' mounts were never visible here; should one be, its contents are not ours to remove
  if (readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${state.folder}/`)) throw new Error(`lab: something is mounted under ${state.folder}`)
  rmSync(state.folder, { recursive: true, force: true })
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {} // it has gone by itself
}

/** The keeper's own `cat`. */
function isChildOf(pid: number, parent: number): boolean {
  try {
    return new RegExp(`^PPid:\\s*${parent}$`, 'm').test(readFileSync(`/proc/${pid}/status`, 'latin1'))
  } catch {
    return false
  }
}
