import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { NbtrunError } from '../../base/errors.ts'
import { deferred } from '../../base/time.ts'
import { countTool } from '../../base/tools.ts'
import { failureOf, notStarted } from './failures.ts'

export interface HelperOptions {
  /** Further sockets, from descriptor 4 on. */
  readonly sockets?: number
  /** Of ours, closed here then: its number there follows the sockets'. */
  readonly descriptor?: number
  /** Where its complaints go: to us, for a message, or on to our own stderr. */
  readonly complaints?: 'pipe' | 'inherit' | undefined
}

/** A process that prepares something for us. It ends when its control socket (descriptor 3) does, whatever becomes of us. */
export class Helper {
  readonly pid: number
  readonly sockets: readonly Socket[]
  readonly #child: ChildProcess
  readonly #control: Socket
  readonly #exited: Promise<void>
  #alive = true
  #said = ''
  #heard = ''
  #wake: (() => void) | undefined

  private constructor(child: ChildProcess, pid: number, control: Socket, sockets: readonly Socket[]) {
    this.pid = pid
    this.sockets = sockets
    this.#child = child
    this.#control = control
    const { promise, resolve } = deferred<void>()
    this.#exited = promise
    child.once('exit', () => resolve())
    child.once('close', () => {
      this.#alive = false
      this.#wake?.()
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-4096)
    })
    control.setEncoding('utf8').on('data', (text: string) => {
      this.#heard += text
      this.#wake?.()
    })
    control.on('error', () => {}) // its death is told by 'close'
  }

  /** In a session of its own: no key of the terminal reaches it. */
  static start(words: readonly string[], { sockets = 0, descriptor, complaints = 'pipe' }: HelperOptions = {}): Promise<Helper> {
    const [command = '', ...args] = words
    const child = spawn(command, args, {
      stdio: ['ignore', 'ignore', complaints, 'pipe', ...Array<'pipe'>(sockets).fill('pipe'), ...(descriptor === undefined ? [] : [descriptor])],
      detached: true,
      env: HELPER_ENV,
    })
    countTool(child)
    if (descriptor !== undefined) closeSync(descriptor)
    return new Promise((resolve, reject) => {
      child.once('error', cause => reject(notStarted(cause)))
      if (child.pid === undefined) return // and then, where descriptors are lacking, it has no streams either
      const [control, ...others] = child.stdio.slice(3).filter(stream => stream instanceof Socket)
      if (control !== undefined) resolve(new Helper(child, child.pid, control, others))
    })
  }

  /** The next line it says; throws what its stderr tells when it ended instead. */
  async line(signal: AbortSignal): Promise<string> {
    const wake = (): void => this.#wake?.()
    signal.addEventListener('abort', wake)
    try {
      for (;;) {
        signal.throwIfAborted()
        const end = this.#heard.indexOf('\n')
        if (end >= 0) {
          const line = this.#heard.slice(0, end)
          this.#heard = this.#heard.slice(end + 1)
          return line
        }
        if (!this.#alive) throw failureOf(this.#said)
        await new Promise<void>(resolve => {
          this.#wake = resolve
        })
      }
    } finally {
      signal.removeEventListener('abort', wake)
    }
  }

  async expect(want: string, signal: AbortSignal): Promise<void> {
    const got = await this.line(signal)
    if (got !== want) throw new NbtrunError('MAPPING_FAILED', `the mapping failed (${got} instead of ${want})`)
  }

  say(line: string): void {
    this.#control.write(`${line}\n`)
  }

  /** Closes the control socket, which lets it go. */
  dismiss(): void {
    this.#control.destroy()
  }

  /** Lets it go; resolves when it is gone. */
  leave(): Promise<void> {
    this.dismiss()
    return this.#exited
  }

  /** Ends it where it is; resolves when it is gone. */
  kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    return this.leave()
  }

  get gone(): Promise<void> {
    return this.#exited
  }
}

/** Of every tool. The newer mount calls leave the file system's subtype out. */
export const HELPER_ENV = { LC_ALL: 'C', LIBMOUNT_FORCE_MOUNT2: 'always' }
