import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve as absolute } from 'node:path'
import { parse, TomlError } from 'smol-toml'
import { asError, errnoOf, NbtrunError } from '../base/errors.ts'
import { SYSTEM_FILE } from './folders.ts'
import { nearest } from './nearest.ts'
import { OPTIONS, ROWS, type Name } from './options.ts'
import { PASSWORD_WAYS } from './passwords.ts'
import type { Given, Source } from './settings.ts'
import { shown } from './values.ts'

/** Where profiles are looked for. */
export interface Folders {
  readonly user: string
  readonly system: string
  readonly home: string
}

export interface Profiles {
  /** What the files say, the weakest first. */
  readonly layers: readonly ReadonlyMap<Name, Given>[]
  /** What is run when the line names no program. */
  readonly program: readonly string[] | undefined
  /** The files that were read. */
  readonly files: readonly string[]
}

/**
 * The system's file, if there is one, and the profile `name`: the administrator's, then the user's of that name over it; a name with a slash is
 * a file. Only the administrator's may have `[locked]` keys, which stand above everything. Throws USAGE with file, line and key.
 */
export function loadProfiles(name: string | undefined, { user, system, home }: Folders): Profiles {
  const mine = name === undefined ? [] : name.includes('/') || name.includes('\\') ? [absolute(name)] : [join(user, `${name}.toml`)]
  const theirs = [SYSTEM_FILE, ...(name === undefined || mine[0] === absolute(name) ? [] : [`${name}.toml`])].map(file => join(system, file))
  const files = [...theirs, ...mine].filter(file => existsSync(file))
  if (name !== undefined && !files.some(file => file !== join(system, SYSTEM_FILE)))
    throw new NbtrunError('USAGE', `there is no profile ${shown(name)}`, { hint: `write ${mine[0] ?? ''}, or nbtrun import old.bat` })
  const read = files.map(file => readProfile(file, theirs.includes(file), home))
  return {
    layers: [...read.map(({ values }) => values), ...read.toReversed().map(({ locked }) => locked)],
    program: read.map(({ program }) => program).findLast(program => program !== undefined),
    files,
  }
}

interface Read {
  readonly values: ReadonlyMap<Name, Given>
  readonly locked: ReadonlyMap<Name, Given>
  readonly program: readonly string[] | undefined
}

const NOWHERE: readonly Name[] = ['profile', 'dry-run']

function readProfile(file: string, isSystem: boolean, home: string): Read {
  const text = contents(file)
  const where = (key: string, table?: string): string => `${file}:${lineOf(text, key, table)}: ${shown(key)}`
  const given = (table: Readonly<Record<string, unknown>>, from: Source, header?: string): Map<Name, Given> =>
    new Map(
      Object.entries(table).map(([key, value]) => {
        const label = where(key, header)
        const name = nameOf(key, label)
        const texts = textsOf(name, value, label).map(each => placed(name, each, file, home))
        const one: Given = { from, label, texts }
        judge(name, one)
        return [name, one]
      }),
    )
  const { locked, program, $schema: _schema, ...rest } = tables(text, file)
  if (locked !== undefined && !isSystem) throw new NbtrunError('USAGE', `${where('[locked]')} is for the administrator's files`, { hint: 'leave it out' })
  if (locked !== undefined && !isTable(locked)) throw new NbtrunError('USAGE', `${where('locked')} must be a table: [locked]`)
  if (program !== undefined && !(isTexts(program) && program.length > 0))
    throw new NbtrunError('USAGE', `${where('program')} must be a list of texts, the program first`)
  return { values: given(rest, isSystem ? 'system' : 'profile'), locked: given(locked ?? {}, 'locked', 'locked'), program }
}

function contents(file: string): string {
  try {
    // whoever may write it says what is run
    if (statSync(file).mode & 0o002) throw new NbtrunError('FILE_ERROR', `${file} can be written by everybody`, { hint: `chmod o-w ${file}` })
    return readFileSync(file, 'utf8')
  } catch (cause) {
    if (cause instanceof NbtrunError) throw cause
    throw new NbtrunError('FILE_ERROR', `${file} cannot be read (${errnoOf(cause) ?? 'unknown reason'})`, { cause })
  }
}

