import { basename } from 'node:path'
import { programEnvironment } from '../app/environment.ts'
import { expand, type Placeholders } from '../app/expand.ts'
import { findProgram } from '../app/find.ts'
import { startable } from '../app/kinds.ts'
import { startFolder, type Place } from '../app/places.ts'
import { startProgram, type Program } from '../app/start.ts'
import { refuseWineserverOutside } from '../app/wineserver.ts'
import type { Scope } from '../base/scope.ts'
import type { Mapping } from '../mapping/mapping.ts'
import type { Settings } from '../profile/settings.ts'
import type { Control } from './control.ts'
import type { RunIo } from './events.ts'
import type { Record } from './record.ts'

export interface LaunchOptions {
  readonly settings: Settings
  /** The program and its arguments. */
  readonly words: readonly string[]
  readonly runId: string
  readonly io: RunIo
  /** Descriptors that the program inherits. */
  readonly descriptors: readonly number[]
  readonly control: Control
}

export interface Launched {
  readonly program: Program
  /** For people: `app.exe`. */
  readonly name: string
}

/** Finds the program, on the share or here, and starts it inside the mapping. */
export async function launch(scope: Scope, record: Record, mapping: Mapping, options: LaunchOptions): Promise<Launched> {
  const { settings, words, runId, io, descriptors, control } = options
  const [share] = settings.share
  const mount = record.pointOf(0)
  const say = settings['no-expand'] ? (text: string): string => text : (text: string): string => expand(text, placeholders)
  const placeholders: Placeholders = { mount, share: share?.label }
  const extra = Object.fromEntries(settings.env.map(({ name, value }) => [name, say(value)]))
  const env = programEnvironment(io.env, { runId, mount, share: share?.label ?? '' }, extra)

  const places = record.connected.flatMap(({ files }, i): Place[] => {
    const path = record.pointOf(i)
    return path === undefined ? [] : [{ files, path }]
  })
  const cwd = settings.chdir === undefined ? io.cwd : await startFolder(say(settings.chdir), places, io.cwd)
  const [wanted = '', ...args] = words.map(say)
  const finding = { places, cwd, path: env['PATH'], from: settings['program-from'] }
  const found = await findProgram(wanted, finding)
  const { words: start, kind } = await startable(found, finding)
  if (kind === 'windows' && mapping.kind === 'private') refuseWineserverOutside(env)

  control.cancelled.throwIfAborted()
  const program = await startProgram({ words: [...mapping.enter(cwd), ...start, ...args], env, descriptors, standard: io.embedding?.stdio })
  control.running(program, mapping)
  record.program = { path: found.path, from: found.from, pid: program.pid, exit: null, signal: null, timedOut: false }
  await mapping.entered(program.pid)
  scope.note('launch', 'program', `pid ${program.pid}`)
  const name = basename(found.path)
  record.tell({ type: 'launched', program: name, pid: program.pid, shares: record.started() })
  return { program, name }
}
