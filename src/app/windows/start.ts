import type koffiType from 'koffi'
import { NbtrunError } from '../../base/errors.ts'
import { deferred } from '../../base/time.ts'
import type { Exit, Program } from '../start.ts'
import type { CommandLine } from './command-line.ts'

type Koffi = typeof koffiType

// processthreadsapi.h, winbase.h
const CREATE_SUSPENDED = 0x4
const CREATE_UNICODE_ENVIRONMENT = 0x400
const STARTF_USESTDHANDLES = 0x100
const DUPLICATE_SAME_ACCESS = 2
const WAIT_OBJECT_0 = 0
/** STARTUPINFOW on 64 bits: cb first, dwFlags, then the three handles. */
const STARTUP = { size: 104, flags: 60, handles: 80 } as const
/** GetStdHandle's names for stdin, stdout, stderr. */
const STD_HANDLES = [-10, -11, -12] as const

export interface StartOptions {
  readonly command: CommandLine
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** Puts the process where it belongs before it runs; calls back whenever it may have ended. Throws what that failed of: it never ran then. */
  readonly admit: (process: bigint, changed: () => void) => void
}

/**
 * Starts a program that does not run before it was admitted: Node can start none that waits. nbtrun's console, stdin, stdout and stderr are its own. Its exit
 * code has all 32 bits. Throws PROGRAM_NOT_FOUND or PROGRAM_NOT_RUNNABLE.
 */
export function startProgram(koffi: Koffi, { command, env, cwd, admit }: StartOptions): Program {
  const api = functions(koffi)
  const startup = Buffer.alloc(STARTUP.size)
  startup.writeUInt32LE(STARTUP.size, 0)
  const handles = STD_HANDLES.map(name => api.inheritable(name))
  if (handles.some(handle => handle !== 0n)) {
    startup.writeUInt32LE(STARTF_USESTDHANDLES, STARTUP.flags)
    handles.forEach((handle, i) => startup.writeBigInt64LE(handle, STARTUP.handles + 8 * i))
  }
  const information = Buffer.alloc(24) // process, thread, their ids
  const failed = api.create(command, environmentBlock(env), cwd, startup, information)
  for (const handle of handles) if (handle !== 0n) api.close(handle)
  if (failed !== 0) throw refused(command.application, failed)
  const [process, thread, pid] = [information.readBigInt64LE(0), information.readBigInt64LE(8), information.readUInt32LE(16)]
  const exit = deferred<Exit>()
  let over = false
  const look = (): void => {
    if (over || !api.isOver(process)) return
    over = true
    exit.resolve({ code: api.exitCode(process), signal: null })
    api.close(process)
  }
  try {
    admit(process, look)
    api.resume(thread)
  } catch (cause) {
    api.terminate(process)
    api.close(process)
    throw new NbtrunError('PROGRAM_NOT_RUNNABLE', `${command.application} cannot be watched: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  } finally {
    api.close(thread)
  }
  return {
    pid,
    exited: exit.promise,
    kill: () => !over && api.terminate(process),
  }
}

/** `NAME=value` each, sorted without regard to case as Windows wants it, and an empty one. */
function environmentBlock(env: Readonly<Record<string, string>>): Buffer {
  const lines = Object.entries(env).map(([name, value]) => `${name}=${value}\0`)
  lines.sort((a, b) => (a.toUpperCase() < b.toUpperCase() ? -1 : 1))
  return Buffer.from(`${lines.join('')}\0\0`, 'utf16le')
}

/** winerror.h */
function refused(path: string, error: number): NbtrunError {
  const facts = { windows: error }
  if (error === 2 || error === 3) return new NbtrunError('PROGRAM_NOT_FOUND', `there is no program ${path} (${error})`, { facts })
  const [why, hint] =
    (
      {
        5: ['access is denied', undefined],
        193: ['it is no program of this Windows', undefined],
        216: ['it is built for another kind of machine', undefined],
        267: ['its folder cannot be entered', 'give another one with --chdir'],
        740: ['it wants to run as administrator', 'start nbtrun as administrator, too: letters belong to one of the two'],
        1260: ['a policy of this machine forbids it', 'ask the administrator'],
      } as const
    )[error] ?? []
  return new NbtrunError('PROGRAM_NOT_RUNNABLE', `${path} cannot be started: ${why ?? 'Windows refuses it'} (${error})`, {
    facts,
    ...(hint === undefined ? {} : { hint }),
  })
}

function functions(koffi: Koffi) {
  const kernel = koffi.load('kernel32.dll')
  const lastError = kernel.func('uint32_t GetLastError()')
  const createProcess = kernel.func(
    'int CreateProcessW(str16 application, void *line, void *processSecurity, void *threadSecurity, int inherit, uint32_t flags, void *environment, str16 folder, void *startup, void *information)',
  )
  const stdHandle = kernel.func('int64_t GetStdHandle(int32_t name)')
  const current = kernel.func('int64_t GetCurrentProcess()')
  const duplicate = kernel.func('int DuplicateHandle(int64_t from, int64_t handle, int64_t to, void *copy, uint32_t access, int inherit, uint32_t options)')
  const wait = kernel.func('uint32_t WaitForSingleObject(int64_t handle, uint32_t milliseconds)')
  const exitCode = kernel.func('int GetExitCodeProcess(int64_t process, void *code)')
  const resume = kernel.func('uint32_t ResumeThread(int64_t thread)')
  const terminate = kernel.func('int TerminateProcess(int64_t process, uint32_t code)')
  const close = kernel.func('int CloseHandle(int64_t handle)')
  return {
    /** 0, or why not. */
    create(command: CommandLine, environment: Buffer, cwd: string, startup: Buffer, information: Buffer): number {
      const line = Buffer.from(`${command.line}\0`, 'utf16le') // CreateProcess writes into it
      const flags = CREATE_SUSPENDED | CREATE_UNICODE_ENVIRONMENT
      const ok: number = createProcess(command.application, line, null, null, 1, flags, environment, cwd, startup, information)
      return ok === 0 ? Number(lastError()) || 31 : 0
    },
    /** A copy that a child gets: Node keeps its own from them. 0 where there is none. */
    inheritable(name: number): bigint {
      const handle = BigInt(stdHandle(name) as number)
      const copy = Buffer.alloc(8)
      if (handle === 0n || handle === -1n) return 0n
      const ok: number = duplicate(current(), handle, current(), copy, 0, 1, DUPLICATE_SAME_ACCESS)
      return ok === 0 ? 0n : copy.readBigInt64LE(0)
    },
    isOver: (process: bigint): boolean => wait(process, 0) === WAIT_OBJECT_0,
    exitCode(process: bigint): number {
      const code = Buffer.alloc(4)
      exitCode(process, code)
      return code.readUInt32LE(0)
    },
    resume: (thread: bigint): void => void resume(thread),
    terminate: (process: bigint): boolean => terminate(process, 1) !== 0,
    close: (handle: bigint): void => void close(handle),
  }
}
