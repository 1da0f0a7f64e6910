import { resolve as absolute } from 'node:path'
import { asError, NbtrunError } from '../base/errors.ts'
import { dialectsBetween } from '../smb/dialect.ts'
import { ENV_PREFIX, envName, OPTIONS, ROWS, type Name } from './options.ts'
import { passwordInArgv } from './passwords.ts'
import type { Share } from './share.ts'
import type { Raw } from './words.ts'

type Env = Readonly<Record<string, string | undefined>>
/** Where a value comes from: the line, the environment, the user's profile, the administrator's file, or its `[locked]` part. */
export type Source = 'flag' | 'env' | 'profile' | 'system' | 'locked'
/** The values of a file. */
type Layer = ReadonlyMap<Name, Given>
type Rows = typeof OPTIONS
type Value<Row> = Row extends { kind: 'flag' }
  ? boolean
  : Row extends { kind: 'count' }
    ? number
    : Row extends { kind: 'many'; parse(text: string): infer T }
      ? readonly T[]
      : Row extends { fallback: unknown; parse(text: string): infer T }
        ? T
        : Row extends { parse(text: string): infer T }
          ? T | undefined
          : never

/**
 * What a run shall do, every value judged. Durations in ms. Options with a fallback are always there, lists may be empty; `share` is not.
 * `given` says where a value came from; an option that is not in it has its fallback.
 */
export type Settings = { readonly [K in Name]: Value<Rows[K]> } & { readonly given: Readonly<Partial<Record<Name, Source>>> }

/**
 * Flags win over the environment, and that over `files`, of which the last wins; what is locked there is above all. `--mount` has moved into
 * `share[0].point`; points are absolute.
 */
export function resolve(raw: Raw, env: Env, cwd: string, files: readonly Layer[] = []): Settings {
  const settings = settle(raw, env, files)
  return { ...settings, share: place(settings, cwd) }
}

/** The same for what runs no program: shares are as they were given, if any were. */
export function settle(raw: Raw, env: Env, files: readonly Layer[] = []): Settings {
  const sources = sourcesOf(raw, env, files)
  const given: Partial<Record<Name, Source>> = {}
  const values: Partial<Record<Name, unknown>> = {}
  for (const [name, row] of ROWS) {
    const source = sources.get(name)
    values[name] = source === undefined ? (row.fallback ?? { one: undefined, many: [], flag: false, count: 0 }[row.kind]) : valueOf(name, source)
    if (source !== undefined) given[name] = source.from
  }
  const preset = values.server === 'nt4' ? NT4 : {}
  for (const [name, value] of Object.entries(preset)) if (!sources.has(name as Name)) values[name as Name] = value
  const settings = { ...values, given } as Settings
  requireDialects(settings)
  return settings
}

/** What was given for each option, and where: one place for each. Throws USAGE where two contradict each other, or one a locked value. */
export function sourcesOf(raw: Raw, env: Env, files: readonly Layer[]): Map<Name, Given> {
  const weaker = new Map(files.flatMap(layer => [...layer].filter(([, { from }]) => from !== 'locked')))
  const sources = gather(raw, new Map([...weaker, ...fromEnvironment(env)]))
  for (const [name, locked] of files.flatMap(layer => [...layer].filter(([, { from }]) => from === 'locked'))) {
    const other = sources.get(name)
    if (other !== undefined && other.from !== 'system' && JSON.stringify(valueOf(name, other)) !== JSON.stringify(valueOf(name, locked)))
      throw new NbtrunError('USAGE', `${other.label} cannot be changed here: ${locked.label} is locked`, { hint: 'leave it out, or ask the administrator' })
    sources.set(name, locked)
  }
  settleExclusive(sources)
  return sources
}

/** What `--server nt4` stands for. */
const NT4: Partial<Settings> = { 'min-dialect': 'NT1', 'max-dialect': 'NT1', 'auth-level': 'ntlm', transport: 'nbt' }

/** The profile that the line or the environment names. */
export function profileOf(raw: Raw | undefined, env: Env): string | undefined {
  return raw?.profile?.at(-1) ?? (env[envName('profile')] || undefined)
}

/** Does the environment name a share, or a profile? Then the first word that is no option is the program. */
export function namesShare(env: Env): boolean {
  return (['share', 'profile'] as const).some(name => (env[envName(name)] ?? '') !== '')
}

export interface Given {
  readonly from: Source
  /** As the user knows it: `--port`, `NBTRUN_OPT_PORT`, `/etc/nbtrun/config.toml:3: port`. */
  readonly label: string
  readonly texts: readonly string[]
}

function gather(raw: Raw, fromEnv: ReadonlyMap<Name, Given>): Map<Name, Given> {
  const sources = new Map<Name, Given>(fromEnv)
  for (const [name, row] of ROWS) {
    const texts = raw[name]
    if (texts === undefined) continue
    if (row.kind === 'one' && texts.length > 1) throw new NbtrunError('USAGE', `--${name} is given ${texts.length} times`)
    sources.set(name, { from: 'flag', label: `--${name}`, texts })
  }
  return sources
}

