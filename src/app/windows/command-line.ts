import { extname } from 'node:path'
import { NbtrunError } from '../../base/errors.ts'

/** What CreateProcess takes: the file, and the line that the program parses. */
export interface CommandLine {
  /** Absolute path of an executable. */
  readonly application: string
  readonly line: string
}

/** cmd.exe's own characters. */
const META = /([()\][%!^"`<>&|;, *?])/g

/** CreateProcess takes so many characters, cmd.exe fewer. */
const LONGEST = { program: 32_766, batch: 8_191 } as const

/**
 * The line for a program, or for a batch file through cmd.exe, quoted as cross-spawn does. `comspec` is cmd.exe. Throws PROGRAM_NOT_RUNNABLE where it is too
 * long, and where a word for a batch file has a line end in it: cmd.exe would end the line there.
 */
export function commandLine(path: string, args: readonly string[], comspec: string): CommandLine {
  const isBatch = /^\.(?:bat|cmd)$/i.test(extname(path))
  if (!isBatch) return limited({ application: path, line: [path, ...args].map(quoted).join(' ') }, LONGEST.program)
  if ([path, ...args].some(word => /[\r\n]/.test(word)))
    throw new NbtrunError('PROGRAM_NOT_RUNNABLE', `${path} cannot be given a word with a line end in it`, { hint: 'cmd.exe has no way to say it' })
  // the shims that npm makes hand their words on through cmd.exe once more
  const times = /node_modules[\\/]\.bin[\\/][^\\/]+\.cmd$/i.test(path) ? 2 : 1
  const words = [escaped(path, 1), ...args.map(word => escaped(inQuotes(word), times))]
  return limited({ application: comspec, line: `"${comspec}" /d /s /c "${words.join(' ')}"` }, LONGEST.batch)
}

function limited(line: CommandLine, longest: number): CommandLine {
  if (line.line.length > longest)
    throw new NbtrunError('PROGRAM_NOT_RUNNABLE', `${line.application} cannot be started: its arguments are too long (${line.line.length} characters)`)
  return line
}

/** A word as CommandLineToArgvW and Microsoft's C runtime take it apart again. */
function quoted(word: string): string {
  return word !== '' && !/[\s"]/.test(word) ? word : inQuotes(word)
}

/** Backslashes count only before a quote, the one at the end among them, and are doubled there. */
function inQuotes(word: string): string {
  const inside = word.replace(/(\\*)("|$)|\\+/g, (all, slashes: string | undefined, quote: string) => {
    if (slashes === undefined) return all
    return slashes + slashes + (quote === '"' ? '\\"' : '')
  })
  return `"${inside}"`
}

function escaped(word: string, times: number): string {
  return times === 0 ? word : escaped(word.replace(META, '^$1'), times - 1)
}
