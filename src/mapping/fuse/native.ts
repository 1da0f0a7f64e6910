import { closeSync, openSync } from 'node:fs'
import { constants, devNull } from 'node:os'
import { type NbtrunError, outOfDescriptors } from '../../base/errors.ts'
import { impossible } from './failures.ts'

// The same numbers on every architecture: both are younger than the common system call table.
const PIDFD_OPEN = 434
const PIDFD_GETFD = 438

const AF_UNIX = 1
const SOCK_STREAM = 1
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const MSG_DONTWAIT = 0x40
const MSG_CMSG_CLOEXEC = 0x40000000
const PR_SET_DUMPABLE = 4
const PR_SET_CHILD_SUBREAPER = 36
const WNOHANG = 1

/** The few calls that Node lacks. */
export interface Native {
  /** A copy of another process's descriptor, close-on-exec. Needs the right to trace that process: our own child, or root. pidfd_getfd(2), Linux 5.6. */
  takeDescriptor(pid: number, fd: number): number
  /** Two connected sockets, close-on-exec. socketpair(2) */
  socketPair(): readonly [number, number]
  /** The descriptor that lies ready in this socket, or undefined. recvmsg(2), SCM_RIGHTS of unix(7) */
  receiveDescriptor(socket: number): number | undefined
  /** Orphans among our descendants become our children. prctl(2) */
  becomeSubreaper(): void
  /** No other process of this user may look into our memory. prctl(2) */
  hideMemory(): void
  /** Buries a child that is a zombie. Never one that Node started: Node waits for those. waitpid(2) */
  readonly bury: (pid: number) => void
}

let loaded: Promise<Native> | undefined

/** Loads koffi, the one part that is not Node's own; throws MAPPING_FAILED where it is missing. */
export function loadNative(): Promise<Native> {
  loaded ??= load()
  return loaded
}

async function load(): Promise<Native> {
  const { default: koffi } = await import('koffi').catch((cause: unknown) => {
    throw outOfDescriptors(cause) ?? noDescriptorLeft() ?? impossible('ffi', 'the package koffi does not load', 'npm install koffi', cause)
  })
  const libc = koffi.load(null)
  const call = (doing: string, prototype: string): ((...words: unknown[]) => number) => {
    const native = libc.func(prototype)
    return (...words) => {
      const result: unknown = native(...words)
      if (typeof result === 'number' && result >= 0) return result
      const errno = koffi.errno()
      const hint = doing.startsWith('pidfd') ? 'private mappings need Linux 5.6 and kernel.yama.ptrace_scope below 3, or no koffi' : undefined
      const name = Object.entries(constants.errno).find(([, number]) => number === errno)?.[0]
      const cause = Object.assign(new Error(`${doing}: errno ${errno}`), { code: name })
      throw outOfDescriptors(cause) ?? impossible('ffi', `the kernel refused ${doing} (errno ${errno})`, hint, cause)
    }
  }
  const syscall = 'long syscall(long number, long a, long b, long c)'
  const prctl = call('prctl', 'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)')
  const socketpair = call('socketpair', 'int socketpair(int domain, int type, int protocol, void *pair)')
  const recvmsg = call('recvmsg', 'long recvmsg(int socket, void *message, int flags)')
  const waitpid = libc.func('int waitpid(int pid, void *status, int options)')
  const pidfdOpen = call('pidfd_open', syscall)
  const pidfdGetfd = call('pidfd_getfd', syscall)

  return {
    takeDescriptor(pid, fd) {
      const handle = pidfdOpen(PIDFD_OPEN, pid, 0, 0)
      try {
        return pidfdGetfd(PIDFD_GETFD, handle, fd, 0)
      } finally {
        closeSync(handle)
      }
    },
    socketPair() {
      const pair = Buffer.alloc(8)
      socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)
      return [pair.readInt32LE(0), pair.readInt32LE(4)]
    },
    receiveDescriptor(socket) {
      // struct msghdr at 0, iovec at 56, cmsghdr at 72 and one byte of data at 96, as on every 64-bit Linux
      const block = Buffer.alloc(104)
      const at = koffi.address(block)
      block.writeBigUInt64LE(at + 56n, 16) // msg_iov
      block.writeBigUInt64LE(1n, 24)
      block.writeBigUInt64LE(at + 72n, 32) // msg_control
      block.writeBigUInt64LE(24n, 40)
      block.writeBigUInt64LE(at + 96n, 56)
      block.writeBigUInt64LE(1n, 64)
      const length = recvmsg(socket, block, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)
      const told = block.readBigUInt64LE(40) >= 20n && block.readInt32LE(80) === SOL_SOCKET && block.readInt32LE(84) === SCM_RIGHTS
      return length === 1 && told ? block.readInt32LE(88) : undefined
    },
    becomeSubreaper: () => void prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0),
    hideMemory: () => void prctl(PR_SET_DUMPABLE, 0, 0, 0, 0),
    bury: pid => void waitpid(pid, null, WNOHANG),
  }
}

/** A loader that tries several places says of none why: whether another file can be opened. */
function noDescriptorLeft(): NbtrunError | undefined {
  try {
    closeSync(openSync(devNull, 'r'))
    return undefined
  } catch (thrown) {
    return outOfDescriptors(thrown)
  }
}
