import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { deferred, within } from '../../src/base/time.ts'
import { ME } from './cell.ts'
import { clientEnv } from './client.ts'
import { enter, type Host } from './host.ts'
import { tool } from './packages.ts'
import { UIDS, type User } from './users.ts'

export interface TerminalOptions {
  /** As in RunOptions. */
  readonly user?: User | 'root'
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly rows?: number
  readonly columns?: number
}

/** termios(3) of the terminal; `foreground` is its foreground process group. */
export interface TerminalState {
  readonly iflag: number
  readonly oflag: number
  readonly cflag: number
  readonly lflag: number
  readonly cc: readonly number[]
  readonly echo: boolean
  readonly canonical: boolean
  readonly signals: boolean
  readonly foreground: number
}

/** How the program ended; `state` is what it left the terminal in, undefined where that was closed before. */
export interface TerminalEnd {
  readonly code: number | undefined
  readonly signal: string | undefined
  readonly state: TerminalState | undefined
}

/** For what must come: a busy machine may let programs wait for seconds. */
const PATIENCE_MS = 60_000

interface Answer {
  readonly pid?: number
  readonly state?: TerminalState | null
  readonly closed?: true
  readonly end?: { readonly code: number | null; readonly signal: string | null; readonly state: TerminalState | null }
}

export const KEYS = { enter: '\r', interrupt: '\x03', quit: '\x1c', suspend: '\x1a', end: '\x04' } as const

/** A real terminal with a program in it, leader of its session. */
export class Terminal {
  /** Everything it has shown so far. */
  shown = ''
  /** The program's pid. */
  readonly pid: number
  readonly ended: Promise<TerminalEnd>
  readonly #driver: ChildProcess
  readonly #shownAll: Promise<unknown>
  readonly #answers: AsyncIterator<string>
  readonly #waiting = new Set<() => void>()
  #asked: ((answer: Answer) => void)[] = []

  private constructor(driver: ChildProcess, answers: AsyncIterator<string>, pid: number) {
    this.#driver = driver
    this.#answers = answers
    this.pid = pid
    const { promise, resolve, reject } = deferred<TerminalEnd>()
    this.ended = promise
    promise.catch(() => {})
    this.#shownAll = new Promise(all => driver.stdout?.once('end', all))
    driver.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.shown += text
      for (const look of this.#waiting) look()
    })
    this.#listen(resolve).catch(reject)
  }

  static async open(host: Host, argv: readonly string[], { user = ME, cwd, env, rows = 24, columns = 100 }: TerminalOptions = {}): Promise<Terminal> {
    const own = clientEnv(host, user)
    const words = enter(host, { cwd: cwd ?? own['HOME'], user: user === 'root' ? undefined : UIDS[user] })
    // the fixture's folder may be closed to ordinary users; the client's own view of it is not
    const fixture = join(host.folder, 'repository', 'test', 'lab', 'fixtures', 'terminal.py')
    return Terminal.#start([...words, ...driven(fixture, rows, columns), ...argv], { ...own, ...env }, undefined)
  }

  /** The same outside of any host: of this machine. */
  static here(argv: readonly string[], { cwd, env = {}, rows = 24, columns = 100 }: Omit<TerminalOptions, 'user'>): Promise<Terminal> {
    return Terminal.#start([...driven(join(import.meta.dirname, 'fixtures', 'terminal.py'), rows, columns), ...argv], env, cwd)
  }

  static async #start([file = '', ...args]: readonly string[], env: Readonly<Record<string, string>>, cwd: string | undefined): Promise<Terminal> {
    const driver = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit', 'pipe', 'pipe'], env, cwd })
    const answers = createInterface({ input: driver.stdio[4] as Readable })[Symbol.asyncIterator]()
    const first = await answers.next()
    // a terminal that a failed test leaves open must not keep the test's process
    driver.unref()
    for (const stream of driver.stdio) if (stream !== null && stream !== undefined && 'unref' in stream && typeof stream.unref === 'function') stream.unref()
    if (first.done === true) throw new Error(`lab: no terminal for ${args.join(' ')}`)
    return new Terminal(driver, answers, (JSON.parse(first.value) as Answer).pid ?? 0)
  }

  /** Types: text as it is, `KEYS.interrupt` and the like for keys. */
  type(keys: string): void {
    this.#driver.stdin?.write(keys)
  }

  /** Types a line and Enter. */
  line(text: string): void {
    this.type(text + KEYS.enter)
  }

  /** Waits until it shows the text (after what it showed `since`); throws after `ms` with what it shows. Returns where the text ends. */
  async see(text: string | RegExp, ms = PATIENCE_MS, since = 0): Promise<number> {
    const { promise, resolve } = deferred<number>()
    const look = (): void => {
      const found = typeof text === 'string' ? { at: this.shown.indexOf(text, since), size: text.length } : match(text, this.shown, since)
      if (found.at >= 0) resolve(found.at + found.size)
    }
    this.#waiting.add(look)
    look()
    try {
      return await within(ms, () => promise)
    } catch {
      throw new Error(`the terminal does not show ${String(text)} after ${ms} ms, but ${JSON.stringify(this.shown.slice(since))}`)
    } finally {
      this.#waiting.delete(look)
    }
  }

  /** What the terminal is set to now. */
  async state(): Promise<TerminalState> {
    const { state } = await this.#ask('state')
    if (state === undefined || state === null) throw new Error('the terminal is closed')
    return state
  }

  /** The terminal goes away, as when its window is closed: its session gets SIGHUP. */
  async close(): Promise<void> {
    await this.#ask('close')
  }

  /** Waits for the program's end; throws after `ms`. */
  async end(ms = PATIENCE_MS): Promise<TerminalEnd> {
    try {
      return await within(ms, () => this.ended)
    } catch (cause) {
      throw new Error(`the program in the terminal has not ended; it shows ${JSON.stringify(this.shown.slice(-500))}`, { cause })
    }
  }

  /** Ends program and terminal, whatever state they are in. */
  kill(): void {
    if (this.#driver.exitCode !== null || this.#driver.signalCode !== null) return
    this.#driver.kill('SIGKILL') // the terminal hangs up
  }

  #ask(word: string): Promise<Answer> {
    const { promise, resolve } = deferred<Answer>()
    this.#asked.push(resolve)
    const requests = this.#driver.stdio[3] as Writable
    requests.write(`${word}\n`)
    return within(PATIENCE_MS, () => promise, `asking the terminal for ${word}`)
  }

  async #listen(resolve: (end: TerminalEnd) => void): Promise<void> {
    for (let line = await this.#answers.next(); line.done !== true; line = await this.#answers.next()) {
      const answer = JSON.parse(line.value) as Answer
      if (answer.end === undefined) this.#asked.shift()?.(answer)
      else {
        const { code, signal, state } = answer.end
        await this.#shownAll // its last words come another way than its end
        resolve({ code: code ?? undefined, signal: signal ?? undefined, state: state ?? undefined })
      }
    }
    throw new Error('the terminal is gone')
  }
}

function driven(fixture: string, rows: number, columns: number): string[] {
  const python = tool('python3')
  if (python === undefined) throw new Error('lab: python3 is not installed')
  return [python, fixture, String(rows), String(columns)]
}

function match(pattern: RegExp, text: string, since: number): { at: number; size: number } {
  const found = pattern.exec(text.slice(since))
  return found === null ? { at: -1, size: 0 } : { at: since + found.index, size: found[0].length }
}
