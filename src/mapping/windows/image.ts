import { win32 } from 'node:path'
import type { Koffi } from './native.ts'

// winnt.h, and the longest path there is
const PROCESS_QUERY_LIMITED_INFORMATION = 0x1000
const STILL_ACTIVE = 259
const MOST_CHARACTERS = 32_768

/** What tells the name of a process: of its program, without the folder. Undefined where it is gone, or kept from us. */
export function imageNames(koffi: Koffi): (pid: number) => string | undefined {
  const kernel = koffi.load('kernel32.dll')
  const open = kernel.func('int64_t OpenProcess(uint32_t access, int inherit, uint32_t pid)')
  const exitCode = kernel.func('int GetExitCodeProcess(int64_t process, void *code)')
  const image = kernel.func('int QueryFullProcessImageNameW(int64_t process, uint32_t flags, void *name, void *characters)')
  const close = kernel.func('int CloseHandle(int64_t handle)')
  return pid => {
    const process = BigInt(open(PROCESS_QUERY_LIMITED_INFORMATION, 0, pid) as number)
    if (process === 0n) return undefined
    try {
      const code = Buffer.alloc(4)
      exitCode(process, code)
      if (code.readUInt32LE(0) !== STILL_ACTIVE) return undefined // somebody has a handle of it still
      const name = Buffer.alloc(2 * MOST_CHARACTERS)
      const characters = Buffer.alloc(4)
      characters.writeUInt32LE(MOST_CHARACTERS)
      if (Number(image(process, 0, name, characters)) === 0) return undefined
      return win32.basename(name.toString('utf16le', 0, 2 * characters.readUInt32LE(0))) || undefined
    } finally {
      close(process)
    }
  }
}
