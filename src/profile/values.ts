import { isIPv4 } from 'node:net'
import { NbtrunError } from '../base/errors.ts'
import { parseNameOrder, type NameSource } from '../nbt/name-order.ts'
import { parseName, SUFFIX } from '../nbt/names.ts'
import { DIALECTS, type Dialect } from '../smb/dialect.ts'

/**
 * Parsers turn an option's text into its value. What they throw goes on after the option's name, so that one parser serves the command
 * line and the environment: `--port` or `NBTRUN_OPT_PORT`, then `must be 1 to 65535, not 0`.
 */
export function must(be: string, text: string): NbtrunError {
  return new NbtrunError('USAGE', `must be ${be}, not ${shown(text)}`)
}

/** A user's text inside one line of output: no control characters, of bounded length. */
export function shown(text: string): string {
  const plain = text.replace(/\p{Cc}/gu, c => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
  if (plain.trim() === '') return `"${plain}"`
  return plain.length > 120 ? `${plain.slice(0, 120)}…` : plain
}

const UNIT_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
/** Timers hold 31 bits of milliseconds. */
const LONGEST_MS = 24 * 24 * 3_600_000

/** `3`, `2.5s`, `250ms`, `10m`, `1h` in milliseconds. */
export function duration(text: string): number {
  const [, count, unit = 's'] = /^(\d+\.?\d*|\.\d+)(ms|s|m|h)?$/.exec(text) ?? []
  if (count === undefined) throw must('a duration such as 3, 2.5s, 250ms, 10m or 1h', text)
  const ms = Number(count) * (UNIT_MS[unit] ?? 1)
  if (ms > LONGEST_MS) throw must('at most 24 days', text)
  return ms
}

/** A duration longer than nothing. */
export function timeout(text: string): number {
  const ms = duration(text)
  if (ms === 0) throw must('longer than 0', text)
  return ms
}

/** A TCP port. */
export function port(text: string): number {
  return whole(text, 1, 65_535)
}

export function whole(text: string, min: number, max: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= min && value <= max)) throw must(`${min} to ${max}`, text)
  return value
}

/** One of a few words. */
export function choice<const Words extends readonly string[]>(...words: Words): (text: string) => Words[number] {
  return text => {
    const word = words.find(w => w === text)
    if (word === undefined) throw must(words.join(' or '), text)
    return word
  }
}

/** Some of a few words, in the order given, with commas between. */
export function several<const Word extends string>(...words: readonly Word[]): (text: string) => readonly Word[] {
  return text => {
    const wanted = text.split(',').map(word => words.find(w => w.toLowerCase() === word.trim().toLowerCase()))
    const found = [...new Set(wanted.filter(word => word !== undefined))]
    if (found.length < wanted.length) throw must(`one or more of ${words.join(', ')}, each once`, text)
    return found
  }
}

/** A version of SMB. SMB1 has several names. */
export function dialect(text: string): Dialect {
  return /^(nt1|smb1|1(\.0)?)$/i.test(text) ? 'NT1' : choice(...DIALECTS)(text)
}

export function filled(text: string): string {
  if (text === '') throw must('a name', text)
  return text
}

/** A flag in the environment. */
export function yes(text: string): boolean {
  if (/^(1|true|yes|on)$/i.test(text)) return true
  if (/^(0|false|no|off)$/i.test(text)) return false
  throw must('1 or 0', text)
}

/** How a teardown is verified. In the environment `1` is `ask`, `0` is `no`. */
export function verification(text: string): 'ask' | 'end' | 'no' {
  if (/^(1|true|yes|on)$/i.test(text)) return 'ask'
  if (/^(0|false|off)$/i.test(text)) return 'no'
  return choice('ask', 'end', 'no')(text)
}

/** `NAME=VALUE`; the value may be empty and may hold further `=`. */
export function assignment(text: string): { readonly name: string; readonly value: string } {
  const at = text.indexOf('=')
  if (at < 1) throw must('NAME=VALUE', text)
  return { name: text.slice(0, at), value: text.slice(at + 1) }
}

/** A NetBIOS name as people write it: 1 to 15 one-byte characters, in capitals. RFC 1001 section 14.1. */
export function netbiosName(text: string): string {
  if (!/^[\u0021-\u007e\u00a1-\u00ff][\u0020-\u007e\u00a0-\u00ff]{0,14}$/.test(text)) throw must('a NetBIOS name of 1 to 15 characters', text)
  // beyond ASCII each machine has a code page of its own: those characters stay as they are
  return text.replace(/[a-z]/g, c => c.toUpperCase())
}

/** A NetBIOS scope: labels of up to 63 bytes, which with the encoded name stay within 255. RFC 1002 section 4.1. */
export function scope(text: string): string {
  const labels = text.split('.')
  if (text.length > 220 || !labels.every(label => /^[\u0021-\u007e]{1,63}$/.test(label))) throw must('labels of 1 to 63 characters with dots between', text)
  return text.toUpperCase()
}

/** A NetBIOS name that is to be held: `PAYROLL`, `PAYROLL#20`; the suffix in hex, 20 unless given. A name of nobody in particular (`*`) cannot be. */
export function heldName(text: string): string {
  if (text.startsWith('*')) throw must('a name that does not begin with *', text)
  try {
    parseName(text, SUFFIX.SERVER)
  } catch {
    throw must('a NetBIOS name of 1 to 15 characters, such as PAYROLL or PAYROLL#20', text)
  }
  return text
}

/** `lmhosts,dns,wins,bcast` or some of them; `host` is another word for dns. */
export function nameOrder(text: string): readonly NameSource[] {
  return parseNameOrder(text)
}

/** IPv4 addresses with commas between. */
export function addresses(text: string): readonly string[] {
  const list = text.split(',').map(each => each.trim())
  if (!list.every(each => isIPv4(each))) throw must('IPv4 addresses with commas between', text)
  return list
}

/** Where a receipt or the events go: a file, or a descriptor that was open when nbtrun started. */
export type Sink = { readonly file: string } | { readonly fd: number }

/** `FILE` or `fd:N`. */
export function sink(text: string): Sink {
  if (text === '' || text === '-') throw must('a file or fd:N', text)
  const [, number] = /^fd:(.*)$/s.exec(text) ?? []
  return number === undefined ? { file: text } : { fd: descriptor(number) }
}

/** `FILE`, `fd:N`, or `-` for people's text on stderr. */
export function sinkOrPeople(text: string): Sink | 'people' {
  return text === '-' ? 'people' : sink(text)
}

function descriptor(text: string): number {
  if (!/^\d{1,6}$/.test(text) || Number(text) === 0) throw must('fd:N with the number of an open descriptor', `fd:${text}`)
  return Number(text)
}

/** A descriptor to read the password from: stdin or one above stderr. */
export function passwordFd(text: string): number {
  if (!/^\d{1,6}$/.test(text) || text === '1' || text === '2') throw must('0 or a descriptor above 2', text)
  return Number(text)
}
