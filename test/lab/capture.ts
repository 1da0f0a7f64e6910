import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createWriteStream, mkdtempSync, type WriteStream } from 'node:fs'
import { join } from 'node:path'
import { type Deferred, deferred, pause, within } from '../../src/base/time.ts'
import { enter, type Host } from './host.ts'
import { TOOL_PATH } from './packages.ts'

/** The discard service: markers go there, and readers of the recording leave it out. */
export const MARKER_PORT = 9

/** A recording of one host's cable. It begins and ends exactly: what passed between `start` and `stop` is in the file, whole. */
export class Capture {
  /** The recording, in pcapng. It lies in the lab's folder and goes with it. */
  readonly path: string
  readonly #wire: Host
  readonly #host: Host
  readonly #dumpcap: ChildProcess
  readonly #file: WriteStream
  readonly #closed: Promise<void>
  #marker: { readonly bytes: Buffer; readonly seen: Deferred<void> } | undefined
  #tail = Buffer.alloc(0)

  private constructor(wire: Host, host: Host, filter: string) {
    this.#wire = wire
    this.#host = host
    this.path = join(mkdtempSync(join(wire.folder, 'capture-')), `${host.name}.pcapng`)
    this.#file = createWriteStream(this.path)
    const dumpcap = ['dumpcap', '-q', '-i', host.name, '-B', '64', '-w', '-', '-f', `(${filter}) or udp dst port ${MARKER_PORT}`]
    const [file = '', ...args] = [...enter(wire), ...dumpcap]
    this.#dumpcap = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: TOOL_PATH } })
    this.#dumpcap.stdout?.on('data', (chunk: Buffer) => this.#take(chunk))
    this.#closed = new Promise(resolve => {
      this.#dumpcap.once('close', resolve).once('error', resolve)
    })
  }

  static async start(wire: Host, host: Host, filter: string): Promise<Capture> {
    const capture = new Capture(wire, host, filter)
    await within(60_000, () => capture.#begun(), 'starting dumpcap')
    await capture.#flush()
    return capture
  }

  /** Ends the recording and returns its file. */
  async stop(): Promise<string> {
    await this.#flush()
    this.#dumpcap.kill('SIGINT')
    await this.#closed
    await new Promise<void>(resolve => this.#file.end(resolve))
    return this.path
  }

  async #begun(): Promise<void> {
    let said = ''
    const recording = new Promise<true>(resolve => {
      this.#dumpcap.stderr?.on('data', (text: Buffer) => {
        said += text.toString()
        if (said.includes('File: ')) resolve(true)
      })
    })
    if ((await Promise.race([recording, this.#closed])) !== true) throw new Error(`lab: dumpcap: ${said.trim()}`)
  }

  /** The kernel hands packets over in blocks: sends one last packet and waits until it comes out. */
  async #flush(): Promise<void> {
    const marker = { bytes: Buffer.from(randomBytes(12).toString('hex')), seen: deferred<void>() }
    this.#marker = marker
    const send = `printf %s ${marker.bytes.toString()} >/dev/udp/${this.#host.address}/${MARKER_PORT}`
    // with a socket as its input, which Node's pipes are, bash would read its user's .bashrc
    spawnSync('nsenter', [`--target=${this.#wire.keeper.pid}`, '--net', 'bash', '--norc', '-c', send], { env: { PATH: TOOL_PATH }, stdio: 'ignore' })
    const seen = within(60_000, () => marker.seen.promise, 'waiting for what was recorded')
    // a host without power or cable does not get the marker; what it sent before has come out long since
    await (this.#isPlugged() ? seen : Promise.race([seen, pause(1000)]))
  }

  #isPlugged(): boolean {
    const look = ['ip', '-brief', 'link', 'show', 'dev', this.#host.name]
    const { stdout } = spawnSync('nsenter', [`--target=${this.#wire.keeper.pid}`, '--net', ...look], { env: { PATH: TOOL_PATH }, encoding: 'utf8' })
    return /^\S+ +UP /.test(stdout)
  }

  #take(chunk: Buffer): void {
    this.#file.write(chunk)
    if (this.#marker === undefined) return
    this.#tail = Buffer.concat([this.#tail, chunk])
    if (this.#tail.includes(this.#marker.bytes)) this.#marker.seen.resolve()
    this.#tail = this.#tail.subarray(-this.#marker.bytes.length)
  }
}
