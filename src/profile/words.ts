import { OPTIONS, ROWS, type Name, type Option } from './options.ts'

/** What was given, as text, before anything is judged: one entry per occurrence; those of flags and counts are empty, and a flag has one. */
export type Raw = { [K in Name]?: string[] }

const BY_SHORT = new Map<string, Name>(ROWS.flatMap(([name, row]) => (row.short === undefined ? [] : [[row.short, name]])))
const BY_LONG = new Map<string, Name>(ROWS.flatMap(([name, row]) => [name, ...(row.aliases ?? [])].map(long => [long, name])))

export function takesValue(name: Name): boolean {
  return OPTIONS[name].kind === 'one' || OPTIONS[name].kind === 'many'
}

/** `-vvUalice` as `--verbose`, `--verbose`, `--user=alice`. Undefined when a letter is no option. */
export function spread(cluster: string): string[] | undefined {
  const words: string[] = []
  for (let at = 1; at < cluster.length; at++) {
    const name = BY_SHORT.get(cluster[at] ?? '')
    if (name === undefined) return undefined
    const rest = cluster.slice(at + 1)
    if (takesValue(name)) return [...words, rest === '' ? `--${name}` : `--${name}=${rest.replace(/^=/, '')}`]
    words.push(`--${name}`)
  }
  return words
}

export interface Read {
  /** Options in the word; only the last can have a value. */
  readonly given: readonly (readonly [Name, string])[]
  /** Index of the first word after them. */
  readonly next: number
}

/** The options in `words[at]`, with the word after it where they take it. Undefined when it is no option, or one that lacks its value. */
export function optionsAt(words: readonly string[], at: number): Read | undefined {
  const word = words[at] ?? ''
  const longs = /^-[^-]/.test(word) ? spread(word) : [word]
  if (longs === undefined) return undefined
  const given: [Name, string][] = []
  let next = at + 1
  for (const long of longs) {
    const [, key = '', inWord] = /^--([^=]+)(?:=(.*))?$/s.exec(long) ?? []
    const name = BY_LONG.get(key)
    if (name === undefined) return undefined
    if (!takesValue(name)) {
      if (inWord !== undefined) return undefined
      given.push([name, ''])
      continue
    }
    const { alone }: Option<unknown> = OPTIONS[name]
    const value = inWord ?? alone ?? words[next++]
    if (value === undefined || (inWord === undefined && alone === undefined && looksLikeOption(value) && !NUMBER.test(value))) return undefined
    given.push([name, value])
  }
  return { given, next }
}

/** A value that begins with a dash is written `--name=-value`; `-` alone is a value, and so is a number, for a better complaint. */
const NUMBER = /^-(\d+(\.\d+)?|\.\d+)$/

export function looksLikeOption(word: string): boolean {
  return word.startsWith('-') && word !== '-'
}

/** All of nbtrun's own words; undefined unless every one of them is a known option with its value, and none is given twice that may not be. */
export function parse(own: readonly string[]): Raw | undefined {
  const raw: Raw = {}
  for (let at = 0; at < own.length; ) {
    const read = optionsAt(own, at)
    if (read === undefined) return undefined
    for (const [name, value] of read.given) {
      const { kind } = OPTIONS[name]
      const before = raw[name] ?? []
      if (kind === 'one' && before.length > 0) return undefined
      raw[name] = kind === 'flag' ? [''] : [...before, value]
    }
    at = read.next
  }
  return raw
}
