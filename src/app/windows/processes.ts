import type koffiType from 'koffi'
import type { CommandLine } from './command-line.ts'

// processthreadsapi.h, winbase.h, winnt.h, fileapi.h
const CREATE_UNICODE_ENVIRONMENT = 0x400
const STARTF_USESTDHANDLES = 0x100
const DUPLICATE_SAME_ACCESS = 2
const WAIT_OBJECT_0 = 0
const GENERIC_WRITE = 0x4000_0000
const OPEN_EXISTING = 3
/** STARTUPINFOW on 64 bits: cb first, dwFlags, then the three handles. */
const STARTUP = { size: 104, flags: 60, handles: 80 } as const

export interface Creation {
  readonly command: CommandLine
  readonly env: Readonly<Record<string, string>>
  /** Ours where it is undefined. */
  readonly cwd: string | undefined
  /** CREATE_... of winbase.h. */
  readonly flags: number
  /** What it has as stdin, stdout and stderr, to be inherited; 0 for none. */
  readonly standard: readonly bigint[]
}

/** Handles that whoever asked closes. */
export interface Created {
  readonly process: bigint
  readonly thread: bigint
  readonly pid: number
}

/** Windows' own functions about processes, which Node has not. */
export function processes(koffi: typeof koffiType) {
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
  const createPipe = kernel.func('int CreatePipe(void *read, void *write, void *security, uint32_t size)')
  const createFile = kernel.func(
    'int64_t CreateFileW(str16 name, uint32_t access, uint32_t share, void *security, uint32_t creation, uint32_t flags, int64_t like)',
  )
  const write = kernel.func('int WriteFile(int64_t file, void *bytes, uint32_t length, void *written, void *overlapped)')
  const close = kernel.func('int CloseHandle(int64_t handle)')
  return {
    /** The process, or the number of why there is none. */
    create({ command, env, cwd, flags, standard }: Creation): Created | number {
      const startup = Buffer.alloc(STARTUP.size)
      startup.writeUInt32LE(STARTUP.size, 0)
      if (standard.some(handle => handle !== 0n)) {
        startup.writeUInt32LE(STARTF_USESTDHANDLES, STARTUP.flags)
        standard.forEach((handle, i) => startup.writeBigInt64LE(handle, STARTUP.handles + 8 * i))
      }
      const information = Buffer.alloc(24) // process, thread, their ids
      const line = Buffer.from(`${command.line}\0`, 'utf16le') // CreateProcess writes into it
      const all = flags | CREATE_UNICODE_ENVIRONMENT
      const ok: number = createProcess(command.application, line, null, null, 1, all, environmentBlock(env), cwd ?? null, startup, information)
      if (ok === 0) return Number(lastError()) || 31
      return { process: information.readBigInt64LE(0), thread: information.readBigInt64LE(8), pid: information.readUInt32LE(16) }
    },
    /** GetStdHandle */
    standard: (name: number): bigint => BigInt(stdHandle(name) as number),
    /** A copy that a child gets: Node keeps its own from them. 0 where there is none. */
    inheritable(handle: bigint): bigint {
      const copy = Buffer.alloc(8)
      if (handle === 0n || handle === -1n) return 0n
      const ok: number = duplicate(current(), handle, current(), copy, 0, 1, DUPLICATE_SAME_ACCESS)
      return ok === 0 ? 0n : copy.readBigInt64LE(0)
    },
    isOver: (process: bigint): boolean => wait(process, 0) === WAIT_OBJECT_0,
    /** Both ends of a pipe: to read from, and to write to. No child gets any. */
    pipe(): readonly [bigint, bigint] {
      const [read, write] = [Buffer.alloc(8), Buffer.alloc(8)]
      if (Number(createPipe(read, write, null, 0)) === 0) throw new Error(`no pipe: error ${lastError()}`)
      return [read.readBigInt64LE(0), write.readBigInt64LE(0)]
    },
    /** To write to, what nobody reads. */
    nowhere: (): bigint => BigInt(createFile('NUL', GENERIC_WRITE, 0, null, OPEN_EXISTING, 0, 0) as number),
    /** A few bytes, for which a pipe has room. */
    write(pipe: bigint, text: string): void {
      const bytes = Buffer.from(text)
      write(pipe, bytes, bytes.length, Buffer.alloc(4), null)
    },
    exitCode(process: bigint): number {
      const code = Buffer.alloc(4)
      exitCode(process, code)
      return code.readUInt32LE(0)
    },
    resume: (thread: bigint): void => void resume(thread),
    terminate: (process: bigint): boolean => terminate(process, 1) !== 0,
    close(handle: bigint): void {
      if (handle !== 0n && handle !== -1n) close(handle)
    },
  }
}

/** `NAME=value` each, sorted without regard to case as Windows wants it, and an empty one. */
function environmentBlock(env: Readonly<Record<string, string>>): Buffer {
  const lines = Object.entries(env).map(([name, value]) => `${name}=${value}\0`)
  lines.sort((a, b) => (a.toUpperCase() < b.toUpperCase() ? -1 : 1))
  return Buffer.from(`${lines.join('')}\0\0`, 'utf16le')
}
