import { NbtrunError } from '../base/errors.ts'
import { shown } from './values.ts'

/** How a word of the user's stands in a script of some language so that the program gets it byte for byte. */
export interface Language {
  /** Throws USAGE for what the language cannot hold: control characters, line breaks among them. */
  quote(word: string): string
  /** What stands between two words. */
  readonly between: string
  readonly newline: '\n' | '\r\n'
}

/** `--share` and the like need no quotes. */
const unlessOption =
  (quote: (word: string) => string) =>
  (word: string): string =>
    /^--[a-z-]*$/.test(word) ? word : quote(word)

export const LANGUAGES = {
  sh: { quote: unlessOption(quoteSh), between: ' ', newline: '\n' },
  cmd: { quote: unlessOption(quoteCmd), between: ' ', newline: '\r\n' },
  innerCmd: { quote: unlessOption(quoteInnerCmd), between: ' ', newline: '\r\n' },
  powershell: { quote: quotePowerShell, between: ', ', newline: '\r\n' },
  desktop: { quote: unlessOption(quoteDesktop), between: ' ', newline: '\n' },
  systemd: { quote: unlessOption(quoteSystemd), between: ' ', newline: '\n' },
} as const satisfies Record<string, Language>

/** A word for sh: in single quotes nothing is special but the quote itself. */
export function quoteSh(word: string): string {
  return `'${oneLine(word).replaceAll("'", "'\\''")}'`
}

/**
 * A word for a batch file that is read with delayed expansion off. Inside double quotes cmd leaves & | < > ( ) ^ ! alone, at every level it may
 * pass (npm's nbtrun.cmd is one more); only % must be doubled. A quote becomes two, which cmd sees as closed and opened again and the
 * C runtime as one; backslashes before a quote are doubled for the latter.
 */
export function quoteCmd(word: string): string {
  return forCmd(word).replaceAll('%', '%%')
}

/**
 * A word for `cmd /c` inside a batch file. On a command line percent signs cannot be doubled: each comes out of the variable `pc`, which the
 * template sets, and what a variable stands for is not looked at again.
 */
export function quoteInnerCmd(word: string): string {
  return forCmd(word).replaceAll('%', '%%pc%%')
}

function forCmd(word: string): string {
  return `"${oneLine(word)
    .replace(/(\\*)"/g, '$1$1""')
    .replace(/(\\+)$/, '$1$1')}"`
}

/** A word for PowerShell, to which five characters are a single quote. */
export function quotePowerShell(word: string): string {
  return `'${oneLine(word).replace(/['‘’‚‛]/g, '$&$&')}'`
}

/**
 * A word of a desktop entry's Exec. Desktop Entry Specification, "The Exec key": in double quotes, with a backslash before " ` $ \, and as a
 * value of type string each backslash doubled; a percent sign is two.
 */
export function quoteDesktop(word: string): string {
  return `"${oneLine(word)
    .replace(/["`$\\]/g, '\\$&')
    .replaceAll('\\', '\\\\')
    .replaceAll('%', '%%')}"`
}

/** A word of a unit's ExecStart. systemd.service(5), "COMMAND LINES": C escapes in double quotes; % and $ are two. */
export function quoteSystemd(word: string): string {
  return `"${oneLine(word).replace(/["\\]/g, '\\$&').replace(/[%$]/g, '$&$&')}"`
}

function oneLine(word: string): string {
  if (/[\p{Cc}\u2028\u2029]/u.test(word)) throw new NbtrunError('USAGE', `a script cannot hold the control character in ${shown(word)}`)
  return word
}
