import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { Attach } from '../../../../src/mapping/fuse/device.ts'
import { Devices } from '../../../../src/mapping/fuse/devices.ts'
import { type FuseOptions, type FuseServer, serveFuse } from '../../../../src/mapping/fuse/server.ts'
import type { Files } from '../../../../src/smb/files.ts'
import { missing } from '../../../lab/missing.ts'
import { DiskFiles } from './disk-files.ts'

/** Why no test can mount here, or false. */
export const cannotMount: string | false = process.getuid?.() === 0 ? missing('fuse') : 'needs root'

export interface Finished {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  readonly ms: number
}

/** A mounted share in a mount namespace of its own, with a program running inside. */
export interface Mounted {
  readonly server: FuseServer
  readonly files: DiskFiles
  readonly warnings: string[]
  readonly child: ChildProcess
  /** When the program has exited; `gone` is another matter. */
  readonly finished: Promise<Finished>
}

/** RELAYED=1: as where this Node cannot poll. */
const devices = new Devices(process.env['RELAYED'] === '1')

export interface Setup extends Partial<FuseOptions> {
  /** How requests are read, if not polled. */
  readonly device?: (fd: number) => Attach
  /** What stands before the disk. */
  readonly wrap?: (files: DiskFiles) => Files
}

/** A temp folder with `disk` (the share's files) and `mnt`. */
export class Bench {
  readonly top = mkdtempSync(join(tmpdir(), 'nbtrun-fuse-'))
  readonly disk = join(this.top, 'disk')
  readonly mnt = join(this.top, 'mnt')
  readonly files = new DiskFiles(this.disk)

  constructor() {
    mkdirSync(this.disk)
    mkdirSync(this.mnt)
  }

  /** Mounts, then runs `script` with sh in the mount point; the script's `$TOP` is the temp folder. */
  async start(script: string, { wrap = files => files, device, ...options }: Setup = {}): Promise<Mounted> {
    const fd = openSync('/dev/fuse', 'r+')
    const warnings: string[] = []
    const mount = `mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 nbtrun "$MNT" && exec 3>&- 4>&- && [ -d "$MNT" ] && cd "$MNT" && exec sh -c "$SCRIPT"`
    const child = spawn('unshare', ['--mount', '--propagation', 'private', '--', 'sh', '-c', mount], {
      stdio: ['ignore', 'pipe', 'pipe', fd, 'pipe'],
      env: { ...process.env, MNT: this.mnt, TOP: this.top, SCRIPT: script, LC_ALL: 'C.UTF-8' },
    })
    const began = performance.now()
    const finished = new Promise<Finished>((resolve, reject) => {
      let [stdout, stderr] = ['', '']
      child.stdout?.on('data', (chunk: Buffer) => void (stdout += chunk.toString()))
      child.stderr?.on('data', (chunk: Buffer) => void (stderr += chunk.toString()))
      child.once('error', reject)
      child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr, ms: performance.now() - began }))
    })
    await once((child.stdio[4] as Readable).resume(), 'end') // mounted, or failed
    const server = serveFuse({
      attach: device?.(fd) ?? (await devices.attach(fd)),
      files: wrap(this.files),
      uid: 0,
      gid: 0,
      readOnly: false,
      onWarning: w => void warnings.push(w),
      ...options,
    })
    return { server, files: this.files, warnings, child, finished }
  }

  /** Until the program has made this file in the temp folder. */
  async sign(name: string): Promise<void> {
    while (!existsSync(join(this.top, name))) await new Promise(resolve => setTimeout(resolve, 2))
  }

  /** The words that run this Python program. */
  python(code: string): string {
    const name = `${readdirSync(this.top).length}.py`
    writeFileSync(join(this.top, name), code)
    return `python3 "$TOP/${name}"`
  }

  /** Runs the script to its end and the mount to its end; it must succeed without a warning. Returns what it printed. */
  async run(script: string, setup: Setup = {}): Promise<string> {
    const mounted = await this.start(script, setup)
    const { code, signal, stdout, stderr } = await mounted.finished
    await mounted.server.gone
    assert.deepEqual({ code, signal, stderr, warnings: mounted.warnings }, { code: 0, signal: null, stderr: '', warnings: [] }, stdout)
    assert.deepEqual(mounted.server.openFiles(), [])
    return stdout
  }

  [Symbol.dispose](): void {
    rmSync(this.top, { recursive: true, force: true })
  }
}
