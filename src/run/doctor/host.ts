import { execFile } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { findProgram } from '../../app/find.ts'
import { winePrefix } from '../../app/wine/prefix.ts'
import { serverOutside, wineserverOf } from '../../app/wine/server.ts'
import { asError, NbtrunError } from '../../base/errors.ts'
import { isWindows } from '../../base/platform.ts'
import { failureOf, requireFuse, settingsOfNamespaces, type Reason } from '../../mapping/fuse/failures.ts'
import { loadNative } from '../../mapping/fuse/native.ts'
import { NEW_MOUNTS, NEW_USER, ROOM_TOOLS } from '../../mapping/fuse/room-way.ts'
import { runTool } from '../../mapping/fuse/run-tool.ts'
import { findTool, findTools, mayMount } from '../../mapping/fuse/tools.ts'
import { known } from '../journal/overview.ts'
import { Place } from '../journal/place.ts'
import { type Check, failed, finding, note, ok, type Seen, type Symptom } from './check.ts'
import { tryMapping } from './try-mapping.ts'

const TOOL_MS = 15_000
const MAPPING_MS = 20_000
/** The first with `unshare --map-current-user --keep-caps`. */
const UTIL_LINUX = [2, 36] as const
const NODE = [20, 19] as const

/** Why a way of mapping is closed, as a symptom. */
const SYMPTOMS: Readonly<Record<Reason, Symptom>> = {
  'no fuse': 'FUSE_MISSING',
  device: 'FUSE_DENIED',
  namespaces: 'NAMESPACES_DENIED',
  ffi: 'KOFFI_MISSING',
  tools: 'TOOLS_MISSING',
  privilege: 'MAPPING_FAILED',
  other: 'MAPPING_FAILED',
}

function symptomOf(thrown: unknown): Symptom | undefined {
  const reason = asError(thrown).facts['reason']
  return Object.entries(SYMPTOMS).find(([name]) => name === reason)?.[1]
}

const host = (check: string, limitMs: number, look: Check['look']): Check => ({ group: 'host', check, limitMs, look })

const RUNTIME = host('node', TOOL_MS, async () => judgeNode(process.versions.node))

/** What mappings of nbtrun's own stand on, then the mappings themselves, and Wine. */
const MAPPINGS: readonly Check[] = [
  host('fuse', TOOL_MS, async patient => {
    try {
      requireFuse()
    } catch (thrown) {
      return failed(thrown, symptomOf(thrown))
    }
    patient.hasFuse = true
    const mode = (statSync('/dev/fuse').mode & 0o777).toString(8).padStart(4, '0')
    return ok(`/dev/fuse, mode ${mode}`, { mode })
  }),
  host('util-linux', TOOL_MS, async (_, signal) => {
    try {
      const { unshare } = findTools('a private mapping', ROOM_TOOLS)
      return judgeUtilLinux(await firstLine([unshare, '--version'], signal))
    } catch (thrown) {
      return failed(thrown, symptomOf(thrown), 'note')
    }
  }),
  host('namespaces', TOOL_MS, async () => {
    try {
      const { unshare, sh } = findTools('a private mapping', ['unshare', 'sh'])
      await runTool([unshare, ...(mayMount() ? [] : NEW_USER), ...NEW_MOUNTS, '--', sh, '-c', ':'])
    } catch (thrown) {
      return failed(thrown, symptomOf(thrown), 'note')
    }
    const settings = settingsOfNamespaces()
    const told = Object.entries(settings).map(([name, value]) => `${name} ${value}`)
    return ok(mayMount() ? 'mounts, as root' : ['user and mounts', ...told].join(', '), settings)
  }),
  host('koffi', TOOL_MS, async () => {
    try {
      await loadNative()
      return ok('loads')
    } catch (thrown) {
      const { message } = asError(thrown)
      return mayMount()
        ? ok('does not load; as root it is not needed')
        : note(`${message}: private mappings are slower, shared ones impossible`, 'KOFFI_MISSING')
    }
  }),
  host('fusermount3', TOOL_MS, async (_, signal) => {
    const path = findTool('fusermount3')
    if (path === undefined)
      return mayMount() ? ok('not installed; as root it is not needed') : note('not installed: shared mappings are impossible', 'FUSERMOUNT3_MISSING')
    const version = /\d+(?:\.\d+)+/.exec(await firstLine([path, '--version'], signal))?.[0]
    return ok(version === undefined ? path : `${path}, ${version}`, version === undefined ? {} : { version })
  }),
  mapping('private'),
  mapping('shared'),
  host('wine', TOOL_MS, async ({ env, cwd }, signal) => {
    let path: string
    try {
      path = (await findProgram('wine', { places: [], cwd, path: env['PATH'], from: 'path' })).path
    } catch {
      return note('not installed: Windows programs cannot be started', 'WINE_MISSING')
    }
    const prefix = winePrefix(env)
    const pid = await wineserverOf(prefix)
    if (pid !== undefined) return failed(serverOutside(prefix, pid, 'Windows programs of it get a shared one'), undefined, 'note')
    const version = await firstLine([path, '--version'], signal, env)
    return ok(version === '' ? path : version, { path, version })
  }),
]

