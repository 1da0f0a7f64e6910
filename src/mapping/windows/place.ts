import type { Koffi } from './native.ts'

/** Where in this Windows this process is. */
export interface Whereabouts {
  /** When the system was started, in seconds since 1601; the same until it is started anew. */
  readonly boot: string
  /** The logon session: an elevated program of the same user has another one, with letters of its own. */
  readonly logon: string
  /** When a process was created, in 100 ns since 1601; undefined when it is gone, or not to be looked at. */
  readonly startOf: (pid: number) => string | undefined
}

// winternl.h, winnt.h
const SystemTimeOfDayInformation = 3
const TOKEN_QUERY = 8
const TokenStatistics = 10
const PROCESS_QUERY_LIMITED_INFORMATION = 0x1000
const STILL_ACTIVE = 259

/** Asks Windows; throws where it does not tell. */
export function whereabouts(koffi: Koffi): Whereabouts {
  const kernel = koffi.load('kernel32.dll')
  const query = koffi.load('ntdll.dll').func('int32_t NtQuerySystemInformation(int kind, void *information, uint32_t length, void *returned)')
  const advapi = koffi.load('advapi32.dll')
  const openToken = advapi.func('int OpenProcessToken(int64_t process, uint32_t access, void *token)')
  const tokenInformation = advapi.func('int GetTokenInformation(int64_t token, int kind, void *information, uint32_t length, void *returned)')
  const current = kernel.func('int64_t GetCurrentProcess()')
  const open = kernel.func('int64_t OpenProcess(uint32_t access, int inherit, uint32_t pid)')
  const times = kernel.func('int GetProcessTimes(int64_t process, void *created, void *ended, void *kernel, void *user)')
  const exitCode = kernel.func('int GetExitCodeProcess(int64_t process, void *code)')
  const close = kernel.func('int CloseHandle(int64_t handle)')

  const time = Buffer.alloc(48) // BootTime first
  if (Number(query(SystemTimeOfDayInformation, time, time.length, null)) < 0) throw new Error('NtQuerySystemInformation')
  const token = Buffer.alloc(8)
  const statistics = Buffer.alloc(56) // TokenId, then AuthenticationId
  if (Number(openToken(current(), TOKEN_QUERY, token)) === 0) throw new Error('OpenProcessToken')
  const told = Number(tokenInformation(token.readBigInt64LE(0), TokenStatistics, statistics, statistics.length, Buffer.alloc(4)))
  close(token.readBigInt64LE(0))
  if (told === 0) throw new Error('GetTokenInformation')

  return {
    boot: String(time.readBigInt64LE(0) / 10_000_000n),
    logon: statistics.readBigUInt64LE(8).toString(16),
    startOf(pid) {
      const process = BigInt(open(PROCESS_QUERY_LIMITED_INFORMATION, 0, pid) as number)
      if (process === 0n) return undefined
      try {
        const [created, code, rest] = [Buffer.alloc(8), Buffer.alloc(4), Buffer.alloc(8)]
        exitCode(process, code)
        if (code.readUInt32LE(0) !== STILL_ACTIVE) return undefined // somebody has a handle of it still
        return Number(times(process, created, rest, Buffer.alloc(8), Buffer.alloc(8))) === 0 ? undefined : String(created.readBigUInt64LE(0))
      } finally {
        close(process)
      }
    },
  }
}
