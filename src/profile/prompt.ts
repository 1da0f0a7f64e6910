import { once } from 'node:events'
import { closeSync, openSync, writeSync } from 'node:fs'
import { ReadStream } from 'node:tty'
import { NbtrunError } from '../base/errors.ts'
import { isWindows } from '../base/platform.ts'

const LONGEST = 1024
const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const
const KEY = { interrupt: 0x03, end: 0x04, erase: 0x08, newline: 0x0a, enter: 0x0d, kill: 0x15, suspend: 0x1a, quit: 0x1c, rubout: 0x7f }

/** Descriptors of a terminal, which may be one and the same. */
export interface Terminal {
  readonly keys: number
  readonly screen: number
  /** Ctrl-Z stops whoever runs in it; elsewhere it is the end of what is typed. */
  readonly canStop: boolean
}

/** The process's terminal, or undefined where it has none. */
export async function openTerminal(): Promise<Terminal | undefined> {
  if (isWindows) return (await import('./windows/console.ts')).openConsole()
  try {
    const fd = openSync('/dev/tty', 'r+')
    return { keys: fd, screen: fd, canStop: true }
  } catch {
    return undefined
  }
}

/**
 * Asks on the terminal without echo and closes `terminal`. Ctrl-C, a signal or the abort of `signal` reject with CANCELLED (`facts.signal` names
 * the signal); on every path, Ctrl-Z included, the terminal is as it was. The caller wipes the buffer.
 */
export async function askPassword(question: string, terminal: Terminal, signal?: AbortSignal): Promise<Buffer> {
  const prompt = new Prompt(question, terminal)
  try {
    return await prompt.ask(signal)
  } finally {
    await prompt.leave()
  }
}

class Prompt {
  readonly #question: string
  readonly #terminal: Terminal
  readonly #keys: ReadStream
  readonly #typed = Buffer.alloc(LONGEST)
  readonly #undo: (() => void)[] = []
  #length = 0
  #settle: { resolve(password: Buffer): void; reject(error: unknown): void } | undefined

  constructor(question: string, terminal: Terminal) {
    this.#question = question
    this.#terminal = terminal
    this.#keys = new ReadStream(terminal.keys)
  }

  ask(signal: AbortSignal | undefined): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
      if (signal?.aborted === true) return reject(signal.reason)
      const aborted = (): void => reject(signal?.reason)
      signal?.addEventListener('abort', aborted, { once: true })
      this.#undo.push(() => signal?.removeEventListener('abort', aborted))
      for (const name of ENDING) this.#on(name, () => reject(cancelled(name)))
      this.#on('SIGTSTP', this.#stop)
      this.#keys.on('data', (chunk: Buffer) => {
        this.#take(chunk)
        chunk.fill(0)
      })
      this.#keys.once('error', reject)
      this.#keys.once('end', () => reject(cancelled('SIGHUP')))
      this.#keys.setRawMode(true)
      writeSync(this.#terminal.screen, this.#question)
    })
  }

  /** Puts the terminal back; the cursor stands on a line of its own. */
  async leave(): Promise<void> {
    this.#restore()
    for (const undo of this.#undo.splice(0)) undo()
    this.#typed.fill(0)
    this.#keys.destroy()
    await once(this.#keys, 'close')
    for (const fd of new Set([this.#terminal.keys, this.#terminal.screen]))
      try {
        closeSync(fd) // the stream had a descriptor of its own
      } catch {
        // or, where it could not open the terminal anew, this one
      }
  }

  #on(name: NodeJS.Signals, listener: () => void): void {
    process.on(name, listener)
    this.#undo.push(() => process.removeListener(name, listener))
  }

  #take(chunk: Buffer): void {
    const { canStop } = this.#terminal
    for (const byte of chunk) {
      if (byte === KEY.enter || byte === KEY.newline) return this.#settle?.resolve(Buffer.from(this.#typed.subarray(0, this.#length)))
      if (byte === KEY.interrupt) return this.#settle?.reject(cancelled('SIGINT'))
      if (byte === KEY.quit) return this.#settle?.reject(cancelled('SIGQUIT'))
      if ((byte === KEY.end || (byte === KEY.suspend && !canStop)) && this.#length === 0) return this.#settle?.reject(cancelled('SIGINT'))
      if (byte === KEY.suspend && canStop) this.#suspend(0)
      else if (byte === KEY.kill) this.#length = 0
      else if (byte === KEY.erase || byte === KEY.rubout) this.#erase()
      else if (byte >= 0x20 && this.#length < LONGEST) this.#typed[this.#length++] = byte
    }
  }

  /** One character back, all its UTF-8 bytes. */
  #erase(): void {
    while (this.#length > 0 && ((this.#typed[--this.#length] ?? 0) & 0xc0) === 0x80);
  }

  readonly #stop = (): void => this.#suspend(process.pid)

  /** Stops this process, or for Ctrl-Z its whole job (0), with the terminal put back meanwhile. */
  #suspend(whom: number): void {
    this.#restore()
    process.removeListener('SIGTSTP', this.#stop)
    process.kill(whom, 'SIGTSTP') // returns when somebody continues us
    process.on('SIGTSTP', this.#stop)
    this.#keys.setRawMode(true)
    writeSync(this.#terminal.screen, this.#question)
  }

  #restore(): void {
    try {
      this.#keys.setRawMode(false)
      writeSync(this.#terminal.screen, '\n')
    } catch {
      // the terminal is gone: there is nothing to put back
    }
  }
}

function cancelled(signal: NodeJS.Signals): NbtrunError {
  return new NbtrunError('CANCELLED', 'cancelled at the password', { facts: { signal } })
}
