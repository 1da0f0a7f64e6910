import yargs, { type Argv } from 'yargs'
import { NbtrunError } from '../base/errors.ts'
import { nearest } from '../profile/nearest.ts'
import { REACH, ROWS } from '../profile/options.ts'
import { spread, takesValue, type Raw } from '../profile/words.ts'

/** Options that may stand alone, with the value they then have. */
const LONE = new Map(ROWS.flatMap(([name, { alone }]) => (alone === undefined ? [] : [[`--${name}`, `--${name}=${alone}`]])))

/** yargs without its guesses: no numbers, no negations, no camel case, no dots, no languages; a complaint throws USAGE. */
export function strictYargs(words: readonly string[]): Argv {
  const y = yargs(words.flatMap(word => (/^-[^-]/.test(word) ? (spread(word) ?? [word]) : [LONE.get(word) ?? word])))
  return y
    .parserConfiguration({
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'strip-aliased': true,
    })
    .locale('en')
    .updateStrings({
      'Unknown argument: %s': { one: 'no such option or word: %s', other: 'no such options or words: %s' },
      'Not enough arguments following: %s': 'no value follows --%s',
      'Not enough non-option arguments: got %s, need at least %s': {
        one: MISSING,
        other: MISSING,
      },
      'Missing argument value: %s': { one: 'no value follows --%s', other: 'no value follows --%s' },
    } as unknown as Record<string, string>)
    .wrap(80)
    .help(false)
    .version(false)
    .exitProcess(false)
    .fail((message: string | null, error: unknown) => {
      if (error instanceof NbtrunError) throw error
      const [line = ''] = (message ?? 'the command line is not understood').split('\n', 1)
      const known = optionsOf(y)
      if (!line.startsWith(MISSING)) throw complaint(line, /^no such options? or words?: ([^,]+)/.exec(line)?.[1], known)
      // yargs counts words before it looks at options
      const stranger = words.map(word => /^--([^=]+)/.exec(word)?.[1]).find(name => name !== undefined && !known.includes(name))
      if (stranger !== undefined) throw complaint(`no such option or word: ${stranger}`, stranger, known)
      throw new NbtrunError('USAGE', `${MISSING} ${words[0]}`, { hint: `see nbtrun ${words[0]} --help` })
    })
}

const MISSING = 'a word is missing behind the command'

/** With the option that was most likely meant by a word, of those that there are. */
function complaint(line: string, word: string | undefined, known: readonly string[]): NbtrunError {
  const meant = word === undefined ? undefined : nearest(word, known)
  return new NbtrunError('USAGE', line, meant === undefined ? {} : { hint: `did you mean --${meant}?` })
}

/** What the command, or a run, has: positional words are in yargs' list, too, and nobody means them by a dash. */
function optionsOf(y: Argv): readonly string[] {
  const { key, alias } = (y as unknown as { getOptions(): { key: object; alias: Readonly<Record<string, readonly string[]>> } }).getOptions()
  return [...new Set([...Object.keys(key), ...Object.values(alias).flat()])].filter(name => name.length > 1 && name !== 'target')
}

/** The table as yargs options: every value stays a text, which our own parsers judge. */
export function withOptions<T>(y: Argv<T>, hidden = false, rows = ROWS): Argv<T> {
  // letters were spread into names before
  for (const [name, { kind, aliases: alias = [], help: describe }] of rows) {
    if (kind === 'flag') y.option(name, { alias, describe, hidden, type: 'boolean' })
    else if (kind === 'count') y.option(name, { alias, describe, hidden, type: 'count' })
    else y.option(name, { alias, describe, hidden, type: 'string', nargs: 1, requiresArg: true })
  }
  return y
}

/** Those of the table that say who logs in and how the server is reached. */
export function withReach<T>(y: Argv<T>): Argv<T> {
  const reach: readonly string[] = REACH
  return withOptions(
    y,
    false,
    ROWS.filter(([name]) => reach.includes(name)),
  )
}

/** What yargs understood, as our own parser gives it. */
export function rawFrom(given: Readonly<Record<string, unknown>>): Raw {
  const raw: Raw = {}
  for (const [name, { kind }] of ROWS) {
    const value = given[name]
    if (value === undefined || value === false || value === 0) continue // counts are there unasked
    if (kind === 'one' && Array.isArray(value)) throw new NbtrunError('USAGE', `--${name} is given ${value.length} times`)
    if (takesValue(name)) raw[name] = [value].flat().map(String)
    else raw[name] = Array.from({ length: Number(value) }, () => '')
  }
  return raw
}

/** yargs takes `--quiet=x` for a no: refused instead. */
export function refuseFlagValues(words: readonly string[]): void {
  for (const [name] of ROWS)
    if (!takesValue(name) && words.some(word => word.startsWith(`--${name}=`))) throw new NbtrunError('USAGE', `--${name} takes no value`)
}
