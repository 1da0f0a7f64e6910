import { resolve as absolute } from 'node:path'
import type { Standard } from '../app/descriptors.ts'
import { asError, NbtrunError } from '../base/errors.ts'
import { nearest } from '../profile/nearest.ts'
import { type Option, OPTIONS, type Name } from '../profile/options.ts'
import { resolve } from '../profile/settings.ts'
import type { Raw } from '../profile/words.ts'
import type { RunEvent } from './events.ts'
import type { Receipt } from './receipt.ts'
import { run as runAsCommand } from './run.ts'

/** What only a command line needs, or what has another shape here. */
const ELSEWHERE = ['profile', 'env', 'verbose', 'quiet', 'dry-run', 'busy-exit-code'] as const satisfies readonly Name[]
type Offered = Exclude<Name, (typeof ELSEWHERE)[number]>

type Camel<S extends string> = S extends `${infer Head}-${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S
type Text<T> = T extends number ? number | string : T extends string ? T : string
type Choice<Row> = Row extends { kind: 'flag' }
  ? boolean
  : Row extends { kind: 'many' }
    ? string | readonly string[]
    : Row extends { alone: string }
      ? boolean | string
      : Row extends { parse(text: string): infer T }
        ? Text<T>
        : never

/** The options of the command line in camel case, with the same values: `readOnly: true`, `timeLimit: '2h'`. A bare number of a duration is seconds. docs/options.md */
export type Choices = { readonly [K in Exclude<Offered, 'share'> as Camel<K>]?: Choice<(typeof OPTIONS)[K]> | undefined }

export interface RunOptions extends Choices {
  /** `//srv/app`, or `//srv/app=/mnt/app`; the first one is where a bare program name is looked for. */
  readonly share: string | readonly string[]
  /** The program, on the share or here, and its arguments. No shell reads them. */
  readonly program: string | readonly string[]
  /** The password of `user`, where neither `authFile` nor `passwordFile` has it. A string cannot be wiped; bytes (UTF-8) are copied, and the copy is. */
  readonly password?: string | Uint8Array | undefined
  /** Variables of the program beside those of this process. */
  readonly env?: Readonly<Record<string, string>> | undefined
  /** Where the program starts, and from where relative files of the options count. This process's own unless told. */
  readonly cwd?: string | undefined
  /** The program's stdin, stdout and stderr: this process's (`inherit`, unless told), none (`ignore`), or open descriptors of this process. */
  readonly stdio?: 'inherit' | 'ignore' | Standard | undefined
  /** Ends the run: TERM to the program and all it started, after `killAfter` KILL, and everything is given back before the promise rejects with CANCELLED. */
  readonly signal?: AbortSignal | undefined
  /** Told what happens. What it throws ends the run as an abort does. */
  readonly on?: ((event: RunEvent) => void) | undefined
}

export interface RunResult {
  /** As nbtrun exits: the program's own code, 128 + n where signal n ended it, 124 where `timeLimit` did. */
  readonly exit: number
  /** The signal of which the program's own process died. */
  readonly signal: string | null
  readonly receipt: Receipt
}

/** A run that failed, after everything was given back that it had taken; the receipt says what that was. */
export class RunError extends NbtrunError {
  readonly receipt: Receipt

  constructor(error: NbtrunError, receipt: Receipt) {
    const { code, message, cause, hint, facts } = error
    super(code, message, { cause, facts, ...(hint === undefined ? {} : { hint }) })
    this.receipt = receipt
    if (error.stack !== undefined) this.stack = error.stack
  }
}

/**
 * A whole run: connects, maps, starts the program, waits for it and all it started, gives everything back. Rejects with NbtrunError where it could not begin
 * (USAGE …), else with RunError: where there was no program to run, or the run was aborted (CANCELLED, whose cause is the signal's reason). It listens to no
 * signal of the process, writes to none of its streams, asks nobody, and reads neither profiles nor `NBTRUN_OPT_*`.
 */
export async function run({ share, program, password, env, cwd, stdio = 'inherit', signal, on, ...choices }: RunOptions): Promise<RunResult> {
  if (signal?.aborted === true) throw new NbtrunError('CANCELLED', 'the run was cancelled', { cause: signal.reason })
  const words = [program].flat().map(String)
  if (words.length === 0) throw new NbtrunError('USAGE', 'no program is named', { hint: 'give program' })
  const folder = absolute(cwd ?? process.cwd())
  const settings = resolve(rawOf({ ...choices, share }, env, password !== undefined), {}, folder)
  const own = password === undefined ? undefined : Buffer.from(password)
  const stop = new AbortController()
  const abort = (): void => stop.abort(signal?.reason)
  signal?.addEventListener('abort', abort, { once: true })
  let receipt: Receipt | undefined
  const tell = (event: RunEvent): void => {
    if (event.type === 'receipt') receipt = event.receipt
    try {
      on?.(event)
    } catch (thrown) {
      stop.abort(thrown)
    }
  }
  try {
    const embedding = { signal: stop.signal, stdio: typeof stdio === 'string' ? ([stdio, stdio, stdio] as const) : stdio, password: own }
    const { exit } = await runAsCommand(settings, words, { env: process.env, cwd: folder, tell, embedding })
    return { exit, signal: receipt!.program?.signal ?? null, receipt: receipt! } // told on every path that leads here
  } catch (thrown) {
    const error = asError(thrown)
    throw receipt === undefined ? error : new RunError(error, receipt)
  } finally {
    signal?.removeEventListener('abort', abort)
    own?.fill(0)
  }
}

/** Where else a login comes from. */
const LOGINS: readonly Name[] = ['auth-file', 'password-file', 'password-fd', 'anonymous', 'guest']

/** The choices as the words of a command line, each judged where those are. */
function rawOf(choices: Readonly<Record<string, unknown>>, env: RunOptions['env'], withPassword: boolean): Raw {
  const raw: Raw = env === undefined ? {} : { env: Object.entries(env).map(([name, value]) => `${name}=${value}`) }
  for (const [key, value] of Object.entries(choices)) {
    if (value === undefined || value === false) continue
    const name = optionOf(key)
    if (withPassword && LOGINS.includes(name)) throw new NbtrunError('USAGE', `password and ${key} exclude each other`, { hint: 'give one of them' })
    const { alone }: Option<unknown> = OPTIONS[name]
    raw[name] = value === true ? [alone ?? ''] : [value].flat().map(String)
  }
  if (raw.receipt?.[0] === '-') throw new NbtrunError('USAGE', 'receipt - is for people', { hint: 'the result has the receipt' })
  return raw
}

const NAMES = Object.keys(OPTIONS) as readonly Name[]

function optionOf(key: string): Name {
  const name = key.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
  const elsewhere: readonly string[] = ELSEWHERE
  const offered = NAMES.filter(known => !elsewhere.includes(known))
  const found = offered.find(known => known === name)
  if (found !== undefined) return found
  const meant = nearest(name, offered)?.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
  throw new NbtrunError('USAGE', `there is no option ${key}`, { hint: meant === undefined ? 'docs/options.md has them all' : `did you mean ${meant}?` })
}
