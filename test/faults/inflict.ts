// What happens to a run, where that takes more than a signal; each says whether it really did.
import { spawnSync } from 'node:child_process'
import { appendFileSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pause } from '../../src/base/time.ts'
import { enter } from '../lab/host.ts'
import type { Lab } from '../lab/index.ts'
import { TOOL_PATH } from '../lab/packages.ts'
import type { Disk } from './faults.ts'

const PAGE = 4096
/** For what the kernel does at once. */
const SOON_MS = 10_000

/** smbd and all its processes. Resolves when it took effect. */
export async function signalServer(lab: Lab, signal: 'SIGSTOP' | 'SIGCONT'): Promise<void> {
  const { daemons } = lab.host('srv')
  const pids = [daemons!.smbd.pid, ...children(daemons!.smbd.pid)]
  for (const pid of pids)
    try {
      process.kill(pid, signal)
    } catch {} // one that has ended meanwhile
  const isSo = (pid: number): boolean => /^State:\s+[TZX]/m.test(readStatus(pid)) === (signal === 'SIGSTOP')
  await untilSo(() => pids.every(pid => readStatus(pid) === '' || isSo(pid)), `smbd after ${signal}`)
}

/** proc_pid_children(5). */
function children(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number)
}

/** The disk takes not one byte more: all its pages are taken, and a journal's entry fills its last one. */
export function fill(lab: Lab, { host, path }: Disk): void {
  const { stderr } = inHost(lab, host, ['dd', 'if=/dev/zero', `of=${path}/full`, 'bs=1k'])
  if (!/No space left/.test(stderr)) throw new Error(`the disk is not full: ${stderr}`)
  const folder = seen(lab, { host, path })
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name)
    if (!entry.isFile() || entry.name === 'full' || !file.includes('journal')) continue
    // to a reader of the journal this is white space before the next line
    appendFileSync(file, ' '.repeat((PAGE - (statSync(file).size % PAGE)) % PAGE))
    if (statSync(file).size % PAGE !== 0) throw new Error(`${entry.name} has room for more`)
  }
}

/** Puts a disk there, of that user. */
export function insert(lab: Lab, { host, path }: Disk, uid: number, mode: string): void {
  const { status, stderr } = inHost(lab, host, ['mount', '-t', 'tmpfs', '-o', `size=64k,mode=${mode},uid=${uid}`, 'disk', path])
  if (status !== 0) throw new Error(`mount: ${stderr.trim()}`)
}

export function eject(lab: Lab, { host, path }: Disk): void {
  inHost(lab, host, ['umount', path])
}

/** The folder as that host sees it. */
export function seen(lab: Lab, { host, path }: Disk): string {
  return join(`/proc/${lab.host(host).keeper.pid}/root`, path)
}

function inHost(lab: Lab, host: Disk['host'], words: readonly string[]): { readonly status: number | null; readonly stderr: string } {
  const [file = '', ...args] = [...enter(lab.host(host)), ...words]
  return spawnSync(file, args, { encoding: 'utf8', env: { PATH: TOOL_PATH } })
}

/** The lowest number that is free is one too many from now on: getrlimit(2). As its own user, who may lower what is theirs. */
export function noMoreDescriptors(pid: number): void {
  const open = new Set(readdirSync(`/proc/${pid}/fd`).map(Number))
  let free = 0
  while (open.has(free)) free++
  const id = (line: string): string => new RegExp(`^${line}:\\s+(\\d+)`, 'm').exec(readStatus(pid))?.[1] ?? '0'
  const words = [`--reuid=${id('Uid')}`, `--regid=${id('Gid')}`, '--clear-groups', '--', 'prlimit', `--pid=${pid}`, `--nofile=${free}`]
  const lowered = spawnSync('setpriv', words, { encoding: 'utf8', env: { PATH: TOOL_PATH } })
  if (lowered.status !== 0) throw new Error(`prlimit: ${lowered.stderr.trim()}`)
}

function readStatus(pid: number | string): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'latin1')
  } catch {
    return ''
  }
}

async function untilSo(look: () => boolean, what: string): Promise<void> {
  for (const dueAt = performance.now() + SOON_MS; !look(); await pause(5)) if (performance.now() > dueAt) throw new Error(`waited in vain for ${what}`)
}