function tables(text: string, file: string): Readonly<Record<string, unknown>> {
  try {
    return parse(text)
  } catch (thrown) {
    // no cause, and no excerpt: the line could hold what must not be repeated
    const [what = ''] = asError(thrown)
      .message.replace(/^Invalid TOML document: /, '')
      .split('\n')
    throw new NbtrunError('USAGE', `${file}:${thrown instanceof TomlError ? thrown.line : 1}: ${what}`, { hint: 'profiles are TOML: key = "value"' })
  }
}

function nameOf(key: string, label: string): Name {
  const row = ROWS.find(([name, { aliases = [] }]) => name === key || aliases.includes(key))
  if (/^(?:password|passwd|pass|secret)$/i.test(key)) throw new NbtrunError('PASSWORD_IN_ARGV', `${label} must not stand in a profile`, { hint: PASSWORD_WAYS })
  if (row === undefined) {
    const meant = nearest(key, [...ROWS.map(([name]) => name), 'program', 'locked'])
    throw new NbtrunError('USAGE', `${label} is no option`, meant === undefined ? {} : { hint: `did you mean ${meant}?` })
  }
  if (NOWHERE.includes(row[0])) throw new NbtrunError('USAGE', `${label} is for the command line`)
  return row[0]
}

/** A value of TOML as the texts that the option's parser knows. */
function textsOf(name: Name, value: unknown, label: string): readonly string[] {
  const { kind, alone, arg }: (typeof ROWS)[number][1] = OPTIONS[name]
  const must = (what: string): NbtrunError => new NbtrunError('USAGE', `${label} must be ${what}`)
  const scalar = typeof value === 'string' || typeof value === 'number' ? [String(value)] : undefined
  switch (kind) {
    case 'flag':
      if (typeof value !== 'boolean') throw must('true or false')
      return [String(value)]
    case 'count':
      if (typeof value !== 'number') throw must('a number')
      return [String(value)]
    case 'many':
      if (isTexts(value)) return value
      if (typeof value !== 'string') throw must('a text, or a list of texts')
      return [value]
    case 'one':
      if (arg === 'LIST' && isTexts(value)) return [value.join(',')]
      if (alone !== undefined && typeof value === 'boolean') return [String(value)]
      if (scalar === undefined) throw must('a text or a number')
      return scalar
  }
}

/** Files of a profile lie beside it; `~/` is the user's home. */
function placed(name: Name, text: string, file: string, home: string): string {
  const { arg }: (typeof ROWS)[number][1] = OPTIONS[name]
  if (arg?.includes('FILE') !== true || text === '' || text === '-' || text.startsWith('fd:')) return text
  return text.startsWith('~/') ? join(home, text.slice(2)) : absolute(dirname(file), text)
}

/** Each value is judged where it stands, also one that the line overrides. */
function judge(name: Name, { label, texts }: Given): void {
  for (const text of texts)
    try {
      OPTIONS[name].parse(text)
    } catch (thrown) {
      const { code, message, hint } = asError(thrown)
      throw new NbtrunError(code, `${label} ${message}`, hint === undefined ? {} : { hint })
    }
}

/** The line of a key, from 1, in the table named or before all tables. */
function lineOf(text: string, key: string, table: string | undefined): number {
  let present: string | undefined
  for (const [at, line] of text.split('\n').entries()) {
    if (line.trim() === key) return at + 1
    const [, header] = /^\s*\[\s*([^[\]]+?)\s*\]/.exec(line) ?? []
    if (header !== undefined) present = header
    const [, quoted, bare] = /^\s*(?:["']([^"']+)["']|([\w-]+))\s*[=.]/.exec(line) ?? []
    if (present === table && (quoted ?? bare) === key) return at + 1
    if (present !== undefined && table === undefined && present === key) return at + 1
  }
  return 1
}

const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)

const isTexts = (value: unknown): value is readonly string[] => Array.isArray(value) && value.every(each => typeof each === 'string')
