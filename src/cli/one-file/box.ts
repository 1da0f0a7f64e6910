import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { end, main } from '../main.ts'
import { divert } from '../report.ts'

const WINDOWS_GUI = 2
const MB_ICONERROR = 0x10
const MB_ICONINFORMATION = 0x40
const MB_SETFOREGROUND = 0x1_0000
/** More does not fit on a screen. */
const MAX_TEXT = 4000

/** Whether somebody may read what is printed: this is the program with a console, or its stderr is a file or a pipe. */
export function hasReader(): boolean {
  return subsystem() !== WINDOWS_GUI || isRedirected(2)
}

/** A run that says in one box at its end what it would have printed. Silent when all went well, as everywhere. */
export async function startWithBox(argv: readonly string[]): Promise<never> {
  const said: string[] = []
  divert(text => said.push(text))
  const outcome = await main(argv)
  if (said.length > 0) await show(said.join(''), outcome.exit === 0 ? MB_ICONINFORMATION : MB_ICONERROR)
  return end(outcome)
}

/** What this program's own header says: a copy under another name stays what it is. "PE Format", Microsoft: Optional Header. */
function subsystem(): number {
  const header = Buffer.alloc(4096)
  const file = openSync(process.execPath, 'r')
  try {
    readSync(file, header, 0, header.length, 0)
  } finally {
    closeSync(file)
  }
  return header.readUInt16LE(header.readUInt32LE(0x3c) + 24 + 68)
}

/** Node opens the null device, which is neither, for a descriptor that a program without a console does not have. */
function isRedirected(fd: number): boolean {
  try {
    const stat = fstatSync(fd)
    return stat.isFile() || stat.isFIFO() || stat.isSocket()
  } catch {
    return false
  }
}

async function show(text: string, icon: number): Promise<void> {
  const { default: koffi } = await import('koffi')
  const box = koffi.load('user32.dll').func('int __stdcall MessageBoxW(void *owner, str16 text, str16 caption, uint32_t type)')
  box(null, text.trimEnd().slice(0, MAX_TEXT), 'nbtrun', icon | MB_SETFOREGROUND)
}
