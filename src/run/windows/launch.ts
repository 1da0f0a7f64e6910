import { basename } from 'node:path'
import { programEnvironment } from '../../app/environment.ts'
import { expand } from '../../app/expand.ts'
import { startProgram as spawnProgram, type Program } from '../../app/start.ts'
import { commandLine } from '../../app/windows/command-line.ts'
import { findProgram } from '../../app/windows/find.ts'
import { startProgram } from '../../app/windows/start.ts'
import { startFolder } from '../../app/places.ts'
import type { Scope } from '../../base/scope.ts'
import { loadNative } from '../../mapping/windows/native.ts'
import type { Launched, LaunchOptions } from '../launch.ts'
import type { Record as RunRecord } from '../record.ts'
import type { Watched } from './drives.ts'

/** Finds the program, on the share or here, and starts it inside the job; without koffi as Node starts programs. */
export async function launchInJob(scope: Scope, record: RunRecord, { mapping, lifetime }: Watched, options: LaunchOptions): Promise<Launched> {
  const { settings, words, runId, io, control } = options
  const [share] = settings.share
  const mount = record.pointOf(0)
  const drive = mount !== undefined && /^[A-Z]:$/.test(mount) ? mount : undefined
  const say = settings['no-expand'] ? (text: string): string => text : (text: string): string => expand(text, { mount, drive, share: share?.label })
  const extra = Object.fromEntries(settings.env.map(({ name, value }) => [name, say(value)]))
  const env = programEnvironment(io.env, { runId, mount, share: share?.label ?? '' }, extra)
  const cwd = settings.chdir === undefined ? io.cwd : await startFolder(say(settings.chdir), [], io.cwd)
  const [wanted = '', ...args] = words.map(say)
  const { path, from } = findProgram(wanted, {
    share: mount === undefined ? undefined : `${mount}\\`,
    cwd,
    path: variable(env, 'PATH') ?? '',
    extensions: variable(env, 'PATHEXT') ?? '.COM;.EXE;.BAT;.CMD',
    from: settings['program-from'],
  })

  control.cancelled.throwIfAborted()
  const { koffi } = await loadNative()
  const { job } = lifetime
  let program: Program
  if (koffi === undefined || job === undefined) {
    record.tell({
      type: 'warning',
      message: 'koffi does not load: what the program starts is not waited for',
      hint: 'install nbtrun with its optional packages',
    })
    program = await spawnProgram({ words: [path, ...args], env, descriptors: [], cwd })
  } else {
    const comspec = variable(env, 'ComSpec') ?? `${variable(env, 'SystemRoot') ?? 'C:\\Windows'}\\System32\\cmd.exe`
    const command = commandLine(path, args, comspec)
    program = startProgram(koffi, { command, env, cwd, admit: (process, changed) => job.admit(process, changed) })
  }
  control.running(program, mapping, undefined)
  record.program = { path, from, pid: program.pid, exit: null, signal: null, timedOut: false }
  await mapping.entered(program.pid)
  scope.note('launch', 'program', `pid ${program.pid}`)
  const name = basename(path)
  record.tell({ type: 'launched', program: name, pid: program.pid, shares: record.started() })
  return { program, name, wine: undefined }
}

/** Windows' variables have any case. */
function variable(env: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.entries(env).find(([other]) => other.toUpperCase() === name.toUpperCase())?.[1]
}
