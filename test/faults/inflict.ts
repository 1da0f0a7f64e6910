// What happens to a run, where that takes more than a signal; each says whether it really did.
import { spawnSync } from 'node:child_process'
import { appendFileSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pause } from '../../src/base/time.ts'
import { enter } from '../lab/host.ts'
import type { Lab } from '../lab/index.ts'
import { TOOL_PATH } from '../lab/packages.ts'

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

/** The journal's disk takes not one byte more: all its pages are taken, and the entry fills its last one. */
export function fill(lab: Lab, disk: string): void {
  const [file, ...args] = [...enter(lab.host('client1')), 'dd', 'if=/dev/zero', `of=${disk}/full`, 'bs=1k']
  const { stderr } = spawnSync(file, args, { encoding: 'utf8', env: { PATH: TOOL_PATH } })
  if (!/No space left/.test(stderr)) throw new Error(`the disk is not full: ${stderr}`)
  const folder = join(`/proc/${lab.host('client1').keeper.pid}/root`, disk)
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (!entry.isFile() || entry.name === 'full') continue
    // to a reader of the journal this is white space before the next line
    appendFileSync(path, ' '.repeat((PAGE - (statSync(path).size % PAGE)) % PAGE))
    if (statSync(path).size % PAGE !== 0) throw new Error(`${entry.name} has room for more`)
  }
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
