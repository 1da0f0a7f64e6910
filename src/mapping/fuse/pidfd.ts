import { closeSync } from 'node:fs'
import { NbtrunError } from '../../base/errors.ts'

// The same numbers on every architecture: both are younger than the common system call table.
const PIDFD_OPEN = 434
const PIDFD_GETFD = 438

/** A copy of another process's descriptor, close-on-exec. Needs the right to trace that process: our own child, or root. pidfd_getfd(2), Linux 5.6. */
export type TakeDescriptor = (pid: number, fd: number) => number

/** Loads koffi, the one part that is not Node's own; throws MAPPING_FAILED where it is missing. */
export async function loadTakeDescriptor(): Promise<TakeDescriptor> {
  const { default: koffi } = await import('koffi').catch((cause: unknown) => {
    throw new NbtrunError('MAPPING_FAILED', 'a private mapping needs the package koffi, which does not load', { cause, hint: 'npm install koffi' })
  })
  const syscall = koffi.load(null).func('long syscall(long number, long a, long b, long c)')
  const call = (doing: string, number: number, a: number, b: number): number => {
    const result: unknown = syscall(number, a, b, 0)
    if (typeof result === 'number' && result >= 0) return result
    const cause = new Error(`${doing}: errno ${koffi.errno()}`)
    throw new NbtrunError('MAPPING_FAILED', `the kernel refused ${doing} (errno ${koffi.errno()})`, {
      cause,
      hint: 'private mappings need Linux 5.6 and kernel.yama.ptrace_scope below 3',
    })
  }
  return (pid, fd) => {
    const handle = call('pidfd_open', PIDFD_OPEN, pid, 0)
    try {
      return call('pidfd_getfd', PIDFD_GETFD, handle, fd)
    } finally {
      closeSync(handle)
    }
  }
}