/** Windows maps by its own client. */
const ON_WINDOWS: readonly Check[] = [
  host('koffi', TOOL_MS, async () => {
    const native = await (await import('../../mapping/windows/native.ts')).loadNative()
    if (native.koffi !== undefined) return ok('loads')
    return note(`${native.why}: letters are mapped by net use, and only the program's own process is waited for`, 'KOFFI_MISSING')
  }),
]

/** Where nbtrun keeps its own. */
const OWN: readonly Check[] = [
  host('state', TOOL_MS, async ({ env }) => {
    try {
      const { path } = Place.make(env)
      accessSync(path, constants.W_OK | constants.X_OK)
      return ok(homely(path, env['HOME']), { path })
    } catch (thrown) {
      return finding('STATE_UNUSABLE', `the journal cannot be kept: ${asError(thrown).message}`)
    }
  }),
  host('journal', TOOL_MS, async ({ env, journal }) => {
    const runs = known(env).filter(({ run }) => run !== journal.run)
    const count = (state: string): number => runs.filter(each => each.state === state).length
    const [live, dead, unknown] = [count('live'), count('dead'), count('unknown')]
    const facts = { live, dead, unknown }
    if (dead > 0) return finding('DEAD_RUNS', `${dead} dead ${dead === 1 ? 'run' : 'runs'} left something`, undefined, facts)
    if (unknown > 0) return note(`nothing is proven of ${unknown} ${unknown === 1 ? 'run' : 'runs'}`, undefined, 'nbtrun runs says why', facts)
    return ok(live === 0 ? 'no run holds anything' : `${live} live ${live === 1 ? 'run' : 'runs'}`, facts)
  }),
]

/** This machine. */
export const HOST: readonly Check[] = [RUNTIME, ...(isWindows ? ON_WINDOWS : MAPPINGS), ...OWN]

/** `~/.local/state` */
function homely(path: string, home: string | undefined): string {
  return home !== undefined && home.length > 1 && path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path
}

/** A mapping of an empty folder, really made and taken away again, by the ways that a run would try. */
function mapping(kind: 'private' | 'shared'): Check {
  return {
    group: 'host',
    check: kind,
    limitMs: MAPPING_MS,
    settleMs: MAPPING_MS,
    needless: ({ hasFuse }) => (hasFuse === true ? undefined : 'nothing can be mapped without /dev/fuse'),
    async look(patient, signal): Promise<Seen> {
      try {
        const { way, refusals, path } = await tryMapping(kind, patient, signal)
        if (kind === 'private') patient.privateWay = way
        const facts = { way, refusals, path }
        return ok([`way ${way}`, ...refusals.map(refusal => `not ${refusal}`)].join('; '), facts)
      } catch (thrown) {
        signal.throwIfAborted()
        // a run that may choose takes the private one
        return failed(thrown, symptomOf(thrown), kind === 'shared' && patient.privateWay !== undefined ? 'note' : 'finding')
      }
    },
  }
}

export function judgeNode(version: string): Seen {
  return isAtLeast(version, NODE)
    ? ok(version, { version })
    : finding('NODE_TOO_OLD', `Node ${version} is older than ${NODE.join('.')}`, undefined, { version })
}

/** `unshare from util-linux 2.38.1` */
export function judgeUtilLinux(line: string): Seen {
  const version = /util-linux (\d+(?:\.\d+)+)/.exec(line)?.[1]
  if (version === undefined) return note(`the tools are not those of util-linux${line === '' ? '' : ` (${line})`}`, 'TOOLS_MISSING')
  if (isAtLeast(version, UTIL_LINUX)) return ok(version, { version })
  const { message, hint } = failureOf(`unrecognized option: util-linux ${version}`)
  return note(message, 'TOOLS_MISSING', hint, { version })
}

function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [own = 0, second = 0] = version.split('.').map(Number)
  return own > major || (own === major && second >= minor)
}

/** The first line that a tool prints; empty where it prints none, or fails. */
function firstLine(
  [file = '', ...args]: readonly string[],
  signal: AbortSignal,
  env = process.env as Readonly<Record<string, string | undefined>>,
): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(file, args, { signal, timeout: TOOL_MS, killSignal: 'SIGKILL', env: { ...env, LC_ALL: 'C' } }, (error, stdout) => {
      if (signal.aborted) reject(signal.reason instanceof Error ? signal.reason : new NbtrunError('CANCELLED', 'cancelled'))
      else resolve(error === null ? (stdout.split('\n', 1)[0] ?? '').trim() : '')
    })
  })
}
