import { spawn } from 'node:child_process'
import { mkdirSync, openSync, closeSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TOOL_PATH } from './packages.ts'
import { processOf, type Process } from './processes.ts'

/** One host of the lab: a network, mount and UTS namespace, held by its keeper. */
export interface Host {
  readonly name: string
  readonly role: 'wire' | 'server' | 'client'
  /** IPv4 address on the lab's network. */
  readonly address: string
  readonly folder: string
  readonly keeper: Process
  /** Servers only: smbd and nmbd. */
  readonly daemons?: Readonly<Record<'smbd' | 'nmbd', Process>>
}

const KEEPER = join(import.meta.dirname, 'fixtures', 'keeper.sh')

/** Makes the namespaces of a host, runs the set-up lines inside, and leaves a keeper behind which lives as long as this process. */
export async function keep(folder: string, setup: string): Promise<Process> {
  mkdirSync(folder, { recursive: true })
  const script = join(folder, 'setup.sh')
  writeFileSync(script, setup)
  const log = openSync(join(folder, 'keeper.log'), 'w')
  const keeper = spawn('unshare', ['--net', '--mount', '--uts', '--', 'sh', KEEPER, script], {
    stdio: ['pipe', 'pipe', log],
    env: { PATH: TOOL_PATH },
    detached: true, // Ctrl-C is for the owner alone
  })
  closeSync(log)
  const { stdin, stdout } = keeper
  if (stdin === null || stdout === null) throw new Error('lab: unshare has no pipes')
  const ready = await new Promise<boolean>(resolve => {
    stdout.once('data', () => resolve(true)).once('end', () => resolve(false))
    keeper.once('error', () => resolve(false))
  })
  const process = keeper.pid === undefined ? undefined : processOf(keeper.pid)
  if (!ready || process === undefined) throw new Error(`lab: a host could not be set up: ${readFileSync(join(folder, 'keeper.log'), 'utf8').trim()}`)
  keeper.unref()
  for (const stream of [stdin, stdout]) if ('unref' in stream && typeof stream.unref === 'function') stream.unref()
  return process
}

/** The words that put a program into a host; each execs the next, so the pid stays the program's own. */
export function enter(host: Host, { cwd = '/', user }: { cwd?: string | undefined; user?: number | undefined } = {}): string[] {
  const words = ['nsenter', `--target=${host.keeper.pid}`, '--net', '--mount', '--uts', '--', 'env', '-C', cwd]
  return user === undefined ? words : [...words, 'setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups', '--']
}

/** A file of the private /etc of a host: the machine's own with some lines more. */
export function extend(path: string, lines: readonly string[]): string {
  return `${readFileSync(path, 'utf8').trimEnd()}\n${lines.join('\n')}\n`
}

/** Set-up lines: every file of `etc` covers the machine's own, for this host alone. */
export function coverEtc(folder: string, etc: Readonly<Record<string, string>>): string {
  mkdirSync(join(folder, 'etc'), { recursive: true })
  return Object.entries(etc)
    .map(([name, text]) => {
      writeFileSync(join(folder, 'etc', name), text)
      return `[ ! -e /etc/${name} ] || mount --bind '${folder}/etc/${name}' /etc/${name}\n`
    })
    .join('')
}
