import { basename, resolve } from 'node:path'
import { programEnvironment } from '../app/environment.ts'
import { expand, type Placeholders } from '../app/expand.ts'
import { findProgram } from '../app/find.ts'
import { looksWindows, startable } from '../app/kinds.ts'
import { startFolder, type Place } from '../app/places.ts'
import { startProgram, type Program } from '../app/start.ts'
import type { Scope } from '../base/scope.ts'
import type { Mapping } from '../mapping/mapping.ts'
import type { Settings } from '../profile/settings.ts'
import type { Control } from './control.ts'
import type { RunIo } from './events.ts'
import type { Journal } from './journal/journal.ts'
import type { Record } from './record.ts'
import type { WineSide } from './wine.ts'

export interface LaunchOptions {
  readonly settings: Settings
  /** The program and its arguments. */
  readonly words: readonly string[]
  readonly runId: string
  readonly io: RunIo
  /** Descriptors that the program inherits. */
  readonly descriptors: readonly number[]
  readonly control: Control
  /** Where the program may be one for Windows. */
  readonly wine: WineSide | undefined
  readonly journal: Journal
}

export interface Launched {
  readonly program: Program
  /** For people: `app.exe`. */
  readonly name: string
  /** Where a wineserver may be among its own. */
  readonly wine: WineSide | undefined
}

/** Finds the program, on the share or here, and starts it inside the mapping. */
export async function launch(scope: Scope, record: Record, mapping: Mapping, options: LaunchOptions): Promise<Launched> {
  const { settings, words, runId, io, descriptors, control } = options
  let { wine } = options
  const [share] = settings.share
  const mount = record.pointOf(0)
  const say = settings['no-expand'] ? (text: string): string => text : (text: string): string => expand(text, placeholders)
  const asked = settings.share.some(({ drive }) => drive !== undefined)
  if (asked || namesDrive(settings, words)) await wine?.take(scope, mapping, asked ? 'a drive letter is asked for' : '{drive} is asked for', control.cancelled)
  const placeholders: Placeholders = { mount, drive: wine?.drive, share: share?.label }
  const extra = Object.fromEntries(settings.env.map(({ name, value }) => [name, say(value)]))
  const prefix = settings['wine-prefix'] === undefined ? {} : { WINEPREFIX: resolve(io.cwd, settings['wine-prefix']) }
  const env = programEnvironment(io.env, { runId, mount, share: share?.label ?? '' }, { ...extra, ...prefix })

  const toUnix = (word: string): string => wine?.toUnix(word) ?? word
  const places = record.connected.flatMap(({ files }, i): Place[] => {
    const path = record.pointOf(i)
    return path === undefined ? [] : [{ files, path }]
  })
  const cwd = settings.chdir === undefined ? io.cwd : await startFolder(toUnix(say(settings.chdir)), places, io.cwd)
  const [wanted = '', ...args] = words.map(say)
  const finding = { places, cwd, path: env['PATH'], from: settings['program-from'] }
  const found = await findProgram(toUnix(wanted), finding)
  let { words: start, kind } = await startable(found, finding)
  if (kind === 'windows') {
    wine ??= new (await import('./wine.ts')).WineSide({ settings, io, journal: options.journal, record })
    await wine.take(scope, mapping, `${basename(found.path)} is a Windows program`, control.cancelled)
    start = wine.onDrive(start, found.path)
  }

  control.cancelled.throwIfAborted()
  const program = await startProgram({ words: [...mapping.enter(cwd), ...start, ...args], env, descriptors, standard: io.embedding?.stdio })
  control.running(program, mapping, wine?.manner)
  record.program = { path: found.path, from: found.from, pid: program.pid, exit: null, signal: null, timedOut: false }
  await mapping.entered(program.pid, program.exited)
  scope.note('launch', 'program', `pid ${program.pid}`)
  const name = basename(found.path)
  record.tell({ type: 'launched', program: name, pid: program.pid, shares: record.started() })
  return { program, name, wine }
}

/** Whether `{drive}` stands anywhere where it is to be replaced. */
function namesDrive(settings: Settings, words: readonly string[]): boolean {
  return !settings['no-expand'] && [...words, settings.chdir ?? '', ...settings.env.map(({ value }) => value)].some(text => text.includes('{drive}'))
}

/** Whether the run has to do with Wine, as far as that can be told without a look at the program. */
export function mayNeedWine(settings: Settings, words: readonly string[]): boolean {
  return settings.share.some(({ drive }) => drive !== undefined) || looksWindows(words[0] ?? '') || namesDrive(settings, words)
}