/** An empty variable counts as unset; lists have one value per line. A variable that is no option is a mistyped one. */
function fromEnvironment(env: Env): Map<Name, Given> {
  const sources = new Map<Name, Given>()
  const known = new Map(ROWS.map(([name]) => [envName(name), name]))
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith(ENV_PREFIX) || text === undefined || text === '') continue
    const name = known.get(variable)
    if (name === undefined) {
      if (/PASS|SECRET/.test(variable)) throw passwordInArgv(variable)
      throw new NbtrunError('USAGE', `${variable} is no option`, { hint: 'see nbtrun --help all' })
    }
    const texts = OPTIONS[name].kind === 'many' ? text.split(/\r?\n/).filter(line => line !== '') : [text]
    if (texts.length > 0) sources.set(name, { from: 'env', label: variable, texts })
  }
  return sources
}

function valueOf(name: Name, { from, label, texts }: Given): unknown {
  const { kind, parse } = OPTIONS[name]
  if (from === 'flag' && kind === 'flag') return true
  if (from === 'flag' && kind === 'count') return texts.length
  const values = texts.map(text => judged(label, () => parse(text)))
  return kind === 'many' ? values : values[0]
}

function judged<T>(label: string, parse: () => T): T {
  try {
    return parse()
  } catch (thrown) {
    const error = asError(thrown)
    // no cause: the parser's message is all of it, and an inner error could repeat what must not be repeated
    throw new NbtrunError(error.code, `${label} ${error.message}`, error.hint === undefined ? {} : { hint: error.hint })
  }
}

const LOGINS: readonly Name[] = ['auth-file', 'password-file', 'password-fd', 'anonymous', 'guest']
const EXCLUSIVE: readonly (readonly [Name, Name])[] = [
  ...LOGINS.flatMap((one, at) => LOGINS.slice(at + 1).map(other => [one, other] as const)),
  ['user', 'anonymous'],
  ['user', 'guest'],
  ['verbose', 'quiet'],
]

/** The stronger one wins. */
const RANK: readonly Source[] = ['system', 'profile', 'env', 'flag', 'locked']

/** Of two options that exclude each other the stronger wins; both from one place are a mistake, and so is one against a locked one. */
function settleExclusive(sources: Map<Name, Given>): void {
  for (const [name, { from, texts }] of sources) {
    const off = OPTIONS[name].kind === 'flag' && from !== 'flag' && /^(0|false|no|off)$/i.test(texts[0] ?? '')
    if (off) sources.delete(name)
  }
  for (const [one, other] of EXCLUSIVE) {
    const a = sources.get(one),
      b = sources.get(other)
    if (a === undefined || b === undefined) continue
    const [weak, strong] = RANK.indexOf(a.from) < RANK.indexOf(b.from) ? [one, b] : [other, a]
    const isMistake = a.from === b.from || (strong.from === 'locked' && sources.get(weak)?.from !== 'system')
    if (isMistake) throw new NbtrunError('USAGE', `${a.label} and ${b.label} exclude each other`)
    sources.delete(weak)
  }
}

/** Each share with the point it got from itself or from `--mount`. */
function place(settings: Settings, cwd: string): readonly Share[] {
  const { share: shares, mount, given } = settings
  const [first] = shares
  if (first === undefined) throw new NbtrunError('USAGE', 'no share is given', { hint: 'nbtrun --share //server/share -- program' })
  const label = given.mount === 'env' ? envName('mount') : '--mount'
  if (mount !== undefined && shares.length > 1)
    throw new NbtrunError('USAGE', `${label} is for a single share`, { hint: 'write --share //server/share=/folder for each' })
  if (mount !== undefined && first.point !== undefined) throw new NbtrunError('USAGE', `${first.label} has two points: ${first.point} and ${mount}`)
  const placed = shares.map(share => {
    const letter = mount !== undefined && /^[A-Za-z]:$/.test(mount) ? mount.toUpperCase() : undefined
    const point = share.point ?? (letter === undefined ? mount : undefined)
    return { ...share, point: point === undefined ? undefined : absolute(cwd, point), drive: share.drive ?? letter }
  })
  for (const { label: name, point, drive } of placed) {
    if (point === undefined && drive === undefined) continue
    if (settings.mapping === 'none') throw new NbtrunError('USAGE', `${name} has a point, but --mapping none shows no files`)
    if (point !== undefined && placed.filter(other => other.point === point).length > 1) throw new NbtrunError('USAGE', `two shares have the point ${point}`)
    if (drive !== undefined && placed.filter(other => other.drive === drive).length > 1) throw new NbtrunError('USAGE', `two shares have the drive ${drive}`)
  }
  return placed
}

/** A range of dialects has something in it. */
function requireDialects({ 'min-dialect': min, 'max-dialect': max, 'reset-client': resets, given }: Settings): void {
  const dialects = dialectsBetween(min, max)
  if (resets && !dialects.includes('NT1'))
    throw new NbtrunError('USAGE', '--reset-client is for SMB1, which is not allowed here', { hint: 'allow it with --min-dialect NT1, or --server nt4' })
  if (dialects.length > 0) return
  const label = (name: 'min-dialect' | 'max-dialect'): string => (given[name] === 'env' ? envName(name) : `--${name}`)
  throw new NbtrunError('USAGE', `${label('min-dialect')} ${min} is above ${label('max-dialect')} ${max}`)
}
