import { basename, extname, resolve } from 'node:path'
import { NbtrunError } from '../base/errors.ts'
import { elfFits } from './elf.ts'
import type { Found, FindOptions } from './find.ts'
import { lookAt } from './places.ts'

export interface Startable {
  /** The words that start the program; its arguments follow. */
  readonly words: readonly string[]
  readonly kind: 'native' | 'script' | 'windows'
}

/** Files that Windows starts without being programs, and what starts them in Wine: their path follows. */
const BY_EXTENSION: Readonly<Record<string, readonly string[]>> = { '.bat': [], '.cmd': [], '.lnk': ['start', '/wait', '/unix'], '.msi': ['msiexec', '/i'] }

/** Whether a name promises a Windows program. Its first bytes have the last word. */
export function looksWindows(name: string): boolean {
  return /\.(exe|com|bat|cmd|msi|lnk)$/i.test(name)
}

/**
 * How a program is started, by its first bytes: ELF and `#!` as they are, what Windows runs through Wine, anything else not at all. It is decided here
 * because execvp(3), which starts it, would hand what the kernel refuses to /bin/sh. Throws PROGRAM_NOT_RUNNABLE or PROGRAM_NOT_FOUND.
 */
export async function startable(found: Found, options: FindOptions): Promise<Startable> {
  const { path, word, head } = found
  if (head === undefined) return { words: [word], kind: 'native' } // the kernel reads it, and runs what may not be read only where it is ELF
  const magic = head.toString('latin1', 0, 4)
  if (magic === '\x7fELF') {
    if (!elfFits(head)) throw notRunnable(path, 'is built for another kind of machine')
    return { words: [word], kind: 'native' }
  }
  if (magic.startsWith('#!')) {
    await requireInterpreter(path, head, options)
    return { words: [word], kind: 'script' }
  }
  const extension = extname(path).toLowerCase()
  if (magic.startsWith('MZ') || extension in BY_EXTENSION)
    return { words: [await wine(path, options), ...(BY_EXTENSION[extension] ?? []), path], kind: 'windows' }
  throw notRunnable(path, head.length === 0 ? 'is empty' : 'is no program: neither ELF, nor a script that begins with #!, nor a Windows program')
}

async function wine(path: string, options: FindOptions): Promise<string> {
  const { findWine, noWine } = await import('./wine/tools.ts')
  return findWine(options).catch((cause: unknown) => {
    throw noWine(`${basename(path)} is a Windows program`, cause)
  })
}

/** The kernel says no more than "not found" when the interpreter is missing, as if the script were. */
async function requireInterpreter(path: string, head: Buffer, { cwd, places }: FindOptions): Promise<void> {
  const line = head.toString('utf8').split('\n', 1)[0] ?? ''
  const interpreter = /^#![ \t]*([^ \t]*)/.exec(line)?.[1] ?? ''
  if (interpreter.replace('\r', '') === '') throw notRunnable(path, 'names no interpreter after #!')
  const thing = await lookAt(resolve(cwd, interpreter), places)
  if (thing?.kind === 'file') return
  if (interpreter.endsWith('\r')) throw notRunnable(path, 'has lines that end as on Windows', `sed -i 's/\\r$//' ${path}`)
  if (thing === undefined) throw new NbtrunError('PROGRAM_NOT_FOUND', `${path} wants the interpreter ${interpreter}, which does not exist`)
  throw notRunnable(path, `wants the interpreter ${interpreter}, which cannot be executed`)
}

function notRunnable(path: string, why: string, hint?: string): NbtrunError {
  return new NbtrunError('PROGRAM_NOT_RUNNABLE', `${path} ${why}`, hint === undefined ? {} : { hint })
}
