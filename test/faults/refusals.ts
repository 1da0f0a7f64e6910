import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { once } from 'node:events'
import { pause } from '../../src/base/time.ts'
import { TOOL_PATH } from '../lab/packages.ts'

/** Calls that need a number for a new descriptor. */
const OPENING = 'open,openat,socket,socketpair,pipe,pipe2,dup,fcntl,accept4,epoll_create1,eventfd2,inotify_init1,memfd_create,pidfd_open,pidfd_getfd'
const ATTACH_MS = 20_000

/**
 * Watches a process by strace(1) from now on. Resolves, once it is watched, to a question: after its end, the calls that failed for want of a descriptor.
 * Those of its children do not count.
 */
export async function refusedDescriptors(pid: number): Promise<() => Promise<readonly string[]>> {
  const threads = readdirSync(`/proc/${pid}/task`)
  const words = ['-qq', '-e', 'status=failed', '-e', 'signal=none', '-e', `trace=${OPENING}`, ...threads.flatMap(thread => ['-p', thread])]
  const strace = spawn('strace', words, { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: TOOL_PATH } })
  let said = ''
  strace.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  const ended = once(strace, 'close')
  for (const dueAt = performance.now() + ATTACH_MS; !threads.every(thread => isTraced(pid, thread)); await pause(5))
    if (performance.now() > dueAt || strace.exitCode !== null) {
      strace.kill()
      throw new Error(`nbtrun cannot be watched: ${said}`)
    }
  return async () => {
    await ended
    return said.split('\n').filter(line => line.includes('= -1 EMFILE'))
  }
}

/** Or gone: proc_pid_status(5). */
function isTraced(pid: number, thread: string): boolean {
  try {
    return !/^TracerPid:\s+0$/m.test(readFileSync(`/proc/${pid}/task/${thread}/status`, 'latin1'))
  } catch {
    return true
  }
}
