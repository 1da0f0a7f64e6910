import { readdir, readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { startOf } from '../../base/living.ts'
import { limited, pause } from '../../base/time.ts'
import type { Env } from './prefix.ts'
import { endIdleServer, isSameFolder, nameOf, prefixOf, roleOf, wineserverOf } from './server.ts'
import { closeWindows } from './tools.ts'

/** Wine has to start for it: on a busy machine that takes a while, ms. */
const CLOSE_MS = 10_000

/** Between two attempts at a program that could not be told: it may be starting, and have its window later, ms. */
const AGAIN_MS = { first: 1000, longest: 5000 }

export interface CloserOptions {
  readonly prefix: string
  readonly env: Env
  /** The command; undefined where there is none. */
  readonly wine: () => Promise<string | undefined>
  /** Whether a process was started for the asking alone. */
  readonly isOurs: (pid: number) => Promise<boolean>
  /** Those that may be asked. */
  readonly users: () => Promise<readonly number[]>
  /** Aborts when none of them is left. */
  readonly gone: AbortSignal
  /** How long a program has for its answer, before it is asked by Ctrl-C, too, ms. */
  readonly answerMs: number
}

/** Asks programs to close their windows, as their user would by the mouse: WM_CLOSE, to which a program may ask back, or save. */
export class WindowCloser {
  readonly #options: CloserOptions
  readonly #asking = new Set<Promise<void>>()
  readonly #left = new AbortController()
  readonly #gone: AbortSignal

  constructor(options: CloserOptions) {
    this.#options = options
    this.#gone = AbortSignal.any([options.gone, this.#left.signal])
  }

  /**
   * Asks a program, and returns before it is asked. One that has no windows, or does not heed it, is asked by Ctrl-C, unless that is `done`; should it have windows
   * later, it is asked to close them then.
   */
  ask(pid: number, done: boolean): void {
    const asking = this.#ask(pid, done).catch(() => {})
    this.#asking.add(asking)
    void asking.then(() => this.#asking.delete(asking))
  }

  /** Asks nobody any more; resolves when nothing of the asking is left. */
  async leave(): Promise<void> {
    this.#left.abort()
    await Promise.all(this.#asking)
  }

  async #ask(pid: number, done: boolean): Promise<void> {
    const { answerMs } = this.#options
    const gone = this.#gone
    const began = await startOf(pid)
    const lives = async (): Promise<boolean> => !gone.aborted && began !== undefined && (await startOf(pid)) === began
    let told = false
    for (let wait = AGAIN_MS.first; !told && (await lives()); wait = Math.min(AGAIN_MS.longest, wait * 2)) {
      told = await this.#close(pid).catch(() => false)
      if (told) await pause(answerMs, gone)
      if (!done && (await lives())) process.kill(pid, 'SIGINT')
      done = true
      if (!told) await pause(wait, gone)
    }
  }

  /** False where it took too long. */
  async #tell(wine: string, image: string): Promise<boolean> {
    const { prefix, env } = this.#options
    const limit = limited(this.#gone, CLOSE_MS)
    try {
      await closeWindows(wine, image, prefix, env, limit.signal)
      return true
    } catch (thrown) {
      if (limit.signal.aborted && !this.#gone.aborted) return false
      throw thrown
    } finally {
      limit.lift()
    }
  }

  /** Whether it was told. */
  async #close(pid: number): Promise<boolean> {
    const { prefix, wine, users, isOurs } = this.#options
    if (!(await mayHaveWindows(pid))) return false
    const image = await imageOf(pid)
    const word = await wine()
    const server = await wineserverOf(prefix)
    if (image === undefined || word === undefined || server === undefined || !(await areAllOurs(image, prefix, await users()))) return false
    try {
      return (await this.#tell(word, image)) || (await this.#tell(word, image)) // Wine that was just starting may have kept it waiting
    } finally {
      // it went meanwhile, and Wine started another one for this alone
      const present = await wineserverOf(prefix)
      if (present !== server && (present === undefined || (await isOurs(present)))) await endIdleServer(prefix, isOurs, AbortSignal.timeout(CLOSE_MS))
    }
  }
}

/** What Wine loads for a program that has to do with windows: its look, and who shows them. */
const SHOWS = /\/(uxtheme\.dll|wine(x11|wayland)\.(drv|so))$/m

/** Whether a program may have windows: those that never asked for one have not. */
export async function mayHaveWindows(pid: number): Promise<boolean> {
  return SHOWS.test(await mapsOf(pid))
}

/** The name of a program's file, as Windows lists it. The kernel keeps the first 15 bytes; of a longer one the file is among what is loaded. */
async function imageOf(pid: number): Promise<string | undefined> {
  const name = await nameOf(pid)
  if (Buffer.byteLength(name) < MOST_COMM) return name === '' ? undefined : name
  return (await mapsOf(pid))
    .split('\n')
    .map(line => basename(line))
    .find(file => file.startsWith(name))
}

const MOST_COMM = 15

/** Windows closes by name: so nobody else in that prefix may have it. */
async function areAllOurs(image: string, prefix: string, users: readonly number[]): Promise<boolean> {
  for (const pid of (await readdir('/proc')).map(Number)) {
    if (!Number.isInteger(pid) || users.includes(pid) || (await roleOf(pid)) !== 'program') continue
    if ((await isNamed(pid, image.toLowerCase())) && (await isSameFolder(await prefixOf(pid), prefix))) return false
  }
  return true
}

/** By the first of its words, which need not be its file's name, or by a file that it has loaded. */
async function isNamed(pid: number, image: string): Promise<boolean> {
  const start = Buffer.from(image).subarray(0, MOST_COMM).toString()
  if ((await nameOf(pid)).toLowerCase() === start) return true
  return (await mapsOf(pid)).split('\n').some(line => basename(line).toLowerCase() === image)
}

/** proc_pid_maps(5) */
function mapsOf(pid: number): Promise<string> {
  return readFile(`/proc/${pid}/maps`, 'utf8').catch(() => '')
}
